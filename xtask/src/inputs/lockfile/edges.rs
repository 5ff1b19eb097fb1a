//! What each package of the lockfile depends on, resolved from its place as Node.js does.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use super::entry::{Entry, Lock, Ranges};
use super::grammar::is_in_node_modules;
use super::workspaces;
use crate::refuse;

/// The maximum number of lookups. The largest lockfile that we have seen needs a hundredth of it.
const MAX_LOOKUPS: usize = 10_000_000;

/// What to type in place of a dependency on a folder that npm does not install as part of the service.
pub(super) const IN_REACH: &str = "make both workspaces of a `package.json` above them and write `service = \".\"`, or commit the archive of \
     `npm pack` and write `file:NAME-VERSION.tgz`";

/// How one package depends on another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// Only for development.
    pub(super) dev: bool,
    /// The package works without it too.
    pub(super) optional: bool,
    /// The package uses it if something else installs it: an optional peer.
    pub(super) welcome: bool,
    /// Only as a peer. npm with `legacy-peer-deps` ignores these.
    pub(super) peer: bool,
}

const NEEDED: Kind = Kind { dev: false, optional: false, welcome: false, peer: false };
const OPTIONAL: Kind = Kind { optional: true, ..NEEDED };
const PEER: Kind = Kind { peer: true, ..NEEDED };
const WELCOME: Kind = Kind { welcome: true, optional: true, ..PEER };
const DEV: Kind = Kind { dev: true, ..NEEDED };

impl Kind {
    pub(super) const fn is_needed(self) -> bool {
        !self.dev && !self.optional
    }

    /// Whether npm may fail to remove the mark `dev` from the target of such a dependency. npm looks at these once, on
    /// its walk. When it removes a mark later, it follows only required dependencies and peers.
    pub(super) const fn keeps_marks(self) -> bool {
        self.welcome || (self.optional && !self.peer)
    }
}

/// The entries that are not links, each with its dependencies. An entry is identified by its number in the order of the
/// paths, because a path can be long and have many edges to it.
pub(super) struct Edges(Vec<(usize, Vec<(usize, Kind)>)>);

impl Edges {
    /// # Errors
    /// A [`crate::process::failure::Refusal`] when an entry needs a package that the lockfile does not have. Other
    /// errors when a link has no target, or when the lookups would take too long.
    pub(super) fn of(lock: &Lock) -> Result<Self> {
        let numbers: BTreeMap<&str, usize> = lock.packages.keys().map(String::as_str).zip(0..).collect();
        let (mut edges, mut lookups) = (Vec::new(), 0);
        for (path, entry) in lock.packages.iter().filter(|(_, entry)| !entry.link) {
            let to = edges_of(lock, path, entry, &mut lookups)?.into_iter();
            edges.push((numbers[path.as_str()], to.map(|(to, kind)| (numbers[to], kind)).collect()));
        }
        Ok(Self(edges))
    }

    /// The same with paths in place of numbers. `lock` is the one from which the edges were made.
    pub(super) fn named<'a>(&self, lock: &'a Lock) -> BTreeMap<&'a str, Vec<(&'a str, Kind)>> {
        let paths: Vec<_> = lock.packages.keys().map(String::as_str).collect();
        let named = |to: &[(usize, Kind)]| to.iter().map(|(to, kind)| (paths[*to], *kind)).collect();
        self.0.iter().map(|(from, to)| (paths[*from], named(to))).collect()
    }
}

