//! Compares the packages of an image with those that the lockfile installs on its platform, in both directions.

#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::image::{Contents, Kind, NpmPackage};
use super::npm::clean_version;
use crate::inputs::config::Dependencies;
use crate::inputs::lockfile::{Libc, Locked, Lockfile, Target};
use crate::oci::platform::Platform;
use crate::process::shown::few;

/// More packages in one message help nobody.
const SHOWN: usize = 8;

const BUNDLED: &str = "if a bundler puts them into the service's own files, write `dependencies = \"bundled\"` in \
     `[workspace.metadata.release]` of `Cargo.toml`";

/// The result for an image whose packages are the lockfile's.
#[derive(Debug, Default)]
pub struct Held {
    /// The lockfile's entry for the package at a path of the image.
    pub locked: BTreeMap<String, Locked>,
    /// Packages that are not in a `node_modules`, because a bundler put them into the service's own files.
    pub bundled: Vec<Locked>,
    /// The number of optional and local packages of the lockfile that the image does not have.
    pub left_out: usize,
    /// The paths in the lockfile of the packages that the image has.
    found: BTreeSet<String>,
}

/// How an image differs from what the lockfile installs.
#[derive(Debug, PartialEq, Eq)]
pub struct LockfileMismatch {
    platform: String,
    target: String,
    missing: Vec<String>,
    excess: Vec<String>,
    dependencies: Dependencies,
    /// Whether the image has no packages at all.
    lacks_all: bool,
    /// Whether it lacks most of the packages that it must have.
    lacks_most: bool,
}

impl std::error::Error for LockfileMismatch {}

impl std::fmt::Display for LockfileMismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |packages: &[String]| few(packages, SHOWN).unwrap_or_else(|| "nothing".to_owned());
        write!(
            f,
            "the image for `{}` does not have the packages that the lockfile installs there: missing {}; in excess {}",
            self.platform,
            list(&self.missing),
            list(&self.excess)
        )?;
        if self.dependencies == Dependencies::Bundled {
            return f.write_str("; move what is in excess to `dependencies`, or leave it out of the output");
        }
        if self.lacks_all {
            return write!(f, "; it has no `node_modules` at all: {BUNDLED}");
        }
        write!(
            f,
            "; install in the Dockerfile with `npm ci --omit=dev {}` and copy nothing else that has a `node_modules`",
            self.target
        )?;
        if self.lacks_most { write!(f, "; most packages are missing: {BUNDLED}") } else { Ok(()) }
    }
}

/// The platform of an image in npm's terms. Its C library is the one with which node is linked, else the one of its
/// loader.
///
/// # Errors
/// When Node.js has no name for the platform.
pub fn target(contents: &Contents) -> Result<Target> {
    let node = contents.node.iter().find_map(|path| {
        let at = contents.elf.binary_search_by(|file| file.path.cmp(path)).ok()?;
        contents.elf[at].elf.libc
    });
    let has_only_musl = contents.libcs.contains(&Libc::Musl) && !contents.libcs.contains(&Libc::Glibc);
    let libc = node.unwrap_or(if has_only_musl { Libc::Musl } else { Libc::Glibc });
    Target::new(&Platform::try_from(contents.platform.clone())?, libc)
}

