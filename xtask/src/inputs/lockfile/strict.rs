//! What each entry of the lockfile must say, so that npm can read it in only one way. Entries of development
//! dependencies must follow the same rules, because their scripts and bytes are in the build too.

use std::collections::BTreeMap;

use super::address::{Address, foreign_range};
use super::entry::{Bundle, Entry};
use super::grammar::{is_archive_of_ours, is_in_node_modules, is_integrity, is_name, is_place, is_version};
use super::{Lockfile, bundles, package_name, remedy, write_anew};
use crate::inputs::config::Folder;

/// More findings of one kind help nobody.
const SHOWN: usize = 20;

/// What is wrong with an entry, and how to repair it.
pub(super) struct Wrong(pub(super) String, pub(super) Remedy);

#[derive(Clone, Copy)]
pub(super) enum Remedy {
    /// npm repairs it by itself.
    Again,
    /// npm keeps such an entry until the file is deleted.
    Anew,
    /// Another package is needed.
    Other(&'static str),
}

/// What to type in place of a dependency on an address or a git repository.
pub(super) const PUBLISHED: &str =
    "depend on a published version of it, or commit its archive and write `file:NAME-VERSION.tgz`";

fn again(text: impl Into<String>) -> Wrong {
    Wrong(text.into(), Remedy::Again)
}

fn anew(text: impl Into<String>) -> Wrong {
    Wrong(text.into(), Remedy::Anew)
}

impl Lockfile {
    /// Entries of any kind, development included, that npm could read in more than one way or that pin no bytes.
    pub(super) fn loose(&self, service: &Folder) -> Vec<String> {
        let graph = self.graph();
        let bundled = bundles::of(&self.lock, &graph);
        let reached = graph.reach(|_, _| true);
        let mut found = Vec::new();
        for (path, entry) in &self.lock.packages {
            let bundler = bundled.get(path.as_str()).copied();
            let wrong = if path.is_empty() {
                foreign_ranges(entry, true)
            } else if entry.link {
                self.wrong_link(path, entry)
            } else if is_in_node_modules(path) {
                let is_reached = reached.contains(path.as_str()) || bundler.is_some();
                wrong_package(path, entry, bundler)
                    .or_else(|| (!is_reached).then(|| again("is installed although no package asks for it")))
            } else {
                wrong_folder(entry)
            };
            found.extend(wrong.map(|wrong| in_words(path, &wrong, service)));
        }
        found.extend(self.pinned_twice().map(|(path, wrong)| in_words(path, &wrong, service)));
        shortened(found)
    }

    /// Entries with another archive than an earlier entry with the same name and version. The SBOM identifies both by
    /// name and version, with one hash.
    fn pinned_twice(&self) -> impl Iterator<Item = (&str, Wrong)> {
        let mut first = BTreeMap::new();
        self.lock.packages.iter().filter_map(move |(path, entry)| {
            let (version, integrity) = (entry.version.as_deref()?, entry.integrity.as_deref()?);
            let (other, pinned) =
                *first.entry((package_name(path, entry), version)).or_insert((path.as_str(), integrity));
            let text = || format!("has another integrity than `{other}`, with the same name and version");
            (pinned != integrity).then(|| (path.as_str(), anew(text())))
        })
    }

