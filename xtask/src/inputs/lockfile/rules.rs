//! Rules for a lockfile in addition to the root's ranges, so that npm installs on each platform what the service needs.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};

use super::edges;
use super::entry::{Entry, Ranges, manifest};
use super::in_sync::difference;
use super::target::{Libc, Target};
use super::{Lockfile, folder_name, is_local, out_of_sync, package_name, write_anew};
use crate::inputs::config::Folder;

/// More packages in one message help nobody.
const SHOWN: usize = 4;

impl Lockfile {
    /// The problems of local code: folders whose package.json (in `manifests`, by folder) does not match the lockfile,
    /// and dependencies that npm treats as tools. Also overrides that the lockfile does not follow, and entries of any
    /// kind that npm could read in more than one way.
    ///
    /// # Errors
    /// When a package.json cannot be read.
    pub fn problems(&self, service: &Folder, manifests: &BTreeMap<String, Vec<u8>>) -> Result<Vec<String>> {
        let mut problems = Vec::new();
        for (folder, bytes) in manifests {
            let path = format!("{folder}/package.json");
            let ranges: Ranges = manifest(bytes).with_context(|| format!("reading `{path}`"))?;
            let locked = self.lock.packages.get(folder).map(|entry| &entry.ranges);
            let difference = locked.and_then(|locked| difference(&ranges, locked));
            problems.extend(difference.map(|difference| out_of_sync(&path, &difference, service)));
        }
        for (folder, entry) in self.lock.packages.iter().filter(|(path, _)| path.is_empty() || is_local(path))
        {
            problems.extend(read_as_tools(&manifest_of(folder), &entry.ranges));
        }
        problems.extend(self.against_overrides(service));
        problems.extend(self.loose(service));
        Ok(problems)
    }

    /// Optional packages that by their name are for one of the platforms, but for which the lockfile has no entry: npm
    /// 10 installs without them and reports nothing (npm/cli issue 8320).
    #[must_use]
    pub fn unlocked(&self, service: &Folder, targets: &[Target]) -> Vec<String> {
        let mut problems = Vec::new();
        for (path, entry) in &self.lock.packages {
            for target in targets.iter().filter(|target| target.fits(entry)) {
                problems.extend(self.missing(path, entry, target).map(|name| {
                    format!(
                        "`package-lock.json` has no entry for `{name}`, which `{path}` needs on {target}: {}",
                        write_anew(service)
                    )
                }));
            }
        }
        problems.sort();
        problems.dedup();
        problems
    }

    /// The packages that npm installs for the wrong C library because their entries have no `libc`: no npm before 11.11
    /// writes it into a lockfile (npm/cli issue 8514). A few declare none themselves, such as `@libsql/linux-x64-musl`
    /// 0.5.22, and the lockfile does not tell which.
    ///
    /// # Errors
    /// As [`Lockfile::installed`].
    pub fn without_libc(&self, service: &Folder, targets: &[Target]) -> Result<Option<String>> {
        let musl = for_musl(self.lock.packages.keys().map(|path| folder_name(path)));
        let mut wrong = BTreeSet::new();
        for target in targets {
            let installed = self.select(target)?.installed;
            let is_wrong = |path: &&str| {
                let entry = &self.lock.packages[*path];
                let has_none = entry.libc.list().is_empty() && !entry.cpu.list().is_empty();
                has_none && is_for_other_libc(&package_name(path, entry), target.libc, &musl)
            };
            wrong.extend(installed.into_iter().filter(is_wrong));
        }
        let listed: Vec<_> = wrong.iter().take(SHOWN).map(|path| format!("`{path}`")).collect();
        let more = if wrong.len() > SHOWN { " and others" } else { "" };
        Ok((!wrong.is_empty()).then(|| {
            format!(
                "`package-lock.json` has no `libc` for {}{more}, so that npm installs packages for both C libraries. If they \
                 declare one, it was written by an npm before 11.11, which leaves that out: {}",
                listed.join(", "),
                write_anew(service)
            )
        }))
    }

    /// Install scripts of the service itself, which the image's `npm ci` does not run.
    #[must_use]
    pub fn own_scripts(&self) -> Vec<String> {
        let own = self.lock.packages.iter().filter(|(path, _)| path.is_empty() || is_local(path));
        let note = |(folder, _): (&String, &Entry)| {
            format!(
                "`{}` has an install script, which `npm ci --ignore-scripts` does not run; what the image needs of it goes \
                 into the Dockerfile",
                manifest_of(folder)
            )
        };
        own.filter(|(_, entry)| entry.has_install_script).map(note).collect()
    }