/// Compares the packages. Packages of the base image, and packages that came within another package's archive, do not
/// count.
///
/// # Errors
/// [`LockfileMismatch`] when they differ. A [`crate::process::failure::Refusal`] when the lockfile cannot be
/// installed on that platform.
pub fn check(contents: &Contents, lockfile: &Lockfile, dependencies: Dependencies) -> Result<Held> {
    let target = target(contents)?;
    let (installed, tolerated) = (lockfile.installed(&target)?, lockfile.tolerated(&target)?);
    let places: BTreeMap<&str, (&str, &Locked)> = installed
        .iter()
        .chain(&tolerated)
        .map(|(key, locked)| (inner(key), (key.as_str(), locked)))
        .collect();
    let (mut held, mut excess, mut found) = (Held::default(), Vec::new(), BTreeSet::new());
    let above = contents
        .packages
        .iter()
        .filter(|package| contents.is_above(package.layer) && package.kind != Kind::Inside);
    for package in above.clone() {
        // A package that is not where npm puts it counts as being where the links to it are.
        let links = package.links.iter().filter(|_| package.kind == Kind::Installed);
        let mut paths = [&package.path].into_iter().chain(links);
        let place = paths.find_map(|path| suffixes(path).find_map(|path| places.get(path)));
        match place {
            Some((key, locked)) if is_same(package, locked) => {
                found.insert(*key);
                held.locked.insert(package.path.clone(), (*locked).clone());
            }
            _ => excess.push(describe(package)),
        }
    }
    let mut missing = Vec::new();
    for (key, locked) in installed.iter().filter(|(key, _)| !found.contains(key.as_str())) {
        if dependencies == Dependencies::Bundled {
            held.bundled.push(locked.clone());
        } else if locked.optional || locked.local {
            held.left_out += 1;
        } else {
            missing.push(format!("`{}` {} (`{key}`)", locked.name, locked.version));
        }
    }
    if missing.is_empty() && excess.is_empty() {
        held.found = found.into_iter().map(str::to_owned).collect();
        return Ok(held);
    }
    let platform = contents.platform.clone();
    let target = format!("--os={} --cpu={} --libc={}", target.os, target.cpu, target.libc.as_str());
    let (lacks_all, lacks_most) = (above.count() == 0, missing.len() * 2 > installed.len());
    Err(LockfileMismatch { platform, target, missing, excess, dependencies, lacks_all, lacks_most }.into())
}

/// Describes the packages that npm chooses by processor, if the image has none of them although it has packages that
/// depend on them. npm was then run for another processor, which is not an error for npm.
///
/// # Errors
/// As [`check`].
pub fn without_binaries(
    contents: &Contents,
    lockfile: &Lockfile,
    dependencies: Dependencies,
) -> Result<Option<String>> {
    let target = target(contents)?;
    let found = check(contents, lockfile, dependencies)?.found;
    let mut chosen = lockfile.chosen_by_cpu(&target)?;
    chosen.retain(|_, dependents| dependents.iter().any(|path| path.is_empty() || found.contains(path)));
    if dependencies == Dependencies::Bundled
        || chosen.is_empty()
        || chosen.keys().any(|path| found.contains(path))
    {
        return Ok(None);
    }
    let listed: Vec<_> = chosen.keys().take(SHOWN).map(|path| format!("`{path}`")).collect();
    Ok(Some(format!(
        "the image for `{}` has no package for its processor: missing {}; install in the Dockerfile with `npm ci \
         --omit=dev --os={} --cpu={} --libc={}`, or if the service runs without them, write `--omit=optional` there",
        contents.platform,
        listed.join(", "),
        target.os,
        target.cpu,
        target.libc.as_str()
    )))
}

/// The key of a folder outside the service's, such as `../shared`, without the leading `../`.
fn inner(key: &str) -> &str {
    key.trim_start_matches("../")
}

/// The path, and its rest after each slash: an image may have the service in any folder.
fn suffixes(path: &str) -> impl Iterator<Item = &str> {
    [path].into_iter().chain(path.match_indices('/').map(|(at, _)| &path[at + 1..]))
}

fn is_same(package: &NpmPackage, locked: &Locked) -> bool {
    let manifest = &package.manifest;
    if locked.local {
        return manifest.name.as_ref().is_none_or(|name| *name == locked.name);
    }
    let version =
        manifest.version.as_deref().is_some_and(|version| version == clean_version(&locked.version));
    version && manifest.name.as_ref() == Some(&locked.name)
}

fn describe(package: &NpmPackage) -> String {
    let name = package.manifest.name.as_deref().unwrap_or("without a name");
    let version = package.manifest.version.as_deref().unwrap_or("without a version");
    format!("`{}` {} (`{}`)", name.escape_debug(), version.escape_debug(), package.path.escape_debug())
}