    fn wrong_link(&self, path: &str, entry: &Entry) -> Option<Wrong> {
        let (above, _) = path.rsplit_once("node_modules/")?;
        if is_in_node_modules(above) {
            return Some(anew("is a link inside of an installed package"));
        }
        match self.lock.target(path, entry) {
            Err(_) => {
                let to = entry.resolved.as_deref().unwrap_or_default();
                Some(anew(format!("is a link to `{to}`, for which there is no entry")))
            }
            Ok(target) if target.is_empty() || is_in_node_modules(target) => {
                Some(anew(format!("is a link to `{target}`, which is not a folder of the service's own")))
            }
            Ok(_) => {
                let has_more =
                    entry.integrity.is_some() || entry.has_shrinkwrap || entry.in_bundle || entry.extraneous;
                has_more.then(|| anew("is a link, and has fields that only an archive has"))
            }
        }
    }
}

pub(super) fn in_words(path: &str, Wrong(text, kind): &Wrong, service: &Folder) -> String {
    let remedy = match kind {
        Remedy::Again => remedy(service),
        Remedy::Anew => write_anew(service),
        Remedy::Other(words) => (*words).to_owned(),
    };
    let entry = if path.is_empty() { "the service".to_owned() } else { format!("`{}`", path.escape_debug()) };
    format!("in `package-lock.json`, {entry} {text}: {remedy}")
}

pub(super) fn shortened(mut found: Vec<String>) -> Vec<String> {
    if found.len() > SHOWN {
        let more = found.len() - SHOWN;
        found.truncate(SHOWN);
        found.push(format!("`package-lock.json` has {more} more entries of this kind"));
    }
    found
}

fn wrong_package(path: &str, entry: &Entry, bundler: Option<&str>) -> Option<Wrong> {
    let name = package_name(path, entry);
    let (_, folder) = path.rsplit_once("node_modules/")?;
    let version = entry.version.as_deref().unwrap_or_default();
    if !is_place(path) {
        return Some(anew("is not at a place where npm looks for a package"));
    }
    if !is_name(&name) || !is_name(folder) {
        return Some(anew(format!("has the name `{}`, which is not a package name", name.escape_debug())));
    }
    if !is_version(version) {
        return Some(anew(format!(
            "has the version `{}`: expected one such as `1.2.3`",
            version.escape_debug()
        )));
    }
    if entry.extraneous {
        return Some(again("is marked `extraneous`: npm installs it, and nothing asks for it"));
    }
    if entry.has_shrinkwrap {
        let text =
            "has `hasShrinkwrap`: npm follows a lockfile inside it, and its packages have no integrity here";
        return Some(Wrong(
            text.to_owned(),
            Remedy::Other("depend on a version of it without `npm-shrinkwrap.json`"),
        ));
    }
    wrong_bundle(entry, bundler)
        .or_else(|| wrong_source(entry, &name, version, bundler))
        .or_else(|| foreign_ranges(entry, false))
}

fn wrong_bundle(entry: &Entry, bundler: Option<&str>) -> Option<Wrong> {
    if entry.bundled_dependencies.is_some() {
        return Some(anew("has `bundledDependencies`, which npm writes as `bundleDependencies`"));
    }
    if matches!(entry.bundle_dependencies, Bundle::All(true)) {
        return Some(anew("has `bundleDependencies` without the names"));
    }
    match bundler {
        None if entry.in_bundle => {
            Some(anew("has `inBundle`, and no package around it lists it in its `bundleDependencies`"))
        }
        // npm fetches the packages that the service itself bundles like all others.
        None | Some("") => None,
        Some(bundler) if !is_in_node_modules(bundler) => Some(Wrong(
            format!("is bundled by `{}`, a folder of the service's own", bundler.escape_debug()),
            Remedy::Other("take it out of that folder's `bundleDependencies`"),
        )),
        Some(bundler) if !entry.in_bundle => Some(anew(format!(
            "lacks `inBundle`: npm takes it from the archive of `{}`, and not from a registry",
            bundler.escape_debug()
        ))),
        Some(_) if entry.integrity.is_some() || entry.resolved.is_some() => {
            Some(anew("has `inBundle` and an archive of its own, which npm does not fetch"))
        }
        Some(_) => None,
    }
}

fn wrong_source(entry: &Entry, name: &str, version: &str, bundler: Option<&str>) -> Option<Wrong> {
    if bundler.is_some_and(|bundler| !bundler.is_empty()) {
        return None;
    }
    if let Some(resolved) = entry.resolved.as_deref() {
        match Address::parse(resolved) {
            Err(_) if is_archive_of_ours(resolved) => {}
            Err(error) => {
                return Some(Wrong(
                    format!("comes from `{}`: {error}", resolved.escape_debug()),
                    Remedy::Other(PUBLISHED),
                ));
            }
            Ok(address) if address.is_of_another(name, version) => {
                return Some(anew(format!(
                    "is `{name}` {version}, and comes from `{resolved}`, which is another package or version"
                )));
            }
            Ok(_) => {}
        }
    }
    let integrity = entry.integrity.as_deref().unwrap_or_default();
    (!is_integrity(integrity)).then(|| {
        anew(format!("has the integrity `{}`: expected one `sha512-` of 64 bytes", integrity.escape_debug()))
    })
}

fn wrong_folder(entry: &Entry) -> Option<Wrong> {
    if entry.extraneous || entry.has_shrinkwrap || entry.in_bundle || entry.integrity.is_some() {
        return Some(anew("is a folder of the service's own, and has fields that only an archive has"));
    }
    foreign_ranges(entry, true)
}

/// A dependency that npm would fetch from git or an address, or, for an installed package, from this machine.
fn foreign_ranges(entry: &Entry, is_ours: bool) -> Option<Wrong> {
    let ranges = &entry.ranges;
    let tables = [
        &ranges.dependencies,
        &ranges.dev_dependencies,
        &ranges.optional_dependencies,
        &ranges.peer_dependencies,
    ];
    tables.into_iter().flatten().find_map(|(name, range)| {
        let why = foreign_range(range)?;
        let is_path = range.starts_with("file:") || range.starts_with(['.', '/']);
        (!(is_ours && is_path)).then(|| {
            Wrong(
                format!("asks for `{}` of `{}`: {why}", range.escape_debug(), name.escape_debug()),
                Remedy::Other(PUBLISHED),
            )
        })
    })
}