    fn missing<'a>(
        &'a self,
        path: &'a str,
        entry: &'a Entry,
        target: &'a Target,
    ) -> impl Iterator<Item = &'a str> {
        let names = entry.ranges.optional_dependencies.keys().map(String::as_str);
        let names: Vec<_> = names.filter(|name| is_for(name, target)).collect();
        let places = if names.is_empty() { Vec::new() } else { edges::places(&self.lock, path) };
        names.into_iter().filter(move |name| !edges::is_locked(&self.lock, &places, name))
    }
}

/// The package.json of a folder, relative to the service's folder.
fn manifest_of(folder: &str) -> String {
    if folder.is_empty() { "package.json".to_owned() } else { format!("{folder}/package.json") }
}

/// npm counts a package that is in both tables as a development dependency, and leaves it out of production.
fn read_as_tools(path: &str, ranges: &Ranges) -> Option<String> {
    let is_both = |name: &&String| {
        ranges.dependencies.contains_key(*name) || ranges.optional_dependencies.contains_key(*name)
    };
    let both: Vec<_> =
        ranges.dev_dependencies.keys().filter(is_both).map(|name| format!("`{name}`")).collect();
    (!both.is_empty()).then(|| {
        format!(
            "`{path}` has {} in `devDependencies` as well, and npm then leaves it out of the image; take it out of \
             `devDependencies` and run `npm install`",
            both.join(", ")
        )
    })
}

/// Whether the name of a package says that it is for this platform: `@img/sharp-linux-x64`, `…-linux-arm64-musl`.
fn is_for(name: &str, target: &Target) -> bool {
    let words = words_of(name);
    let has = |word: &str| words.contains(&word);
    (has(&target.os) || has("linuxmusl"))
        && has(&target.cpu)
        && named_libc(&words).is_none_or(|libc| libc == target.libc)
}

fn words_of(name: &str) -> Vec<&str> {
    name.split(|c: char| !c.is_ascii_alphanumeric()).collect()
}

/// The C library that is named by one of the words.
fn named_libc(words: &[&str]) -> Option<Libc> {
    words.iter().find_map(|word| match *word {
        "musl" | "linuxmusl" => Some(Libc::Musl),
        "gnu" | "glibc" => Some(Libc::Glibc),
        _ => None,
    })
}

/// The `names` that say musl, without the word for it.
fn for_musl<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<Vec<&'a str>> {
    let plain = |word: &'a str| if word == "linuxmusl" { "linux" } else { word };
    let musl = names.map(words_of).filter(|words| named_libc(words) == Some(Libc::Musl));
    musl.map(|words| words.into_iter().filter(|word| *word != "musl").map(plain).collect()).collect()
}

/// Whether the name of a package says that it is not for `libc`. A name without a word for a C library is for glibc if
/// `musl` has its sibling: `@img/sharp-linuxmusl-x64` is the sibling of `@img/sharp-linux-x64`.
fn is_for_other_libc(name: &str, libc: Libc, musl: &BTreeSet<Vec<&str>>) -> bool {
    let words = words_of(name);
    let found = named_libc(&words).or_else(|| musl.contains(&words).then_some(Libc::Glibc));
    found.is_some_and(|found| found != libc)
}

#[cfg(test)]
mod tests {
    use super::{for_musl, is_for, is_for_other_libc};
    use crate::inputs::lockfile::{Libc, Target};

    #[test]
    fn names_of_platform_packages_are_read_by_their_words() {
        let target = Target { os: "linux".to_owned(), cpu: "arm64".to_owned(), libc: Libc::Glibc };
        for (name, expected) in [
            ("@img/sharp-linux-arm64", true),
            ("@img/sharp-linuxmusl-arm64", false),
            ("@swc/core-linux-arm64-gnu", true),
            ("@swc/core-linux-arm64-musl", false),
            ("@rollup/rollup-linux-x64-gnu", false),
            ("@r/darwin-arm64", false),
            ("fsevents", false),
        ] {
            assert_eq!(is_for(name, &target), expected, "{name}");
        }
    }
    #[test]
    fn a_package_for_the_other_c_library_is_recognized_by_its_name_or_its_siblings() {
        let all = ["@s/x-linux-x64", "@s/x-linuxmusl-x64", "y-linux-x64", "y-linux-musl-x64", "z-linux-x64"];
        let musl = for_musl(all.into_iter());
        for (name, on_glibc, on_musl) in [
            ("@s/x-linux-x64", false, true),
            ("@s/x-linuxmusl-x64", true, false),
            ("y-linux-x64", false, true),
            ("y-linux-musl-x64", true, false),
            ("z-linux-x64", false, false),
            ("@w/core-linux-x64-gnu", false, true),
            ("@w/core-linux-x64-glibc", false, true),
            ("@w/core-linux-x64-musl", true, false),
        ] {
            let found = [Libc::Glibc, Libc::Musl].map(|libc| is_for_other_libc(name, libc, &musl));
            assert_eq!(found, [on_glibc, on_musl], "{name}");
        }
    }
}