/// Each name once. If a name is in several tables, npm uses the last of peer, required, optional and development
/// dependencies.
fn kinds_of<'a>(path: &str, ranges: &'a Ranges) -> BTreeMap<&'a str, Kind> {
    let mut kinds: BTreeMap<&str, Kind> = BTreeMap::new();
    for name in ranges.peer_dependencies.keys() {
        let optional = ranges.peer_dependencies_meta.get(name).is_some_and(|meta| meta.optional);
        kinds.insert(name, if optional { WELCOME } else { PEER });
    }
    kinds.extend(ranges.dependencies.keys().map(|name| (name.as_str(), NEEDED)));
    kinds.extend(ranges.optional_dependencies.keys().map(|name| (name.as_str(), OPTIONAL)));
    // Development dependencies are installed only for local folders.
    if !is_in_node_modules(path) {
        kinds.extend(ranges.dev_dependencies.keys().map(|name| (name.as_str(), DEV)));
    }
    kinds
}

fn edges_of<'a>(
    lock: &'a Lock,
    path: &str,
    entry: &Entry,
    lookups: &mut usize,
) -> Result<Vec<(&'a str, Kind)>> {
    let kinds = kinds_of(path, &entry.ranges);
    let places = if kinds.is_empty() { Vec::new() } else { places(lock, path) };
    *lookups += path.matches('/').count() + kinds.len() * places.len();
    ensure!(
        *lookups <= MAX_LOOKUPS,
        "`package-lock.json` has more than {MAX_LOOKUPS} places where its packages may find their dependencies, and no \
         real one has; delete it, run `npm install` and commit the result"
    );
    let mut edges = Vec::new();
    for (name, kind) in kinds {
        match resolve(lock, &places, name)? {
            // With `legacy-peer-deps`, npm does not install packages that only a peer dependency needs.
            Some(to) if kind == PEER && lock.packages[to].dev => {
                edges.push((to, Kind { optional: true, ..PEER }));
            }
            Some(to) => edges.push((to, kind)),
            None if kind == NEEDED && path.starts_with("..") => refuse!(
                "`package-lock.json` has no entry for `{name}`, which `{path}` needs: npm does not install what a folder \
                 outside of the service's needs; {IN_REACH}"
            ),
            None if kind == NEEDED => refuse!(
                "`package-lock.json` has no entry for `{name}`, which `{}` needs; run `npm install --package-lock-only` and commit the result",
                if path.is_empty() { "package.json" } else { path }
            ),
            None => {}
        }
    }
    if let Some(patterns) = entry.workspaces.as_ref().filter(|_| path.is_empty()) {
        let folders = workspaces::of(lock, patterns.patterns())?;
        edges.retain(|(to, _)| !folders.contains(to));
        edges.extend(folders.into_iter().map(|folder| (folder, NEEDED)));
    }
    Ok(edges)
}

/// The `node_modules` directories in which `require` looks from `path` and which have an entry, the nearest first.
pub(super) fn places(lock: &Lock, path: &str) -> Vec<String> {
    let mut places = Vec::new();
    let mut directory = path;
    loop {
        if directory != "node_modules" && !directory.ends_with("/node_modules") {
            let separator = if directory.is_empty() { "" } else { "/" };
            let place = format!("{directory}{separator}node_modules/");
            let next = lock.packages.range(place.clone()..).next();
            if next.is_some_and(|(path, _)| path.starts_with(&place)) {
                places.push(place);
            }
        }
        if directory.is_empty() || directory.ends_with("..") {
            return places;
        }
        directory = directory.rsplit_once('/').map_or("", |(parent, _)| parent);
    }
}

/// Whether `require(name)` finds something in `places`.
pub(super) fn is_locked(lock: &Lock, places: &[String], name: &str) -> bool {
    matches!(resolve(lock, places, name), Ok(Some(_)))
}

/// What `require(name)` finds: the package in the first of `places` that has it. Links are followed.
fn resolve<'a>(lock: &'a Lock, places: &[String], name: &str) -> Result<Option<&'a str>> {
    let mut found = places.iter().filter_map(|place| lock.packages.get_key_value(&format!("{place}{name}")));
    match found.next() {
        Some((path, entry)) if entry.link => lock.target(path, entry).map(Some),
        Some((path, _)) => Ok(Some(path)),
        None => Ok(None),
    }
}
