//! Generated lockfiles, installed by npm 10 and npm 11 from a tiny static registry in this program. If our reader
//! accepts a lockfile, both must install it to the same bytes, with the packages that the reader computes. Each
//! honest lockfile has a hostile twin, which is refused or held to the same standard.

mod graph;
mod npm;
mod static_registry;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use xtask::inputs::config::Folder;
use xtask::inputs::lockfile::{self, Libc, Registries, Target};
use xtask::oci::platform::Platform;
use xtask::process::temp_dir::TempDir;

use crate::harness::{environment, test};
use graph::{Dice, Project};
use npm::{Npm, Tree};
use static_registry::Registry;

/// The number of lockfiles in `ci`, which take a minute.
const USUAL: u64 = 20;

/// What a lockfile installs, according to our reader.
struct Accepted {
    installed: BTreeMap<String, (String, String, bool)>,
    tolerated: BTreeSet<String>,
}

/// Our reader's judgement of a lockfile. The inner `Err` is the reason for a refusal.
fn judged(project: &Project, lock: &Value) -> Result<Result<Accepted, String>> {
    let service = Folder::default();
    let (manifest, lock) = (project.manifest.to_string(), lock.to_string());
    let lockfile = match lockfile::check(&service, manifest.as_bytes(), lock.as_bytes()) {
        Ok(lockfile) => lockfile,
        Err(error) => return Ok(Err(format!("{error:#}"))),
    };
    let target = Target::new(&Platform::try_from("linux/amd64".to_owned())?, Libc::Glibc)?;
    let findings = lockfile.problems(&service, &project.local_manifests()).and_then(|mut problems| {
        problems.extend(lockfile.wrong_marks(&service, false));
        problems.extend(lockfile.elsewhere(&service, &Registries::default()).0);
        Ok((problems, lockfile.installed(&target)?, lockfile.tolerated(&target)?))
    });
    Ok(match findings {
        Err(error) => Err(format!("{error:#}")),
        Ok((problems, _, _)) if !problems.is_empty() => Err(problems.join("; ")),
        Ok((_, installed, tolerated)) => {
            let packages = installed.into_iter().filter(|(_, locked)| !locked.local);
            let facts = packages.map(|(path, locked)| (path, (locked.name, locked.version, locked.optional)));
            Ok(Accepted { installed: facts.collect(), tolerated: tolerated.into_keys().collect() })
        }
    })
}

/// What both npms made of a lockfile.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// The same tree.
    Same,
    /// The same tree, except for optional packages that one of them leaves out.
    LessOptional,
    /// The same tree, but with a name or version that is not the lockfile's. An archive only shows its name and
    /// version when it is unpacked; the image is compared with the lockfile for that.
    OtherName,
    /// One of them refuses it, which ends a build.
    OneOnly,
    /// Both refuse it.
    Neither,
}

/// Installs with both, and compares the trees.
fn install_with_both(
    npms: &[Npm; 2],
    project: &Project,
    lock: &Value,
    accepted: &Accepted,
    dir: &Path,
    is_honest: bool,
) -> Result<Outcome> {
    let mut trees = Vec::new();
    for npm in npms {
        let place = dir.join(&npm.name);
        project.write(&place, lock)?;
        trees.push(npm.install(&place, &project.registry)?);
        fs::remove_dir_all(&place)?;
    }
    let [Some(ten), Some(eleven)] = &trees[..] else {
        let is_one = trees.iter().any(Option::is_some);
        ensure!(!(is_one && is_honest), "one npm installs what the other refuses: {lock:#}");
        return Ok(if is_one { Outcome::OneOnly } else { Outcome::Neither });
    };
    // npm 10 may keep packages that no installed package requires. It may also leave out packages that are required by
    // an optional package that does not fit the platform (docs/facts.md#lockfile-and-platform).
    let (ten, eleven) = (ten.without(&accepted.tolerated), eleven.without(&accepted.tolerated));
    let mut renamed = Vec::new();
    for tree in [&ten, &eleven] {
        renamed.extend(renamed_in(tree, accepted).with_context(|| format!("{lock:#}"))?);
    }
    ensure!(
        renamed.is_empty() || !is_honest,
        "installed with another name or version: {renamed:?}: {lock:#}"
    );
    let is_in_one = |path: &str| ten.has(path) != eleven.has(path);
    let optional = accepted.installed.iter().filter(|(path, (_, _, optional))| *optional && is_in_one(path));
    let optional: BTreeSet<String> = optional.map(|(path, _)| path.clone()).collect();
    let (ten, eleven) = (ten.without(&optional), eleven.without(&optional));
    if ten.files != eleven.files {
        let differ = ten.files.iter().filter(|(path, bytes)| eleven.files.get(*path) != Some(bytes));
        let differ: Vec<_> = differ.map(|(path, _)| path).collect();
        let more: Vec<_> = eleven.files.keys().filter(|path| !ten.files.contains_key(*path)).collect();
        bail!("npm 10 and 11 differ in {differ:?} and {more:?}: {lock:#}");
    }
    Ok(match (renamed.is_empty(), optional.is_empty()) {
        (false, _) => Outcome::OtherName,
        (true, true) => Outcome::Same,
        (true, false) => Outcome::LessOptional,
    })
}

