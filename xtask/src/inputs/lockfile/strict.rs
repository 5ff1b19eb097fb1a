//! What each entry of the lockfile must say, so that npm can take it in one way only. Entries of tools are held to the same:
//! their scripts and bytes are in the build as much as any.

use std::collections::BTreeMap;

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::address::{Address, Registries, foreign_range};
use super::entry::{Bundle, Entry};
use super::graph::{Graph, is_in_node_modules};
use super::{Lockfile, bundles, package_name, remedy, write_anew};
use crate::inputs::config::Folder;

/// More findings of one kind help nobody.
const SHOWN: usize = 20;

/// What is wrong with an entry, and whether npm has to write the file anew to repair it.
struct Wrong(String, Remedy);

#[derive(Clone, Copy)]
enum Remedy {
    /// npm repairs it by itself.
    Again,
    /// npm keeps such an entry until the file is gone.
    Anew,
    /// The package has to be another one.
    Other(&'static str),
}

const PUBLISHED: Remedy = Remedy::Other("depend on a published version of it");

fn again(text: impl Into<String>) -> Wrong {
    Wrong(text.into(), Remedy::Again)
}

fn anew(text: impl Into<String>) -> Wrong {
    Wrong(text.into(), Remedy::Anew)
}

impl Lockfile {
    /// Entries that npm could take in more ways than one, or that pin no bytes: of every kind, tools included.
    ///
    /// # Errors
    /// As [`Lockfile::installed`].
    pub(super) fn loose(&self, service: &Folder) -> Result<Vec<String>> {
        let graph = Graph::new(&self.lock)?;
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
                wrong_package(path, entry, bundler).or_else(|| {
                    (!is_reached).then(|| again("is installed for nothing: no package asks for it"))
                })
            } else {
                wrong_folder(entry)
            };
            found.extend(wrong.map(|wrong| in_words(path, &wrong, service)));
        }
        Ok(shortened(found))
    }

    /// Entries from elsewhere than the configuration's registries; and a note that names the one host where the
    /// configuration names none.
    #[must_use]
    pub fn elsewhere(&self, service: &Folder, registries: &Registries) -> (Vec<String>, Option<String>) {
        let (mut found, mut hosts) = (Vec::new(), BTreeMap::<&str, (usize, &str)>::new());
        for (path, entry) in
            self.lock.packages.iter().filter(|(path, entry)| !entry.link && is_in_node_modules(path))
        {
            // What is no address at all is named by `problems`.
            let Some(Ok(address)) = entry.resolved.as_deref().map(Address::parse) else { continue };
            if !registries.trust(&address) {
                let wrong = Wrong(
                    format!("comes from `{}`, without TLS", address.host),
                    Remedy::Other("have its registry speak `https`, or name the host in `plain-http`"),
                );
                found.push(in_words(path, &wrong, service));
            } else if !registries.have(&address) {
                let wrong = Wrong(
                    format!("comes from `{}`, which is below none of `npm-registries`", address.host),
                    Remedy::Other("take it from one of those, or name its registry there"),
                );
                found.push(in_words(path, &wrong, service));
            }
            hosts.entry(address.host).or_insert((0, path)).0 += 1;
        }
        let mut note = None;
        if registries.named.is_empty() {
            let words: Vec<_> = hosts
                .iter()
                .map(|(host, (count, path))| {
                    format!("{count} of its packages from `{host}`, such as `{path}`")
                })
                .collect();
            match &words[..] {
                [] => {}
                [only] => {
                    note = Some(format!(
                        "`package-lock.json` has {only}; name the registry in `npm-registries`, so that no other is taken"
                    ));
                }
                several => found.push(format!(
                    "`package-lock.json` has {}; name the registries that are meant in `npm-registries`",
                    several.join(", and ")
                )),
            }
        }
        (shortened(found), note)
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
                Some(anew(format!("is a link to `{target}`, which is no folder of the service's own")))
            }
            Ok(_) => {
                let says =
                    entry.integrity.is_some() || entry.has_shrinkwrap || entry.in_bundle || entry.extraneous;
                says.then(|| anew("is a link, and has fields that only an archive has"))
            }
        }
    }
}

