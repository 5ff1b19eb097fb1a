//! What npm reads from the repository itself, in addition to the lockfile and the `package.json` beside it.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};

use super::entry::Lock;
use super::grammar::is_archive_of_ours;
use super::is_local;

/// Paths relative to the service's folder, as in the lockfile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Local {
    /// The folders of workspaces and of `file:` dependencies. npm reads the `package.json` of each, and links to it.
    pub folders: BTreeSet<String>,
    /// The archives of `file:` dependencies.
    pub archives: BTreeSet<String>,
}

impl Local {
    /// Reads `package-lock.json`.
    ///
    /// # Errors
    /// When it is not a lockfile.
    pub fn read(package_lock: &[u8]) -> Result<Self> {
        let lock = Lock::parse(package_lock)
            .context("reading `package-lock.json`; `npm install --package-lock-only` writes it anew")?;
        let resolved = lock.packages.values().filter_map(|entry| entry.resolved.as_deref());
        let archives = resolved.filter(|resolved| is_archive_of_ours(resolved));
        Ok(Self {
            archives: archives.map(|resolved| resolved.replacen("file:", "", 1)).collect(),
            folders: lock.packages.into_keys().filter(|path| is_local(path)).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Local;

    #[test]
    fn folders_and_archives_of_the_repository_are_separated_from_packages() {
        let lock = json!({"lockfileVersion": 3, "packages": {
            "": {"workspaces": ["packages/*"]},
            "packages/core": {"name": "core"},
            "../shared": {},
            "node_modules/core": {"resolved": "packages/core", "link": true},
            "packages/core/node_modules/a": {"resolved": "https://registry.npmjs.org/a/-/a-1.0.0.tgz"},
            "node_modules/b": {"resolved": "file:vendor/b-1.0.0.tgz"},
            "node_modules/c": {"resolved": "file:../c"},
        }});
        let found = Local::read(lock.to_string().as_bytes()).unwrap();
        assert!(found.folders.iter().eq(["../shared", "packages/core"]), "{found:?}");
        assert!(found.archives.iter().eq(["vendor/b-1.0.0.tgz"]), "{found:?}");
        assert!(Local::read(b"{").is_err());
    }
}
