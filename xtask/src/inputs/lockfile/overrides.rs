//! The `overrides` of the service's package.json. The lockfile does not repeat them, and `npm ci` refuses a lockfile
//! that does not follow them (docs/facts.md, "Overrides"). Only plain overrides are compared here: one exact version
//! for every place of a package.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::entry::{Entry, Lock};
use super::grammar::{is_in_node_modules, is_name, is_version};
use super::{Lockfile, folder_name, out_of_sync};
use crate::inputs::config::Folder;
use crate::process::shown::few;

/// More names in one message help nobody.
const SHOWN: usize = 8;

/// What is installed in place of the versions that packages request.
pub(super) type Overrides = BTreeMap<String, Override>;

#[derive(Debug)]
pub(super) enum Override {
    Version(String),
    /// For the package itself under the key `.`, and for what is below it.
    Below(Overrides),
    /// Anything else, which only npm can judge.
    Other,
}

/// Written by hand: serde's own `untagged` would keep a copy of everything for each level of nesting.
impl<'de> Deserialize<'de> for Override {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyForm)
    }
}

struct AnyForm;

impl<'de> Visitor<'de> for AnyForm {
    type Value = Override;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_str<E>(self, version: &str) -> Result<Override, E> {
        Ok(Override::Version(version.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Override, A::Error> {
        Overrides::deserialize(MapAccessDeserializer::new(map)).map(Override::Below)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Override, A::Error> {
        IgnoredAny.visit_seq(list).map(|_| Override::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Override, E> {
        Ok(Override::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Override, E> {
        Ok(Override::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Override, E> {
        Ok(Override::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Override, E> {
        Ok(Override::Other)
    }

    fn visit_unit<E>(self) -> Result<Override, E> {
        Ok(Override::Other)
    }
}

impl Override {
    /// The overrides at the top level, by name.
    pub(super) fn into_all(self) -> Overrides {
        match self {
            Self::Below(all) => all,
            Self::Version(_) | Self::Other => Overrides::new(),
        }
    }
}

impl Lockfile {
    /// How the lockfile differs from an override.
    pub(super) fn against_overrides(&self, service: &Folder) -> Option<String> {
        let installed = installed(&self.lock);
        let difference =
            plain(&self.overrides).find_map(|(name, version)| unlike(installed.get(name)?, name, version));
        difference.map(|difference| out_of_sync("package.json", &difference, service))
    }

    /// A note about the overrides that only npm can compare with the lockfile.
    #[must_use]
    pub fn open_overrides(&self, service: &Folder) -> Option<String> {
        let plain: BTreeSet<_> = plain(&self.overrides).map(|(name, _)| name).collect();
        let open = self.overrides.keys().filter(|name| !plain.contains(name.as_str()));
        let names: Vec<_> = open.map(|name| format!("`{}`", name.escape_debug())).collect();
        let names = few(names, SHOWN)?;
        Some(format!(
            "`package.json` has `overrides` for {names}, which only npm can compare with the lockfile; run `npm ci --dry-run` {}",
            service.in_words()
        ))
    }
}

/// The overrides with an exact version that apply wherever the package is, because no other one names it.
fn plain(overrides: &Overrides) -> impl Iterator<Item = (&str, &str)> {
    let mut mentions = BTreeMap::new();
    count(overrides, &mut mentions);
    overrides.iter().filter_map(move |(name, wanted)| {
        let version = match wanted {
            Override::Version(version) => version,
            Override::Below(below) => match below.get(".")? {
                Override::Version(version) if below.len() == 1 => version,
                _ => return None,
            },
            Override::Other => return None,
        };
        let is_plain = is_name(name) && is_version(version) && mentions.get(name.as_str()) == Some(&1);
        is_plain.then_some((name.as_str(), version.as_str()))
    })
}

/// Counts how often each package is named, with or without versions: `name`, `name@^1`.
fn count<'a>(overrides: &'a Overrides, mentions: &mut BTreeMap<&'a str, usize>) {
    for (key, wanted) in overrides {
        let scope = usize::from(key.starts_with('@'));
        let name = key[scope..].find('@').map_or(key.as_str(), |at| &key[..scope + at]);
        *mentions.entry(name).or_default() += 1;
        if let Override::Below(below) = wanted {
            count(below, mentions);
        }
    }
}

/// The installed packages by name. An archive may bundle any version, and npm leaves it as it is.
fn installed(lock: &Lock) -> BTreeMap<&str, Vec<(&str, &Entry)>> {
    let mut installed = BTreeMap::<_, Vec<_>>::new();
    for (path, entry) in &lock.packages {
        if is_in_node_modules(path) && !entry.link && !entry.in_bundle && entry.name.is_none() {
            installed.entry(folder_name(path)).or_default().push((path.as_str(), entry));
        }
    }
    installed
}

fn unlike(of_it: &[(&str, &Entry)], name: &str, version: &str) -> Option<String> {
    let other = of_it.iter().find(|(_, entry)| entry.version.as_deref() != Some(version));
    other.map(|(path, entry)| {
        let locked = entry.version.as_deref().unwrap_or_default();
        format!(
            "`overrides` ask for `{version}` of `{name}`, the lockfile has `{}` at `{}`",
            locked.escape_debug(),
            path.escape_debug()
        )
    })
}