fn in_words(path: &str, Wrong(text, kind): &Wrong, service: &Folder) -> String {
    let remedy = match kind {
        Remedy::Again => remedy(service),
        Remedy::Anew => write_anew(service),
        Remedy::Other(words) => (*words).to_owned(),
    };
    let entry = if path.is_empty() { "the service".to_owned() } else { format!("`{}`", path.escape_debug()) };
    format!("in `package-lock.json`, {entry} {text}: {remedy}")
}

fn shortened(mut found: Vec<String>) -> Vec<String> {
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
        return Some(anew("is at no place where npm looks for a package"));
    }
    if !is_name(&name) || !is_name(folder) {
        return Some(anew(format!("has the name `{}`, which is none", name.escape_debug())));
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
            "has `hasShrinkwrap`: npm follows a lockfile inside of it, whose packages have no integrity here";
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
        // npm fetches what the service itself bundles as it does everything else.
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
                return Some(Wrong(format!("comes from `{}`: {error}", resolved.escape_debug()), PUBLISHED));
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

/// A dependency that npm would fetch from git or an address, or in an installed package from this machine.
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
                PUBLISHED,
            )
        })
    })
}

/// An archive in the repository, beside or below the service: its integrity is looked at as that of any.
fn is_archive_of_ours(resolved: &str) -> bool {
    let Some(path) = resolved.strip_prefix("file:") else { return false };
    let is_archive = [".tgz", ".tar.gz", ".tar"].iter().any(|end| path.ends_with(end));
    let is_word = |word: &str| {
        !matches!(word, "" | "." | "..") && !word.contains(|c: char| c.is_control() || c == '\\')
    };
    is_archive && path.split('/').all(is_word)
}

/// Exactly one hash, in the one way that base64 writes it.
fn is_integrity(text: &str) -> bool {
    let hash = text.strip_prefix("sha512-").and_then(|hash| STANDARD.decode(hash).ok());
    hash.is_some_and(|hash| hash.len() == 64)
}

/// Folders of packages one in the other, the first of them in the service's or a folder of its own.
fn is_place(path: &str) -> bool {
    let words: Vec<_> = path.split('/').collect();
    let Some(first) = words.iter().position(|word| *word == "node_modules") else { return false };
    let mut rest = &words[first..];
    while let ["node_modules", name, more @ ..] = rest {
        rest = match more {
            [second, more @ ..] if name.starts_with('@') && *second != "node_modules" => more,
            more if !name.starts_with('@') => more,
            _ => return false,
        };
    }
    rest.is_empty()
}

/// As npm's registry has them, with the capitals of the old ones.
fn is_name(name: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty()
            && !word.starts_with(['.', '_'])
            && word.chars().all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c))
    };
    name.len() <= 214
        && match name.strip_prefix('@') {
            Some(scoped) => {
                scoped.split_once('/').is_some_and(|(scope, name)| is_word(scope) && is_word(name))
            }
            None => is_word(name) && name != "node_modules",
        }
}

/// Exact, with three numbers: everything else is a range, a tag or an address for npm.
fn is_version(version: &str) -> bool {
    let end = version.find(['-', '+']).unwrap_or(version.len());
    let (core, rest) = version.split_at(end);
    let is_number =
        |word: &str| !word.is_empty() && word.len() <= 16 && word.bytes().all(|c| c.is_ascii_digit());
    version.len() <= 256
        && core.split('.').count() == 3
        && core.split('.').all(is_number)
        && rest.chars().all(|c| c.is_ascii_alphanumeric() || "-.+".contains(c))
        && rest.len() != 1
}
