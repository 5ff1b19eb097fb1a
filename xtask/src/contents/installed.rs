//! The packages of an image, held against what the lockfile installs on its platform, in both directions.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::elf;
use super::image::{Contents, Kind, NpmPackage};
use super::npm::clean_version;
use crate::config::{Dependencies, Platform};
use crate::lockfile::{Libc, Locked, Lockfile, Target};

/// More packages in one message help nobody.
const SHOWN: usize = 8;

/// An image whose packages are the lockfile's.
#[derive(Debug, Default)]
pub struct Held {
    /// What the lockfile says of the package at a path of the image.
    pub locked: BTreeMap<String, Locked>,
    /// What is in no `node_modules`, because a bundler put it into the service's own files.
    pub bundled: Vec<Locked>,
    /// How many optional or local packages of the lockfile are not in the image.
    pub left_out: usize,
}

/// Why an image is not what the lockfile installs.
#[derive(Debug, PartialEq, Eq)]
pub struct Unlike {
    platform: String,
    target: String,
    missing: Vec<String>,
    excess: Vec<String>,
    nothing_installed: bool,
}

impl std::error::Error for Unlike {}

impl std::fmt::Display for Unlike {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |packages: &[String]| match packages {
            [] => "nothing".to_owned(),
            some if some.len() <= SHOWN => some.join(", "),
            some => format!("{} and {} more", some[..SHOWN].join(", "), some.len() - SHOWN),
        };
        write!(
            f,
            "the image for `{}` does not have the packages that the lockfile installs there: missing {}; in excess {}",
            self.platform,
            list(&self.missing),
            list(&self.excess)
        )?;
        if self.nothing_installed {
            return f.write_str(
                "; it has no `node_modules` at all: if a bundler puts all of them into the service's own files, write \
                 `dependencies = \"bundled\"` in `[workspace.metadata.release]` of `Cargo.toml`",
            );
        }
        write!(
            f,
            "; install in the Dockerfile with `npm ci --omit=dev {}` and copy nothing else that has a `node_modules`",
            self.target
        )
    }
}

/// The platform of an image in npm's words. Its C library is the one that node is linked with, else that of its loader.
///
/// # Errors
/// When node has no name for the platform.
pub fn target(contents: &Contents) -> Result<Target> {
    let node = contents.node.iter().find_map(|path| {
        let file = contents.elf.iter().find(|file| &file.path == path)?;
        file.elf.libc
    });
    let is_musl = match node {
        Some(libc) => libc == elf::Libc::Musl,
        None => contents.libcs.contains(&elf::Libc::Musl) && !contents.libcs.contains(&elf::Libc::Glibc),
    };
    let platform = Platform::try_from(contents.platform.clone())?;
    Target::new(&platform, if is_musl { Libc::Musl } else { Libc::Glibc })
}

/// Compares. Packages of the base image, and what came within another package's archive, are nothing of the lockfile's.
///
/// # Errors
/// [`Unlike`] when they differ; a [`crate::failure::Refusal`] when the lockfile installs nothing sensible there.
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
        match suffixes(&package.path).find_map(|path| places.get(path)) {
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
        return Ok(held);
    }
    let platform = contents.platform.clone();
    let target = format!("--os={} --cpu={} --libc={}", target.os, target.cpu, target.libc.as_str());
    Err(Unlike { platform, target, missing, excess, nothing_installed: above.count() == 0 }.into())
}

/// The key of a folder beside the service's, such as `../shared`, without the way there.
fn inner(key: &str) -> &str {
    key.trim_start_matches("../")
}

/// The path itself, and what is left of it behind each slash: an image has the service in some folder.
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

#[cfg(test)]
pub(crate) mod tests {
    use super::super::archive::tests::{entry, file};
    use super::super::image::Contents;
    use super::super::image::tests::manifest;
    use super::super::layer::tests::facts;
    use super::check;
    use crate::config::{Dependencies, Folder};
    use crate::lockfile::{self, Lockfile};
    use serde_json::json;

