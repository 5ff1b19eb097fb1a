//! Wherever a release is disturbed, the same command finishes it (docs/reliability.md). These tests try a sample of the
//! matrix that `cargo testbed faults --all` tries completely, and races. They also check that the kit notices a release
//! that cannot be resumed.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::OnceLock;

use anyhow::{Context as _, Result, anyhow, ensure};
use nix::fcntl::Flock;
use testbed::faults::{Case, Injury, Kind, Kit, Outcome, Pair, Races, Target};
use xtask::process::temp_dir::random_hex;

use crate::harness::run::{program, program_with};
use crate::harness::shared::lasting_directory;
use crate::harness::{environment, test};

/// The number of cases that are tried for every change.
const FEW: usize = 4;

/// The long test tries at least this many cases, and one of every step. The whole matrix has its own command.
const CASES: usize = 8;

/// The number of races of each kind. A hundred of each have their own command.
const RACES: usize = 2;

/// The program that the shims become.
const TESTBED: &str = env!("CARGO_BIN_EXE_testbed");

/// A new seed. It is printed past libtest, so that the selection can be repeated.
fn seed(of: &str) -> Result<u64> {
    let seed = u64::from_str_radix(&random_hex()?[..8], 16)?;
    writeln!(std::io::stderr(), "\n{of}: seed {seed}")?;
    Ok(seed)
}

/// The kit that the tests share. It has two lanes, because each lane costs two releases before the first case.
fn kit() -> Result<&'static Kit> {
    static SHARED: OnceLock<Result<(Kit, Flock<File>), String>> = OnceLock::new();
    let make = || {
        let (parent, lock) = lasting_directory("faults")?;
        anyhow::Ok((Kit::within(&parent, &environment(), program()?, Path::new(TESTBED), 2)?, lock))
    };
    let made = SHARED.get_or_init(|| make().map_err(|error| format!("{error:#}")));
    made.as_ref().map(|(kit, _lock)| kit).map_err(|error| anyhow!("the kit that this test uses: {error}"))
}

fn sample(kit: &Kit, seed: u64) -> Vec<Case> {
    let cases = kit.sample(CASES, seed);
    let steps = |wanted: &dyn Fn(&Target) -> bool| -> BTreeSet<String> {
        kit.targets().iter().filter(|(_, target)| wanted(target)).map(|(step, _)| step.clone()).collect()
    };
    let tried = steps(&|target| cases.iter().any(|case| case.target == *target));
    assert_eq!(tried, steps(&|_| true), "every step is disturbed");
    cases
}

fn try_all(kit: &Kit, cases: &[Case], seed: u64) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    kit.try_all(cases, seed, None, |outcome| {
        outcomes.push(outcome);
        Ok(())
    })?;
    kit.clean_up()?;
    Ok(outcomes)
}

/// Tries `cases`. None may have a violation, and in most of them the call or request must have come and been disturbed.
fn all_end_well(kit: &Kit, cases: &[Case], seed: u64) -> Result<()> {
    let outcomes = try_all(kit, cases, seed)?;
    ensure!(outcomes.len() == cases.len(), "{} of {} cases", outcomes.len(), cases.len());
    let wrong: Vec<_> = outcomes.iter().filter(|outcome| !outcome.violations.is_empty()).collect();
    ensure!(wrong.is_empty(), "with seed {seed}: {wrong:#?}");
    let met = outcomes.iter().filter(|outcome| outcome.met).count();
    ensure!(met * 4 >= outcomes.len() * 3, "only {met} of {} cases were disturbed", outcomes.len());
    Ok(())
}

