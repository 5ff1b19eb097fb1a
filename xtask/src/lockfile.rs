//! `package-lock.json` held against `package.json`, and the production set that an SBOM must list.
//! Lockfile format 3 (npm 7 and newer), <https://docs.npmjs.com/cli/v10/configuring-npm/package-lock-json>.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::refuse;

/// A lockfile larger than this is not one.
const LARGEST: usize = 32 << 20;

/// The ranges that a package asks for, by the kind of dependency.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
struct Ranges {
    dependencies: BTreeMap<String, String>,
    dev_dependencies: BTreeMap<String, String>,
    optional_dependencies: BTreeMap<String, String>,
    peer_dependencies: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Lock {
    lockfile_version: u32,
    packages: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    /// Set where the folder's name is not the package's: an alias.
    name: Option<String>,
    version: Option<String>,
    integrity: Option<String>,
    #[serde(default)]
    dev: bool,
    #[serde(default)]
    link: bool,
    /// Comes inside another package's archive, whose integrity covers it.
    #[serde(default)]
    in_bundle: bool,
    #[serde(flatten)]
    ranges: Ranges,
}

/// One package of the production set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    /// Such as `fastify` or `@fastify/cors`.
    pub name: String,
    /// Its exact version.
    pub version: String,
}

/// A lockfile that agrees with its package.json.
pub struct Lockfile {
    /// What `npm ci --omit=dev` installs on some platform.
    pub production: BTreeSet<Package>,
}

/// Compares what the lockfile was made for with what package.json asks for now. npm itself lets a changed range pass as
/// long as the locked version satisfies it.
///
/// # Errors
/// A [`crate::failure::Refusal`] when they disagree or a package has no integrity; other errors when they cannot be read.
pub fn check(package_json: &[u8], package_lock: &[u8]) -> Result<Lockfile> {
    ensure!(package_lock.len() <= LARGEST, "`package-lock.json` is larger than {LARGEST} bytes");
    let manifest: Ranges = serde_json::from_slice(package_json).context("reading `package.json`")?;
    let lock: Lock = serde_json::from_slice(package_lock).context("reading `package-lock.json`")?;
    compare(&manifest, &lock)
}

fn compare(manifest: &Ranges, lock: &Lock) -> Result<Lockfile> {
    if lock.lockfile_version != 3 {
        refuse!(
            "`package-lock.json` has format {}: expected 3; run `npm install --package-lock-only --lockfile-version=3` and commit it",
            lock.lockfile_version
        );
    }
    let root = lock.packages.get("").context("`package-lock.json` has no entry for the package itself")?;
    if let Some(difference) = difference(manifest, &root.ranges) {
        refuse!(
            "`package-lock.json` is out of sync with `package.json`: {difference}; \
             run `npm install --package-lock-only` in `service/` and commit the result"
        );
    }
    let mut production = BTreeSet::new();
    for (path, entry) in &lock.packages {
        let Some(folder) = path.rsplit_once("node_modules/").map(|(_, folder)| folder) else { continue };
        if entry.dev || entry.link {
            continue;
        }
        let name = entry.name.clone().unwrap_or_else(|| folder.to_owned());
        let version = entry
            .version
            .clone()
            .with_context(|| format!("`package-lock.json` has no version for `{path}`"))?;
        if entry.integrity.is_none() && !entry.in_bundle {
            refuse!(
                "`package-lock.json` has no integrity for `{name}` {version}: what is installed could change"
            );
        }
        production.insert(Package { name, version });
    }
    Ok(Lockfile { production })
}

/// The first range that the two do not share, in words.
fn difference(manifest: &Ranges, locked: &Ranges) -> Option<String> {
    let kinds = [
        ("dependencies", &manifest.dependencies, &locked.dependencies),
        ("devDependencies", &manifest.dev_dependencies, &locked.dev_dependencies),
        ("optionalDependencies", &manifest.optional_dependencies, &locked.optional_dependencies),
        ("peerDependencies", &manifest.peer_dependencies, &locked.peer_dependencies),
    ];
    for (kind, asked, locked) in kinds {
        for name in asked.keys().chain(locked.keys()) {
            let (asked, locked) = (asked.get(name), locked.get(name));
            if asked != locked {
                let show =
                    |range: Option<&String>| range.map_or("nothing".to_owned(), |range| format!("`{range}`"));
                return Some(format!(
                    "{kind} ask for {} of `{name}`, the lockfile was made for {}",
                    show(asked),
                    show(locked)
                ));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::check;
    use serde_json::{Value, json};

    fn manifest() -> Value {
        json!({"name": "service", "dependencies": {"a": "^1.0.0"}, "devDependencies": {"d": "2.0.0"}})
    }

    fn lock() -> Value {
        json!({"lockfileVersion": 3, "packages": {
            "": {"name": "service", "dependencies": {"a": "^1.0.0"}, "devDependencies": {"d": "2.0.0"}},
            "node_modules/a": {"version": "1.2.0", "integrity": "sha512-x", "dependencies": {"@s/b": "*"}},
            "node_modules/a/node_modules/@s/b": {"version": "3.0.0", "integrity": "sha512-x"},
            "node_modules/alias": {"name": "real", "version": "4.0.0", "integrity": "sha512-x", "optional": true},
            "node_modules/d": {"version": "2.0.0", "integrity": "sha512-x", "dev": true},
        }})
    }

    fn run(manifest: &Value, lock: &Value) -> anyhow::Result<Vec<String>> {
        let lockfile = check(manifest.to_string().as_bytes(), lock.to_string().as_bytes())?;
        Ok(lockfile
            .production
            .into_iter()
            .map(|package| format!("{}@{}", package.name, package.version))
            .collect())
    }

    #[test]
    fn the_production_set_has_nested_scoped_and_aliased_packages_but_no_dev_ones() {
        assert_eq!(run(&manifest(), &lock()).unwrap(), ["@s/b@3.0.0", "a@1.2.0", "real@4.0.0"]);
    }

    #[test]
    fn disagreement_is_refused_in_both_directions_and_every_kind() {
        type Change = fn(&mut Value, &mut Value);
        let cases: [(Change, &str); 6] = [
            (|m, _| m["dependencies"]["a"] = "^1.1.0".into(), "ask for `^1.1.0` of `a`"),
            (|m, _| m["dependencies"]["new"] = "1".into(), "of `new`"),
            (|m, _| m["dependencies"] = json!({}), "ask for nothing of `a`"),
            (|m, _| m["devDependencies"]["d"] = "2.0.1".into(), "devDependencies"),
            (|_, l| l["lockfileVersion"] = 1.into(), "format 1"),
            (|_, l| l["packages"]["node_modules/a"]["integrity"] = Value::Null, "no integrity for `a`"),
        ];
        for (change, expected) in cases {
            let (mut manifest, mut lock) = (manifest(), lock());
            change(&mut manifest, &mut lock);
            let error = run(&manifest, &lock).unwrap_err();
            assert_eq!(crate::failure::exit_code(&error), 3, "{error:#}");
            assert!(format!("{error:#}").contains(expected), "expected `{expected}` in: {error:#}");
        }
    }
}
