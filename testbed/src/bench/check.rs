//! What `xtask check` costs: on this repository, and on a generated one with thousands of packages and workflows.
//! Needs no testbed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use xshell::cmd;
use xtask::process::Runner;
use xtask::process::environment::Environment;
use xtask::process::temp_dir::TempDir;

use super::measure::{self, Subject, Usage};
use super::profile;
use super::report::spread;
use crate::provision::text;

/// This repository; its last commit is measured.
const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The size of the large repository.
const PACKAGES: usize = 5_000;
const WORKFLOWS: usize = 1_000;

const MANIFEST: &str = "service/package.json";
const LOCKFILE: &str = "service/package-lock.json";
const FLOWS: &str = ".forgejo/workflows";

/// The measurements of one repository.
struct Measured {
    what: String,
    /// The target for its check, in seconds.
    target: f64,
    rounds: Vec<Usage>,
}

/// Measures both repositories and returns the figures as Markdown.
pub(super) fn measure(environment: &Environment, xtask: &Path, rounds: u16) -> Result<String> {
    let (runner, scratch) = (Runner::new(environment), TempDir::new()?);
    let own = clone(&runner, &scratch.path().join("own"))?;
    let large = clone(&runner, &scratch.path().join("large"))?;
    enlarge(&large)?;
    let what = format!("{PACKAGES} packages, {WORKFLOWS} more workflows");
    let found = [(own, "this repository".to_owned(), 0.2), (large, what, 2.0)].map(|(dir, what, target)| {
        let subject = Subject { words: &[text(xtask)?, "check"], dir: &dir, variables: &[], secrets: &[] };
        let round = |_| Ok(measure::run(&runner, &subject, scratch.path())?.0);
        anyhow::Ok(Measured { what, target, rounds: (0..rounds).map(round).collect::<Result<_>>()? })
    });
    Ok(render(profile(xtask), &found.into_iter().collect::<Result<Vec<_>>>()?))
}

fn clone(runner: &Runner, dir: &Path) -> Result<PathBuf> {
    let shell = runner.shell()?;
    runner.call(cmd!(shell, "git clone --quiet --no-tags {REPOSITORY} {dir}")).run()?;
    Ok(dir.to_owned())
}

/// Gives the service a chain of packages, and the repository many copies of one workflow.
fn enlarge(dir: &Path) -> Result<()> {
    let read = |path: &str| fs::read(dir.join(path)).with_context(|| format!("reading `{path}`"));
    let write = |path: &str, bytes: &[u8]| {
        fs::write(dir.join(path), bytes).with_context(|| format!("writing `{path}`"))
    };
    let mut manifest: Value = serde_json::from_slice(&read(MANIFEST)?).context("reading package.json")?;
    manifest["dependencies"] = json!({ name(0): "1.0.0" });
    write(MANIFEST, manifest.to_string().as_bytes())?;
    write(LOCKFILE, lockfile(&manifest, PACKAGES).to_string().as_bytes())?;
    let flow = read(&format!("{FLOWS}/ci.yml"))?;
    (0..WORKFLOWS).try_for_each(|number| write(&format!("{FLOWS}/ci-{number}.yml"), &flow))
}

fn name(number: usize) -> String {
    format!("package-{number}")
}

/// Each package depends on the next one.
fn lockfile(manifest: &Value, count: usize) -> Value {
    let integrity = format!("sha512-{}", STANDARD.encode([0; 64]));
    let root: Map<_, _> = ["name", "version", "license", "dependencies", "engines"]
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), manifest.get(key)?.clone())))
        .collect();
    let package = |number: usize| {
        let mut entry = json!({ "version": "1.0.0", "integrity": integrity, "license": "MIT" });
        if number + 1 < count {
            entry["dependencies"] = json!({ name(number + 1): "1.0.0" });
        }
        (format!("node_modules/{}", name(number)), entry)
    };
    let packages: Map<_, _> =
        [(String::new(), root.into())].into_iter().chain((0..count).map(package)).collect();
    let (name, version) = (&manifest["name"], &manifest["version"]);
    json!({ "name": name, "version": version, "lockfileVersion": 3, "requires": true, "packages": packages })
}

fn render(profile: &str, measured: &[Measured]) -> String {
    let rounds = measured.first().map_or(0, |one| one.rounds.len());
    let mut table = format!(
        "`xtask check` in the {profile} profile; rounds {rounds}.\n\n\
         | repository | least / **median** / greatest, s | target | largest process, MiB |\n|---|---|---|---|\n"
    );
    for Measured { what, target, rounds } in measured {
        let (wall, peak) = (
            spread(rounds.iter().map(|round| round.wall), 3),
            spread(rounds.iter().map(|round| round.peak as f64 / 1024.0), 0),
        );
        table += &format!("| {what} | {wall} | ≤ {target:.1} | {peak} |\n");
    }
    table
}

#[cfg(test)]
mod tests {
    use super::{Measured, lockfile, render};
    use crate::bench::measure::Usage;
    use serde_json::json;

    #[test]
    fn every_package_but_the_last_depends_on_the_next() {
        let manifest = json!({"name": "a", "version": "1.0.0", "dependencies": {"package-0": "1.0.0"}});
        let lockfile = lockfile(&manifest, 3);
        let packages = lockfile["packages"].as_object().unwrap();
        assert_eq!(packages.len(), 4);
        assert_eq!(packages[""]["dependencies"], manifest["dependencies"]);
        assert_eq!(packages["node_modules/package-1"]["dependencies"], json!({"package-2": "1.0.0"}));
        assert!(packages["node_modules/package-2"].get("dependencies").is_none());
    }

    #[test]
    fn each_repository_has_a_row_with_its_target() {
        let rounds = vec![Usage { wall: 0.036, cpu: 0.02, peak: 8192 }];
        let text = render("dev", &[Measured { what: "this one".to_owned(), target: 0.2, rounds }]);
        assert!(
            text.ends_with("| this one | 0.036 / **0.036** / 0.036 | ≤ 0.2 | 8 / **8** / 8 |\n"),
            "{text}"
        );
    }
}