#[test]
fn the_same_command_finishes_a_disturbed_release() -> Result<()> {
    test(|| {
        let (seed, kit) = (seed("faults")?, kit()?);
        let sample = sample(kit, seed);
        let each = sample.len().div_ceil(FEW);
        let offset = usize::try_from(seed % u64::try_from(each)?)?;
        let cases: Vec<_> = sample.into_iter().skip(offset).step_by(each).collect();
        all_end_well(kit, &cases, seed)
    })
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn the_same_command_finishes_a_release_disturbed_at_any_step() -> Result<()> {
    test(|| {
        let (seed, kit) = (seed("faults")?, kit()?);
        let cases = sample(kit, seed);
        ensure!(cases.len() >= CASES, "{} cases", cases.len());
        all_end_well(kit, &cases, seed)
    })
}

/// Transient faults: in the requests of `xtask`, in those that docker and cosign send for it, and in a tool itself.
const TRANSIENT: [&str; 9] = [
    "request truncated 1 HEAD /v2/acme/carol/manifests/v0.1.0",
    "request 429 1 POST /v2/acme/carol/blobs/uploads/",
    "request cut-after 1 POST /api/v1/repos/acme/carol/releases",
    "request 500 1 POST /v2/token",
    "request cut-before 1 GET /v2/",
    "call fail 1 docker buildx build --progress=plain --provenance=false --output=type=cacheonly",
    "call fail 1 docker buildx build --progress=plain --provenance=false --sbom=false",
    "call fail 1 docker pull",
    "call fail 1 cosign sign --yes",
];

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn a_transient_fault_does_not_end_a_release() -> Result<()> {
    test(|| {
        let kit = kit()?;
        // The name of a call is its whole command line, which is long, so these names are prefixes.
        let whole = |name: &&str| -> Result<Case> {
            let case: Case = name.parse()?;
            let mut targets = kit.targets().iter().map(|(_, target)| target);
            let found = targets.find(|target| {
                let is_call = target.kind == Kind::Call && target.label.starts_with(&case.target.label);
                target.kind == case.target.kind && (is_call || target.label == case.target.label)
            });
            let target = found.with_context(|| format!("no release has `{name}`"))?.clone();
            Ok(Case { target, ..case })
        };
        let cases: Vec<_> = TRANSIENT.iter().map(whole).collect::<Result<_>>()?;
        for outcome in try_all(kit, &cases, 0)? {
            ensure!(outcome.met && outcome.first == 0 && outcome.violations.is_empty(), "{outcome:#?}");
        }
        Ok(())
    })
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn two_concurrent_releases_end_as_if_one_had_followed_the_other() -> Result<()> {
    test(|| {
        let seed = seed("races")?;
        let races = Races::set_up(&environment(), program()?, Path::new(TESTBED))?;
        for pair in Pair::ALL {
            for number in 0..RACES {
                let race = races.hold(pair, number, seed)?;
                ensure!(race.violations.is_empty(), "race {number} with seed {seed}: {race:#?}");
            }
        }
        races.clean_up()
    })
}

#[test]
fn running_a_finished_release_again_sends_no_write() -> Result<()> {
    test(|| {
        let kit = kit()?;
        let writes = kit.writes_of_a_finished_release()?;
        ensure!(writes.is_empty(), "{writes:#?}");
        kit.clean_up()
    })
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn the_kit_reports_a_release_that_cannot_be_resumed() -> Result<()> {
    test(|| {
        let broken = program_with("broken-resume")?;
        let kit = Kit::set_up(&environment(), &broken, Path::new(TESTBED), 1)?;
        let stores = |target: &&Target| {
            target.kind == Kind::Call
                && target.label.starts_with("curl PUT ")
                && target.label.ends_with(".att")
        };
        let mut targets = kit.targets().iter().map(|(_, target)| target);
        let target = targets.find(stores).context("no call stores the attestations")?.clone();
        // Only the first of the two leaves a version tag without attestations behind, but in both a stranger sees it
        // without them for a moment.
        let cases =
            [Injury::KillBefore, Injury::KillAfter].map(|injury| Case { target: target.clone(), injury });
        for (outcome, is_stuck) in try_all(&kit, &cases, 0)?.iter().zip([true, false]) {
            ensure!(outcome.met, "{outcome:#?}");
            let said = |words: &str| outcome.violations.iter().any(|text| text.contains(words));
            ensure!(said("seen: `v0.1.0` names"), "a stranger saw nothing: {outcome:#?}");
            ensure!(said("asked: `v0.1.0` was put before"), "the proxy saw nothing: {outcome:#?}");
            ensure!(said("the second run: exit 3") == is_stuck, "{outcome:#?}");
        }
        Ok(())
    })
}
