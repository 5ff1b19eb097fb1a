//! The packages that a lockfile pins for production, by name, to compare two releases. Only the rules of the format
//! apply: a release is compared whether or not it would be allowed today.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::edges::Edges;
use super::entry::Lock;
use super::grammar::is_in_node_modules;
use super::graph::Graph;
use super::package_name;

/// The versions of each package, by its own name: hostile input.
pub type Versions = BTreeMap<String, BTreeSet<String>>;

/// The packages that production installs on any platform.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pinned {
    /// All packages.
    pub versions: Versions,
    /// The names of the direct dependencies of the service, a workspace or another folder of the repository.
    pub direct: BTreeSet<String>,
    /// What the packages say about their licences: hostile input.
    pub licenses: BTreeSet<String>,
}

impl Pinned {
    /// Reads `package-lock.json`.
    ///
    /// # Errors
    /// When it is not a lockfile of format 2 or 3, or needs a package for which it has no entry.
    pub fn read(package_lock: &[u8]) -> Result<Self> {
        let lock = Lock::parse(package_lock).context("reading `package-lock.json`")?;
        ensure!(
            matches!(lock.lockfile_version, 2 | 3),
            "`package-lock.json` has format {}",
            lock.lockfile_version
        );
        let graph = Graph::new(&lock, &Edges::of(&lock)?);
        let production = graph.production();
        let name = |path: &str| package_name(path, &lock.packages[path]);
        let mut pinned = Self::default();
        for path in production.iter().filter(|path| is_in_node_modules(path)) {
            pinned.versions.entry(name(path)).or_default().extend(lock.packages[*path].version.clone());
            pinned.licenses.extend(lock.packages[*path].license.as_ref().and_then(license));
        }
        let folders = production.iter().copied().filter(|path| !is_in_node_modules(path));
        for folder in folders.chain([""]) {
            let direct = graph.needed_by(folder).filter(|path| is_in_node_modules(path));
            pinned.direct.extend(direct.map(name));
        }
        Ok(pinned)
    }
}

/// The license in a package's entry or `package.json`: an expression, or in npm's older style an object with a `type`.
#[must_use]
pub fn license(value: &Value) -> Option<String> {
    let text = value.as_str().or_else(|| value.get("type")?.as_str())?;
    Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Pinned;

    #[test]
    fn production_packages_are_read_with_versions_licences_and_which_are_direct() {
        let lock = json!({"lockfileVersion": 3, "packages": {
            "": {"dependencies": {"a": "1", "alias": "npm:@s/real@1", "local": "file:local"}, "devDependencies": {"tool": "1"}},
            "local": {"version": "0.0.0", "dependencies": {"c": "1"}, "devDependencies": {"tool": "1"}},
            "node_modules/local": {"resolved": "local", "link": true},
            "node_modules/a": {"version": "1.0.0", "dependencies": {"b": "1"}},
            "node_modules/a/node_modules/b": {"version": "1.5.0"},
            "node_modules/alias": {"name": "@s/real", "version": "1.2.0", "license": [7]},
            "node_modules/b": {"version": "2.0.0", "license": {"type": "ISC", "url": "x"}},
            "node_modules/c": {"version": "3.0.0", "license": "(MIT OR Apache-2.0)", "dependencies": {"b": "2"}},
            "node_modules/tool": {"version": "9.0.0", "dev": true, "license": "GPL-3.0"},
        }});
        let read = |lock: &serde_json::Value| Pinned::read(lock.to_string().as_bytes());
        let pinned = read(&lock).unwrap();
        let versions = |name: &str| pinned.versions[name].iter().map(String::as_str).collect::<Vec<_>>();
        assert_eq!(pinned.versions.keys().collect::<Vec<_>>(), ["@s/real", "a", "b", "c"]);
        assert_eq!((versions("a"), versions("b")), (vec!["1.0.0"], vec!["1.5.0", "2.0.0"]));
        assert_eq!(pinned.direct.iter().collect::<Vec<_>>(), ["@s/real", "a", "c"]);

        assert_eq!(pinned.licenses.iter().collect::<Vec<_>>(), ["(MIT OR Apache-2.0)", "ISC"]);

        let mut old = lock.clone();
        old["lockfileVersion"] = json!(1);
        let mut torn = lock;
        torn["packages"].as_object_mut().unwrap().remove("node_modules/a");
        assert!(read(&old).is_err() && read(&torn).is_err() && Pinned::read(b"{").is_err());
    }
}
