//! The contents of `package-lock.json` in formats 2 and 3 (npm 7 and newer): the table `packages` by path. Format 2 has
//! a second table for npm 6, which no current npm reads.
//! <https://docs.npmjs.com/cli/v10/configuring-npm/package-lock-json>

use std::collections::BTreeMap;

use anyhow::{Result, bail, ensure};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::overrides::Override;
use crate::oci::exact;

/// The largest lockfile, in bytes. No real one is larger.
const MAX_SIZE: usize = 32 << 20;
/// The largest `package.json`, in bytes: a real one has a few kilobytes.
pub const MAX_MANIFEST_SIZE: usize = 1 << 20;
/// The maximum number of entries. The largest lockfile that we have seen has a tenth of it.
const MAX_ENTRIES: usize = 100_000;
/// npm nests a dozen levels deep when packages disagree about versions.
const MAX_NESTED: usize = 64;
/// In bytes. Linux accepts no longer path.
const MAX_PATH_LEN: usize = 4096;

/// The version ranges of a package's dependencies, by their kind.
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
    /// `dependencies` without those that are also in `optionalDependencies`, because npm reads those there.
    pub(super) fn needed(&self) -> BTreeMap<String, String> {
        let all =
            self.dependencies.iter().filter(|(name, _)| !self.optional_dependencies.contains_key(*name));
        all.map(|(name, range)| (name.clone(), range.clone())).collect()
    }
}

/// The properties of one peer dependency.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(super) struct PeerMeta {
    pub(super) optional: bool,
}

/// The parts of package.json that npm reads there and not in the lockfile.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Manifest {
    pub(super) workspaces: Option<Workspaces>,
    pub(super) overrides: Option<Override>,
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

/// One entry of the table.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Entry {
    /// Set if the folder does not have the package's name: an alias or a workspace.
    pub(super) name: Option<String>,
    pub(super) version: Option<String>,
    /// An address, or the folder to which a link points.
    pub(super) resolved: Option<String>,
    pub(super) integrity: Option<String>,
    /// Whatever the package has: an expression, or in npm's older style an object with a `type`.
    pub(super) license: Option<serde_json::Value>,
    pub(super) link: bool,
    /// npm's own marks. They are checked by a walk from the root, see `marks.rs`.
    pub(super) dev: bool,
    pub(super) optional: bool,
    pub(super) dev_optional: bool,
    /// Whether no package depends on it.
    pub(super) extraneous: bool,
    /// Whether it is bundled in another package's archive, whose integrity covers it.
    pub(super) in_bundle: bool,
    /// The names of the packages that its archive bundles.
    pub(super) bundle_dependencies: Bundle,
    /// Another spelling of the same key, which npm's lockfiles do not have.
    pub(super) bundled_dependencies: Option<Bundle>,
    /// Whether its archive has a lockfile of its own, which npm follows.
    pub(super) has_shrinkwrap: bool,
    pub(super) has_install_script: bool,
    pub(super) os: Words,
    pub(super) cpu: Words,
    pub(super) libc: Words,
    /// Only in the root.
    pub(super) workspaces: Option<Workspaces>,
    #[serde(flatten)]
    pub(super) ranges: Ranges,
}

/// One word or a list of words.
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

/// The names of the packages that an archive bundles, or whether it bundles all of its dependencies.
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

/// The patterns of workspace folders.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(untagged)]
pub(super) enum Workspaces {
    Patterns(Vec<String>),
    Table {
        packages: Vec<String>,
    },
    /// Anything else, which only a dependency may have: npm does not read it there.
    Other(IgnoredAny),
}

impl Workspaces {
    pub(super) fn patterns(&self) -> &[String] {
        match self {
            Self::Patterns(patterns) | Self::Table { packages: patterns } => patterns,
            Self::Other(_) => &[],
        }
    }
}

impl Lock {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        ensure!(bytes.len() <= MAX_SIZE, "`package-lock.json` is larger than {MAX_SIZE} bytes");
        let lock: Self = exact::parse_as_spelled(without_mark(bytes))?;
        let entries = lock.packages.len();
        ensure!(
            entries <= MAX_ENTRIES,
            "`package-lock.json` has {entries} entries: expected {MAX_ENTRIES} at most"
        );
        for path in lock.packages.keys() {
            ensure!(
                path.len() <= MAX_PATH_LEN && path.matches("node_modules/").count() <= MAX_NESTED,
                "`package-lock.json` has an entry whose path has {} bytes or is nested more than {MAX_NESTED} deep",
                path.len()
            );
            ensure!(
                is_plain(path),
                "`package-lock.json` has an entry for `{path}`, which is not a plain path"
            );
        }
        Ok(lock)
    }

    /// The target of a link: the path of the entry for the linked folder.
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

/// Reads a `package.json`.
///
/// # Errors
/// When it is larger than [`MAX_MANIFEST_SIZE`], or not JSON of that form.
pub fn manifest<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    ensure!(
        bytes.len() <= MAX_MANIFEST_SIZE,
        "it has {} bytes, and {MAX_MANIFEST_SIZE} are expected at most",
        bytes.len()
    );
    Ok(serde_json::from_slice(without_mark(bytes))?)
}

/// JSON without a byte order mark at its beginning, which npm 10.9 and 11.19 skip in a lockfile and in a `package.json`
/// (`json-parse-even-better-errors`).
#[must_use]
pub fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// Whether the path is relative, with `..` only at the beginning.
fn is_plain(path: &str) -> bool {
    let mut components = path.split('/').skip_while(|component| *component == "..");
    let ordinary = |component: &str| {
        !matches!(component, "" | "." | "..") && !component.contains(|c: char| c.is_control() || c == '\\')
    };
    path.is_empty() || components.all(ordinary)
}
