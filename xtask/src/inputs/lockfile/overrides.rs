//! The `overrides` of the service's package.json. The lockfile does not repeat them, and `npm ci` refuses one that does
//! not follow them (docs/facts.md, "Overrides"). Only what is plain is compared here: one exact version for every place
//! of a package.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::entry::Lock;
use super::grammar::{is_name, is_version};
use super::{Lockfile, folder_name, graph, out_of_sync};
use crate::inputs::config::Folder;
use crate::process::shown::few;

/// More names in one message help nobody.
const SHOWN: usize = 8;

/// What is installed in place of the versions that packages ask for.
pub(super) type Overrides = BTreeMap<String, Override>;

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Override {
    Version(String),
    /// For the package itself under the key `.`, and for what is below it.
    Below(Overrides),
    /// Anything else, which is npm's to judge.
    Other(IgnoredAny),
}

impl Override {
    /// What stands at the top: one override for each name.
    pub(super) fn into_all(self) -> Overrides {
        match self {
            Self::Below(all) => all,
            Self::Version(_) | Self::Other(_) => Overrides::new(),
        }
    }
}

impl Lockfile {
    /// How the lockfile differs from an override.
    pub(super) fn against_overrides(&self, service: &Folder) -> Option<String> {
        let difference = plain(&self.overrides).find_map(|(name, version)| unlike(&self.lock, name, version));
        difference.map(|difference| out_of_sync("package.json", &difference, service))
    }

    /// A note about the overrides that only npm can compare with the lockfile.
    #[must_use]
    pub fn open_overrides(&self, service: &Folder) -> Option<String> {
        let plain: Vec<_> = plain(&self.overrides).map(|(name, _)| name).collect();
        let open = self.overrides.keys().filter(|name| !plain.contains(&name.as_str()));
        let names: Vec<_> = open.map(|name| format!("`{}`", name.escape_debug())).collect();
        let names = few(names, SHOWN)?;
        Some(format!(
            "`package.json` has `overrides` for {names}, which only npm can compare with the lockfile; run `npm ci --dry-run` {}",
            service.in_words()
        ))
    }
}

/// The overrides by an exact version that hold wherever the package is: no other one names it.
fn plain(overrides: &Overrides) -> impl Iterator<Item = (&str, &str)> {
    let mut mentions = BTreeMap::new();
    count(overrides, &mut mentions);
    overrides.iter().filter_map(move |(name, asked)| {
        let version = match asked {
            Override::Version(version) => version,
            Override::Below(below) => match below.get(".")? {
                Override::Version(version) if below.len() == 1 => version,
                _ => return None,
            },
            Override::Other(_) => return None,
        };
        let is_plain = is_name(name) && is_version(version) && mentions.get(name.as_str()) == Some(&1);
        is_plain.then_some((name.as_str(), version.as_str()))
    })
}

/// Counts how often each package is named, with or without versions: `name`, `name@^1`.
fn count<'a>(overrides: &'a Overrides, mentions: &mut BTreeMap<&'a str, usize>) {
    for (key, asked) in overrides {
        let scope = usize::from(key.starts_with('@'));
        let name = key[scope..].find('@').map_or(key.as_str(), |at| &key[..scope + at]);
        *mentions.entry(name).or_default() += 1;
        if let Override::Below(below) = asked {
            count(below, mentions);
        }
    }
}

/// An archive may bundle any version, and npm leaves it as it is.
fn unlike(lock: &Lock, name: &str, version: &str) -> Option<String> {
    let of_it = lock.packages.iter().filter(|(path, entry)| {
        let is_installed = graph::is_in_node_modules(path) && !entry.link && !entry.in_bundle;
        is_installed && entry.name.is_none() && folder_name(path) == name
    });
    let mut others = of_it.filter(|(_, entry)| entry.version.as_deref() != Some(version));
    others.next().map(|(path, entry)| {
        let locked = entry.version.as_deref().unwrap_or_default();
        format!(
            "`overrides` ask for `{version}` of `{name}`, the lockfile has `{}` at `{}`",
            locked.escape_debug(),
            path.escape_debug()
        )
    })
}
