//! What `package-lock.json` says, in formats 2 and 3 (npm 7 and newer): the table `packages` by path. Format 2 has a second
//! table for npm 6, which no npm of today reads.
//! <https://docs.npmjs.com/cli/v10/configuring-npm/package-lock-json>

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

/// A lockfile larger than this is not one.
const LARGEST: usize = 32 << 20;

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
    pub(super) link: bool,
    /// npm's own mark, which has been wrong: nothing is refused for it.
    pub(super) dev: bool,
    /// Comes inside another package's archive, whose integrity covers it.
    pub(super) in_bundle: bool,
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

/// The patterns of folders that are workspaces.
#[derive(Debug, Deserialize)]
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
        let lock: Self = serde_json::from_slice(bytes).context("reading `package-lock.json`")?;
        for path in lock.packages.keys() {
            ensure!(is_plain(path), "`package-lock.json` has an entry for `{path}`, which is no plain path");
        }
        Ok(lock)
    }

    /// Where a link leads: the path of the entry that holds what is linked.
    pub(super) fn target(&self, path: &str, link: &Entry) -> Result<&str> {
        let resolved = link.resolved.as_deref().unwrap_or_default().trim_end_matches('/');
        match self.packages.get_key_value(resolved) {
            Some((target, entry)) if !entry.link => Ok(target),
            _ => bail!("`package-lock.json` has a link `{path}` to `{resolved}`, for which it has no entry"),
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
