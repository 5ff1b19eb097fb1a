//! Packages with an install script. Each needs a decision in the configuration, and each archive that the Dockerfile
//! fetches must be listed there.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::inputs::config::{Decision, Native};
use crate::inputs::dockerfile::Download;
use crate::inputs::lockfile::Locked;
use crate::inputs::pin::document;
use crate::oci::platform::Platform;

/// The installed packages of each platform, by path in the lockfile.
pub type Installed = Vec<(Platform, BTreeMap<String, Locked>)>;

/// The versions of one package, each with the platforms that it is installed on.
type Versions<'a> = BTreeMap<&'a str, Vec<&'a Platform>>;

/// Checks the decisions against the packages of each platform, and the decided archives against the Dockerfile's
/// downloads. Returns all problems.
#[must_use]
pub fn problems(decisions: &[Native], installed: &Installed, downloads: &[Download]) -> Vec<String> {
    let all = versions(installed, |_| true);
    let mut problems = undecided(decisions, installed, &all);
    let packages: BTreeSet<_> = decisions.iter().map(|native| native.package.as_str()).collect();
    for package in packages {
        let of_it: Vec<_> = decisions.iter().filter(|native| native.package == package).collect();
        problems.extend(match all.get(package) {
            Some(versions) => of_package(package, &of_it, versions),
            None => vec![format!(
                "`native` names `{package}`, which is installed on no released platform; take it out of `Cargo.toml`"
            )],
        });
    }
    problems.extend(of_downloads(decisions, downloads));
    problems
}

/// The versions of the installed packages that are `wanted`, by the packages' own names.
fn versions(installed: &Installed, wanted: impl Fn(&Locked) -> bool) -> BTreeMap<&str, Versions<'_>> {
    let mut found: BTreeMap<&str, Versions<'_>> = BTreeMap::new();
    for (platform, packages) in installed {
        for locked in packages.values().filter(|locked| wanted(locked)) {
            let platforms = found.entry(&locked.name).or_default().entry(&locked.version).or_default();
            if !platforms.contains(&platform) {
                platforms.push(platform);
            }
        }
    }
    found
}

/// The versions that an entry can name. A package of the repository itself may have no version.
fn named<'a>(versions: &Versions<'a>) -> Vec<&'a str> {
    versions.keys().copied().filter(|version| !version.is_empty()).collect()
}

/// A problem for each package with an install script about which nothing is decided.
fn undecided(decisions: &[Native], installed: &Installed, all: &BTreeMap<&str, Versions<'_>>) -> Vec<String> {
    let is_decided =
        |locked: &Locked| decisions.iter().any(|native| native.is_about(&locked.name, &locked.version));
    let open =
        versions(installed, |locked| locked.has_install_script && !locked.local && !is_decided(locked));
    open.into_iter().map(|(package, open)| ways(package, &open, &all[package])).collect()
}

fn ways(package: &str, open: &Versions<'_>, all: &Versions<'_>) -> String {
    let entry = |version: Option<&str>, lines: &str| {
        let version = version.map(|version| format!("version = \"{version}\"\n")).unwrap_or_default();
        format!("\n[[workspace.metadata.release.native]]\npackage = \"{package}\"\n{version}{lines}")
    };
    // One entry is enough for all versions, unless something else was decided about one of them.
    let is_about_all = open.len() == all.len();
    let each = |lines: &str| match is_about_all {
        true => entry(None, lines),
        false => open.keys().map(|version| entry(Some(version), lines)).collect(),
    };
    let has_several = named(all).len() > 1;
    let archives: String = open
        .iter()
        .flat_map(|(version, platforms)| platforms.iter().map(move |platform| (*version, platform)))
        .map(|(version, platform)| {
            let archive = format!("platform = \"{platform}\"\nurl = \"https://…\"\nsha256 = \"…\"");
            entry(has_several.then_some(version), &archive)
        })
        .collect();
    format!(
        "`{package}` {} brings an install script. The image does not run it, so decide what replaces it. \
         Write one of these into `Cargo.toml`. It works without the script (try it):{}\n\
         The Dockerfile builds it in a stage of the target platform ({}):{}\n\
         The Dockerfile fetches what the script would have made, for each platform:{archives}",
        listed(open),
        each("script = \"unneeded\""),
        document!("services.md"),
        each("build = \"target\""),
    )
}

fn listed(versions: &Versions<'_>) -> String {
    named(versions).join(", ")
}

/// The problems of `decisions`, all of them about one package that has these `versions`.
fn of_package(package: &str, decisions: &[&Native], versions: &Versions<'_>) -> Vec<String> {
    let mut problems = Vec::new();
    for version in decisions.iter().filter_map(|native| native.version.as_deref()) {
        if !versions.contains_key(version) {
            problems.push(format!(
                "`native` names `{package}` {version}, and the versions installed are {}; correct `version` in `Cargo.toml`",
                listed(versions)
            ));
        }
    }
    let is_of_any = |native: &&&Native| native.archive().is_some() && native.version.is_none();
    if named(versions).len() > 1 && decisions.iter().any(|native| is_of_any(&native)) {
        problems.push(format!(
            "`{package}` is installed in the versions {}, and an archive is for one of them: add `version` to each of its \
             archives in `native`",
            listed(versions)
        ));
        return problems;
    }
    if decisions.iter().all(|native| native.version.is_none()) {
        let mut platforms: Vec<_> = versions.values().flatten().copied().collect();
        platforms.sort();
        platforms.dedup();
        problems.extend(of_one(&format!("`{package}`"), decisions, &platforms));
        return problems;
    }
    for (version, platforms) in versions {
        let of_it: Vec<_> =
            decisions.iter().copied().filter(|native| native.is_about(package, version)).collect();
        problems.extend(of_one(&format!("`{package}` {version}"), &of_it, platforms));
    }
    problems
}

/// The problems of the decisions about `what`, which is installed on the platforms `needed`.
fn of_one(what: &str, decisions: &[&Native], needed: &[&Platform]) -> Vec<String> {
    let archives: Vec<_> =
        decisions.iter().filter_map(|native| native.archive()).map(|(_, archive)| archive).collect();
    if archives.is_empty() {
        let twice = decisions.len() > 1;
        return twice.then(|| format!("`native` decides about {what} more than once")).into_iter().collect();
    }
    let mut problems = Vec::new();
    if archives.len() != decisions.len() {
        problems.push(format!(
            "`native` has archives for {what}, and also `build` or `script`: keep only one of them"
        ));
    }
    for platform in needed {
        match archives.iter().filter(|archive| archive.platform == **platform).count() {
            0 => problems.push(format!(
                "`native` has no archive of {what} for `{platform}`; add one with `package`, `platform`, `url` and `sha256`"
            )),
            1 => {}
            _ => problems.push(format!("`native` has more than one archive of {what} for `{platform}`")),
        }
    }
    for archive in archives.iter().filter(|archive| !needed.contains(&&archive.platform)) {
        problems.push(format!(
            "`native` has an archive of {what} for `{}`, where it is not installed; take it out of `Cargo.toml`",
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
    let built = decisions.iter().filter(|native| native.decision == Decision::Target && !runs_on_target);
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
