//! `cargo testbed faults`: a release may stop anywhere, and running it again must complete it. Each call and each
//! request of a release is disturbed in turn, on a real forge. `docs/reliability.md` says what must hold
//! afterwards.

mod case;
mod choice;
mod document;
mod kit;
mod label;
mod lane;
mod plan;
pub(crate) mod races;
mod results;
mod run;
pub(crate) mod shim;
mod state;
mod trial;
mod watch;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use xtask::process::Runner;
use xtask::process::environment::Environment;
use xtask::process::temp_dir::random_hex;
use xtask::tool::git::Git;

use crate::bench;
use crate::progress::Progress;
use results::Results;

pub use case::{Case, Injury, Kind, Target};
pub use kit::Kit;
pub use races::{Pair, Race, Races};
pub use trial::{Looks, Outcome};

/// What is disturbed.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Kill the release before, during and after every call, and disturb every request with each of seven faults:
    /// takes hours
    #[arg(long, conflicts_with_all = ["sample", "case"])]
    all: bool,
    /// Number of random cases, from every step of the release
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u16).range(1..))]
    sample: u16,
    /// Repeat the choice and the timing of an earlier run
    #[arg(long)]
    seed: Option<u64>,
    /// Only the case with this name
    #[arg(long, value_name = "NAME")]
    case: Option<Case>,
    /// Projects that are released side by side
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=8))]
    lanes: u8,
    /// Write results into this file, one line per case, and skip the cases that it already has
    #[arg(long = "continue", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Start no case after this many minutes; `--continue` resumes later
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    minutes: Option<u16>,
    /// Write the result into docs/reliability.md
    #[arg(long)]
    write: bool,
}

/// Tries the cases and prints the results; a violation is an error.
#[expect(clippy::print_stdout, reason = "this is the command's data")]
pub(crate) fn run(environment: &Environment, options: &Options) -> Result<()> {
    ensure!(options.all || !options.write, "`--write` is for the whole matrix: add `--all`");
    let environment = &bench::of_testbed(environment)?;
    let progress = Progress::start();
    let (mut results, seed) = match &options.file {
        Some(file) => Results::open(file, seed(options.seed)?)?,
        None => (Results::default(), seed(options.seed)?),
    };
    let machine = options.write.then(|| document::machine(environment)).transpose()?;
    let (xtask, _target) = bench::build_xtask(&Runner::new(environment))?;
    let commit = commit(environment)?;
    let own = std::env::current_exe().context("finding this program's own file")?;
    let kit = Kit::set_up(environment, &xtask, &own, usize::from(options.lanes))?;
    let cases = match &options.case {
        Some(case) => vec![case.clone()],
        None if options.all => kit.matrix(),
        None => kit.sample(usize::from(options.sample), seed),
    };
    let done = results.done();
    let open: Vec<_> = cases.iter().filter(|case| !done.contains(&case.to_string())).cloned().collect();
    progress
        .line("faults", &format!("seed {seed}: {} cases, {} of them done before", cases.len(), done.len()));
    let limit = options.minutes.map(|minutes| Duration::from_secs(60 * u64::from(minutes)));
    let until = limit.map(|limit| Instant::now() + limit);
    let tried = kit.try_all(&open, seed, until, |outcome| {
        let outcome = Outcome { commit: commit.clone(), ..outcome };
        kit::print(&progress, results.outcomes.len() + 1, done.len() + open.len(), &outcome, seed);
        results.add(outcome)
    });
    kit.clean_up()?;
    tried?;
    let table = results::table(&results.outcomes)?;
    println!("{table}");
    if let Some(machine) = &machine {
        document::write(
            machine,
            "faults",
            &document::matrix(&kit, done.len() + open.len(), seed, &results.outcomes)?,
        )?;
    }
    let violated = results.outcomes.iter().filter(|outcome| !outcome.violations.is_empty()).count();
    match violated {
        0 => Ok(()),
        _ => bail!("{violated} of {} cases left something wrong", results.outcomes.len()),
    }
}

/// The given seed, or a new one.
fn seed(given: Option<u64>) -> Result<u64> {
    match given {
        Some(seed) => Ok(seed),
        None => u64::from_str_radix(&random_hex()?[..8], 16).context("making a seed"),
    }
}

/// The commit whose `xtask` is tested.
fn commit(environment: &Environment) -> Result<String> {
    const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let git = Git::discover(&Runner::new(environment), Path::new(ROOT))?;
    let commit = git.peel("HEAD")?.context("HEAD has no commit")?;
    let changed = if git.differs(&commit, &["xtask", "Cargo.lock"])? { " with changes" } else { "" };
    Ok(format!("{}{changed}", commit.short()))
}