    /// A service with a nested, an aliased, a scoped, an optional and a local package, and a development dependency.
    pub(crate) fn lockfile() -> Lockfile {
        let manifest = json!({
            "name": "service", "dependencies": {"a": "1", "old": "npm:real@4", "@acme/core": "*"},
            "devDependencies": {"d": "2"}, "optionalDependencies": {"o": "1"}, "workspaces": ["packages/*"],
        });
        let mut root = manifest.clone();
        root["version"] = "0.0.0".into();
        let lock = json!({"lockfileVersion": 3, "name": "service", "packages": {
            "": root,
            "node_modules/a": {"version": "1.2.0", "integrity": "sha512-YQ==", "dependencies": {"@s/b": "3"}},
            "node_modules/@s/b": {"version": "2.0.0", "integrity": "sha512-Yg==", "dev": true},
            "node_modules/a/node_modules/@s/b": {"version": "3.0.0", "integrity": "sha512-Yw=="},
            "node_modules/old": {"name": "real", "version": "4.0.0", "integrity": "sha512-ZA=="},
            "node_modules/d": {"version": "2.0.0", "integrity": "sha512-ZQ==", "dev": true, "dependencies": {"@s/b": "2"}},
            "node_modules/o": {"version": "1.0.0", "integrity": "sha512-Zg==", "optional": true},
            "node_modules/@acme/core": {"resolved": "packages/core", "link": true},
            "packages/core": {"name": "@acme/core", "version": "1.0.0"},
        }});
        let (manifest, lock) = (manifest.to_string(), lock.to_string());
        lockfile::check(&Folder::default(), manifest.as_bytes(), lock.as_bytes()).unwrap()
    }

    pub(crate) fn whole() -> Vec<Vec<u8>> {
        vec![
            manifest("srv/app", "service", "0.0.0"),
            manifest("srv/app/node_modules/a", "a", "v1.2.0"),
            manifest("srv/app/node_modules/a/node_modules/@s/b", "@s/b", "3.0.0"),
            manifest("srv/app/node_modules/a/test/node_modules/inside", "inside", "9.0.0"),
            manifest("srv/app/node_modules/old", "real", "4.0.0"),
            manifest("srv/app/node_modules/o", "o", "1.0.0"),
            manifest("srv/app/packages/core", "@acme/core", "1.0.0"),
            entry(b'2', "srv/app/node_modules/@acme/core", "../../packages/core", b""),
        ]
    }

    pub(crate) fn contents(entries: &[Vec<u8>]) -> Contents {
        let base = facts(&[
            manifest("usr/local/lib/node_modules/npm", "npm", "10.0.0"),
            manifest("usr/local/lib/node_modules/npm/node_modules/d", "d", "2.0.0"),
        ]);
        Contents::of("linux/amd64", &[base, facts(entries)], Some(1), None).unwrap()
    }

    fn judge(entries: &[Vec<u8>], dependencies: Dependencies) -> Result<usize, String> {
        let held = check(&contents(entries), &lockfile(), dependencies);
        held.map(|held| held.locked.len()).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn the_lockfile_is_in_the_image_and_nothing_else() {
        assert_eq!(judge(&whole(), Dependencies::Installed), Ok(5));
        let without = |path: &str| {
            let all = whole().into_iter();
            all.filter(|entry| !entry.starts_with(format!("{path}/package.json").as_bytes()))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            judge(&without("srv/app/node_modules/o"), Dependencies::Installed),
            Ok(4),
            "it is optional"
        );
        let error =
            judge(&without("srv/app/node_modules/a/node_modules/@s/b"), Dependencies::Installed).unwrap_err();
        assert!(error.contains("missing `@s/b` 3.0.0 (`node_modules/a/node_modules/@s/b`)"), "{error}");
    }

    #[test]
    fn what_is_in_excess_is_named_with_what_to_write() {
        let cases = [
            (manifest("srv/app/node_modules/d", "d", "2.0.0"), "`d` 2.0.0 (`srv/app/node_modules/d`)"),
            (manifest("srv/app/node_modules/a", "a", "1.2.1"), "missing `a` 1.2.0"),
            (manifest("srv/app/node_modules/a", "another", "1.2.0"), "`another` 1.2.0"),
            (manifest("usr/local/lib/node_modules/pm2", "pm2", "5.0.0"), "`pm2` 5.0.0"),
            (file("srv/app/node_modules/x/package.json", b"{}"), "`without a name` without a version"),
        ];
        for (extra, expected) in cases {
            let error = judge(&[whole(), vec![extra]].concat(), Dependencies::Installed).unwrap_err();
            assert!(error.contains(expected), "expected `{expected}` in: {error}");
            assert!(error.contains("`npm ci --omit=dev --os=linux --cpu=x64 --libc=glibc`"), "{error}");
        }
    }

    #[test]
    fn a_bundled_service_has_what_the_lockfile_says() {
        let bundle = [file("srv/app/main.js", b"")];
        let error = judge(&bundle, Dependencies::Installed).unwrap_err();
        assert!(error.contains("`dependencies = \"bundled\"`"), "{error}");
        let held = check(&contents(&bundle), &lockfile(), Dependencies::Bundled).unwrap();
        let mut names: Vec<_> = held.bundled.iter().map(|locked| locked.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["@acme/core", "@s/b", "a", "o", "real"]);
        let dev = [manifest("srv/app/node_modules/d", "d", "2.0.0")];
        assert!(
            judge(&dev, Dependencies::Bundled).is_err(),
            "what is installed must be the lockfile's here as well"
        );
    }
}
