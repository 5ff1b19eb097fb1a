//! What `package-lock.json` says, in formats 2 and 3 (npm 7 and newer): the table `packages` by path. Format 2 has a second
//! table for npm 6, which no npm of today reads.
//! <https://docs.npmjs.com/cli/v10/configuring-npm/package-lock-json>

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use crate::oci::exact;

/// A lockfile larger than this is not one.
const LARGEST: usize = 32 << 20;
/// The largest that we have seen has a tenth of them.
const MOST_ENTRIES: usize = 100_000;
/// npm nests a dozen deep where packages disagree about versions.
const MOST_NESTED: usize = 64;
/// Linux takes no longer path.
const LONGEST_PATH: usize = 4096;

/// The ranges that a package asks for, by the kind of dependency.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Ranges {
    pub(super) dependencies: BTreeMap<String, String>,
    pub(super) dev_dependencies: BTreeMap<String, String>,
    pub(super) optional_dependencies: BTreeMap<String, String>,
    pub(super) peer_dependencies: BTreeMap<String, String>,
    pub(super) peer_dependencies_meta: BTreeMap<String, PeerMeta>,
}

impl Ranges {
    /// `dependencies` without what stands in `optionalDependencies` as well, where npm reads it.
    pub(super) fn needed(&self) -> BTreeMap<String, String> {
        let all =
            self.dependencies.iter().filter(|(name, _)| !self.optional_dependencies.contains_key(*name));
        all.map(|(name, range)| (name.clone(), range.clone())).collect()
    }
}

/// What is said of one peer dependency.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(super) struct PeerMeta {
    pub(super) optional: bool,
}

/// What package.json says of itself, where npm believes it and not the lockfile.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Manifest {
    pub(super) workspaces: Option<Workspaces>,
    #[serde(flatten)]
    pub(super) ranges: Ranges,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Lock {
    pub(super) lockfile_version: u32,
    #[serde(default)]
    pub(super) packages: BTreeMap<String, Entry>,
}

/// One path of the table.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Entry {
    /// Set where the folder's name is not the package's: an alias, a workspace.
    pub(super) name: Option<String>,
    pub(super) version: Option<String>,
    /// An address, or the folder that a link leads to.
    pub(super) resolved: Option<String>,
    pub(super) integrity: Option<String>,
    /// Whatever the package has there: an expression, or an object with its `type`, as npm once had it.
    pub(super) license: Option<serde_json::Value>,
    pub(super) link: bool,
    /// npm's own marks: held against what a walk from the root says, see `marks.rs`.
    pub(super) dev: bool,
    pub(super) optional: bool,
    pub(super) dev_optional: bool,
    /// Nothing asks for it.
    pub(super) extraneous: bool,
    /// Comes inside another package's archive, whose integrity covers it.
    pub(super) in_bundle: bool,
    /// The names of what its archive brings along.
    pub(super) bundle_dependencies: Bundle,
    /// Another spelling of that, which npm's lockfiles do not have.
    pub(super) bundled_dependencies: Option<Bundle>,
    /// Its archive has a lockfile of its own, which npm follows.
    pub(super) has_shrinkwrap: bool,
    pub(super) has_install_script: bool,
    pub(super) os: Words,
    pub(super) cpu: Words,
    pub(super) libc: Words,
    /// Of the root alone.
    pub(super) workspaces: Option<Workspaces>,
    #[serde(flatten)]
    pub(super) ranges: Ranges,
}

/// One word or a list of them.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Words {
    One(String),
    Many(Vec<String>),
}

impl Default for Words {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl Words {
    pub(super) fn list(&self) -> &[String] {
        match self {
            Self::One(word) => std::slice::from_ref(word),
            Self::Many(words) => words,
        }
    }
}

/// The names of what a package's archive brings along, or whether it brings all that it asks for.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Bundle {
    Names(Vec<String>),
    All(bool),
}

impl Default for Bundle {
    fn default() -> Self {
        Self::All(false)
    }
}

/// The patterns of folders that are workspaces.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(untagged)]
pub(super) enum Workspaces {
    Patterns(Vec<String>),
    Table { packages: Vec<String> },
}

impl Workspaces {
    pub(super) fn patterns(&self) -> &[String] {
        match self {
            Self::Patterns(patterns) | Self::Table { packages: patterns } => patterns,
        }
    }
}

impl Lock {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        ensure!(bytes.len() <= LARGEST, "`package-lock.json` is larger than {LARGEST} bytes");
        let lock: Self = exact::parse(bytes).context("reading `package-lock.json`")?;
        let entries = lock.packages.len();
        ensure!(
            entries <= MOST_ENTRIES,
            "`package-lock.json` has {entries} entries: expected {MOST_ENTRIES} at most"
        );
        for path in lock.packages.keys() {
            ensure!(
                path.len() <= LONGEST_PATH && path.matches("node_modules/").count() <= MOST_NESTED,
                "`package-lock.json` has an entry whose path has {} bytes or is nested more than {MOST_NESTED} deep",
                path.len()
            );
            ensure!(is_plain(path), "`package-lock.json` has an entry for `{path}`, which is no plain path");
        }
        Ok(lock)
    }

    /// Where a link leads: the path of the entry that holds what is linked.
    pub(super) fn target(&self, path: &str, link: &Entry) -> Result<&str> {
        let resolved = link.resolved.as_deref().unwrap_or_default().trim_end_matches('/');
        match self.packages.get_key_value(resolved) {
            Some((target, entry)) if !entry.link => Ok(target),
            _ => bail!(
                "`package-lock.json` has a link `{path}` to `{resolved}`, for which it has no entry; run `npm install --package-lock-only` and commit the result"
            ),
        }
    }
}

/// Relative, with `..` at the beginning at most.
fn is_plain(path: &str) -> bool {
    let mut components = path.split('/').skip_while(|component| *component == "..");
    let ordinary = |component: &str| {
        !matches!(component, "" | "." | "..") && !component.contains(|c: char| c.is_control() || c == '\\')
    };
    path.is_empty() || components.all(ordinary)
}