/// The packages whose name or version is not the one that we read.
///
/// # Errors
/// When the tree has other packages than those that we read.
fn renamed_in(tree: &Tree, accepted: &Accepted) -> Result<Vec<String>> {
    let found = tree.packages()?;
    let mut renamed = Vec::new();
    for (path, (name, version, is_optional)) in &accepted.installed {
        match found.get(path) {
            Some(package) if package == &(name.clone(), version.clone()) => {}
            Some(package) => renamed.push(format!("`{path}` is {package:?}, not {name} {version}")),
            None => ensure!(is_optional, "`{path}` is not installed"),
        }
    }
    let more: Vec<_> = found.keys().filter(|path| !accepted.installed.contains_key(*path)).collect();
    ensure!(more.is_empty(), "{more:?} are installed as well");
    Ok(renamed)
}

/// `LOCKFILES=200` for the first 200, `LOCKFILES=100..200` for the second half of them.
fn seeds() -> Result<Range<u64>> {
    let environment = environment();
    let Some(text) = environment.get("LOCKFILES")? else { return Ok(0..USUAL) };
    let (start, end) = text.split_once("..").unwrap_or(("0", text));
    let range = start.parse()?..end.parse()?;
    ensure!(!range.is_empty(), "`LOCKFILES={text}` selects no lockfile");
    Ok(range)
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn both_npms_install_the_lockfiles_that_we_accept_to_the_same_bytes() -> Result<()> {
    test(|| {
        let seeds = seeds()?;
        let wanted = seeds.end - seeds.start;
        let (scratch, registry) = (TempDir::new()?, Registry::start()?);
        let npms = [Npm::fetch("10.9.4", scratch.path())?, Npm::fetch("11.6.2", scratch.path())?];
        let (mut honest, mut hostile, mut refused) = (Vec::new(), Vec::new(), 0);
        for seed in seeds {
            let dir = scratch.path().join(format!("seed-{seed}"));
            let mut dice = Dice::new(seed);
            let project = Project::generate(&mut dice, seed, &registry)?;
            let lock = npms[usize::try_from(seed % 2)?].lock(&project, &dir)?;
            let accepted = match judged(&project, &lock)? {
                Ok(accepted) => accepted,
                Err(why) => bail!("seed {seed}: what npm wrote is refused: {why}: {lock:#}"),
            };
            let made = install_with_both(&npms, &project, &lock, &accepted, &dir, true)
                .with_context(|| format!("seed {seed}"))?;
            ensure!(made != Outcome::Neither, "seed {seed}: no npm installs what npm wrote: {lock:#}");
            honest.push(made);
            let (what, twin) = project.hostile(&mut dice, &lock)?;
            match judged(&project, &twin)? {
                Err(_) => refused += 1,
                Ok(accepted) => {
                    let doing = || format!("seed {seed}, hostile: {what}");
                    let made = install_with_both(&npms, &project, &twin, &accepted, &dir, false);
                    hostile.push(made.with_context(doing)?);
                }
            }
        }
        let count = |made: &[Outcome], kind: Outcome| made.iter().filter(|made| **made == kind).count();
        let summary = |made: &[Outcome]| {
            let kinds = [
                Outcome::Same,
                Outcome::LessOptional,
                Outcome::OtherName,
                Outcome::OneOnly,
                Outcome::Neither,
            ];
            let [same, less, other, one, neither] = kinds.map(|kind| count(made, kind));
            format!(
                "{same} installed alike by both, {less} alike except for optional packages, {other} alike but with a \
                 name or version that is not the lockfile's, {one} refused by one npm, {neither} by both"
            )
        };
        eprintln!(
            "{wanted} lockfiles of npm: {}; hostile twins: {refused} refused, {}",
            summary(&honest),
            summary(&hostile)
        );
        ensure!(refused > 0, "nothing hostile was refused");
        Ok(())
    })
}
