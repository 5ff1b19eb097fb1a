//! Packages with an install script. Each needs a decision in the configuration, and each archive that the Dockerfile
//! fetches must be listed there.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::inputs::config::{Native, Way};
use crate::inputs::dockerfile::Download;
use crate::inputs::lockfile::Locked;
use crate::inputs::pin::document;
use crate::oci::platform::Platform;

/// The installed packages of each platform, by path in the lockfile.
pub type Installed = Vec<(Platform, BTreeMap<String, Locked>)>;

/// Checks the decisions against the packages of each platform, and the decided archives against the Dockerfile's
/// downloads. Returns all problems.
#[must_use]
pub fn problems(decisions: &[Native], installed: &Installed, downloads: &[Download]) -> Vec<String> {
    let mut problems = undecided(decisions, installed);
    let packages: BTreeSet<_> = decisions.iter().map(|native| native.package.as_str()).collect();
    for package in packages {
        problems.extend(of_package(package, decisions, installed));
    }
    problems.extend(of_downloads(decisions, downloads));
    problems
}

/// A package is decided about once, whichever of its versions are installed.
fn undecided(decisions: &[Native], installed: &Installed) -> Vec<String> {
    let mut open: BTreeMap<&str, (BTreeSet<&str>, Vec<&Platform>)> = BTreeMap::new();
    let is_decided = |package: &str| decisions.iter().any(|native| native.package == package);
    for (platform, packages) in installed {
        let with_script = packages.values().filter(|locked| locked.has_install_script && !locked.local);
        for locked in with_script.filter(|locked| !is_decided(&locked.name)) {
            let (versions, platforms) = open.entry(&locked.name).or_default();
            versions.insert(&locked.version);
            if !platforms.contains(&platform) {
                platforms.push(platform);
            }
        }
    }
    let versions = |found: BTreeSet<&str>| found.into_iter().collect::<Vec<_>>().join(", ");
    open.into_iter()
        .map(|(package, (found, platforms))| ways(package, &versions(found), &platforms))
        .collect()
}

fn ways(package: &str, versions: &str, platforms: &[&Platform]) -> String {
    const HEAD: &str = "[[workspace.metadata.release.native]]";
    let mut text = format!(
        "`{package}` {versions} brings an install script. The image does not run it, so decide what replaces it. \
         Write one of these into `Cargo.toml`. It works without the script (try it):\n\
         {HEAD}\npackage = \"{package}\"\nscript = \"unneeded\"\n\
         The Dockerfile builds it in a stage of the target platform ({}):\n\
         {HEAD}\npackage = \"{package}\"\nbuild = \"target\"\n\
         The Dockerfile fetches what the script would have made, for each platform:",
        document!("services.md")
    );
    for platform in platforms {
        let archive = format!("platform = \"{platform}\"\nurl = \"https://…\"\nsha256 = \"…\"");
        // Writing to a string cannot fail.
        write!(text, "\n{HEAD}\npackage = \"{package}\"\n{archive}").unwrap_or_default();
    }
    text
}

/// The problems of the decisions about one package.
fn of_package(package: &str, decisions: &[Native], installed: &Installed) -> Vec<String> {
    let of_it: Vec<_> = decisions.iter().filter(|native| native.package == package).collect();
    let has = |packages: &BTreeMap<String, Locked>| packages.values().any(|locked| locked.name == package);
    let needed: Vec<_> =
        installed.iter().filter(|(_, packages)| has(packages)).map(|(platform, _)| platform).collect();
    if needed.is_empty() {
        return vec![format!(
            "`native` names `{package}`, which is installed on no released platform; take it out of `Cargo.toml`"
        )];
    }
    let archives: Vec<_> =
        of_it.iter().filter_map(|native| native.archive()).map(|(_, archive)| archive).collect();
    if archives.is_empty() {
        let twice = of_it.len() > 1;
        return twice
            .then(|| format!("`native` decides about `{package}` more than once"))
            .into_iter()
            .collect();
    }
    let mut problems = Vec::new();
    if archives.len() != of_it.len() {
        problems.push(format!(
            "`native` has archives for `{package}`, and also `build` or `script`: keep only one of them"
        ));
    }
    for platform in &needed {
        match archives.iter().filter(|archive| archive.platform == **platform).count() {
            0 => problems.push(format!(
                "`native` has no archive of `{package}` for `{platform}`; add one with `package`, `platform`, `url` and `sha256`"
            )),
            1 => {}
            _ => problems.push(format!("`native` has more than one archive of `{package}` for `{platform}`")),
        }
    }
    for archive in archives.iter().filter(|archive| !needed.contains(&&archive.platform)) {
        problems.push(format!(
            "`native` has an archive of `{package}` for `{}`, where it is not installed; take it out of `Cargo.toml`",
            archive.platform
        ));
    }
    problems
}

fn of_downloads(decisions: &[Native], downloads: &[Download]) -> Vec<String> {
    let archives: Vec<_> = decisions.iter().filter_map(Native::archive).map(|(_, archive)| archive).collect();
    let mut problems = Vec::new();
    for Download { line, url, digest } in downloads {
        match archives.iter().find(|archive| archive.url.to_string() == *url) {
            None => problems.push(format!(
                "Dockerfile line {line} fetches `{url}`, which no `[[workspace.metadata.release.native]]` names; add it \
                 there, or commit the file"
            )),
            Some(archive) if archive.sha256 != *digest => problems.push(format!(
                "Dockerfile line {line} fetches `{url}` with {digest}: `native` says sha256:{}",
                archive.sha256.hex()
            )),
            Some(_) => {}
        }
    }
    for archive in archives {
        if !downloads.iter().any(|download| download.url == archive.url.to_string()) {
            problems.push(format!(
                "`native` names `{}`, which the Dockerfile does not fetch; write `ADD --checksum={} {} …` ({})",
                archive.url,
                archive.sha256,
                archive.url,
                document!("services.md")
            ));
        }
    }
    problems
}

/// Problems for packages that are to be built on the target platform when no stage of the Dockerfile runs there.
#[must_use]
pub fn without_a_stage(decisions: &[Native], runs_on_target: bool) -> Vec<String> {
    let built = decisions.iter().filter(|native| native.way == Way::Target && !runs_on_target);
    let problem = |native: &Native| {
        format!(
            "`native` says `build = \"target\"` for `{}`, and no stage of the Dockerfile before the last runs on the target \
             platform; write one without `--platform=$BUILDPLATFORM` ({})",
            native.package,
            document!("services.md")
        )
    };
    built.map(problem).collect()
}
