//! Which packages npm installs: the lockfile's entries as a graph, walked from the root. The lockfile's marks `dev`
//! and `optional` are not trusted (`marks.rs` checks them), with one exception: the mark of a peer can mean that the
//! peer may be missing.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::edges::{Edges, Kind};
use super::entry::Lock;
use super::grammar::is_in_node_modules;
use super::target::Target;
use crate::refuse;

pub(super) type Paths<'a> = BTreeSet<&'a str>;

/// The entries that are not links, with their dependencies.
pub(super) struct Graph<'a> {
    lock: &'a Lock,
    edges: BTreeMap<&'a str, Vec<(&'a str, Kind)>>,
}

/// The packages of a platform.
pub(super) struct Selection<'a> {
    /// The packages that must be present.
    pub(super) installed: Paths<'a>,
    /// Those of `installed` that are not required: optional dependencies, and packages that only they need.
    pub(super) optional: Paths<'a>,
    /// Packages on which nothing installed depends, but which some versions of npm leave in place.
    pub(super) tolerated: Paths<'a>,
}

impl<'a> Graph<'a> {
    /// `edges` are those of `lock`.
    pub(super) fn new(lock: &'a Lock, edges: &Edges) -> Self {
        Self { lock, edges: edges.named(lock) }
    }

    /// The packages that production uses on any platform.
    pub(super) fn production(&self) -> Paths<'a> {
        self.reach(|kind, _| !kind.dev)
    }

    /// The packages that `npm ci --omit=dev` installs for `target`.
    ///
    /// # Errors
    /// A [`crate::process::failure::Refusal`] for a required package that does not fit.
    pub(super) fn select(&self, target: &Target) -> Result<Selection<'a>> {
        let production = self.production();
        let needed_by_any = self.reach(|kind, _| !kind.optional);
        let misfits: Paths<'_> = production.iter().copied().filter(|path| !self.fits(path, target)).collect();
        if let Some(path) = misfits.intersection(&needed_by_any).next() {
            self.refuse(path, target)?;
        }
        let unfit = self.with_dependents(misfits, &production);
        let brought = self.reach(|kind, _| !kind.welcome);
        // With `legacy-peer-deps`, npm treats a tool as a tool even if a package would use it.
        let is_tool = |path: &str| self.lock.packages[path].dev;
        let is_brought = |kind: Kind, path: &str| !kind.welcome || (brought.contains(path) && !is_tool(path));
        let installed = self.reach(|kind, path| !kind.dev && !unfit.contains(path) && is_brought(kind, path));
        let needed = self.reach(|kind, _| kind.is_needed());
        let all = self.reach(|_, _| true);
        let stays = |path: &&str| {
            self.fits(path, target)
                && (production.contains(path)
                    || self.is_below_a_linked_folder(path)
                    || self.is_in_the_archive_of(path, &installed))
        };
        let bundled = self.edges.keys().copied().filter(|path| self.lock.packages[*path].in_bundle);
        let tolerated = all.iter().copied().chain(bundled).filter(stays);
        Ok(Selection {
            tolerated: tolerated.filter(|path| !installed.contains(path)).collect(),
            optional: installed.difference(&needed).copied().collect(),
            installed,
        })
    }

    /// The dependencies of the package at `path`, resolved from its place.
    pub(super) fn asked_by(&self, path: &str) -> impl Iterator<Item = &'a str> {
        self.edges.get(path).into_iter().flatten().map(|(to, _)| *to)
    }

    /// The same without development dependencies.
    pub(super) fn needed_by(&self, path: &str) -> impl Iterator<Item = &'a str> {
        self.edges.get(path).into_iter().flatten().filter(|(_, kind)| !kind.dev).map(|(to, _)| *to)
    }

    fn fits(&self, path: &str, target: &Target) -> bool {
        target.fits(&self.lock.packages[path])
    }

    /// The entries that can be reached from the root along edges that `follow` accepts, without the root.
    pub(super) fn reach(&self, follow: impl Fn(Kind, &str) -> bool) -> Paths<'a> {
        self.walk(vec![""], |_, kind, to| follow(kind, to))
    }

    /// The entries that can be reached through development dependencies, whatever else depends on them.
    pub(super) fn tools(&self) -> Paths<'a> {
        let dev = self.edges.values().flatten().filter(|(_, kind)| kind.dev).map(|(to, _)| *to);
        let mut tools: Paths<'a> = dev.collect();
        tools.extend(self.walk(tools.iter().copied().collect(), |_, _, _| true));
        tools
    }

    /// The entries that can be reached from `open`, without the root.
    pub(super) fn walk(
        &self,
        mut open: Vec<&'a str>,
        follow: impl Fn(&str, Kind, &str) -> bool,
    ) -> Paths<'a> {
        let mut seen = Paths::new();
        while let Some(from) = open.pop() {
            for (to, kind) in self.edges.get(from).into_iter().flatten() {
                if !to.is_empty() && follow(from, *kind, to) && seen.insert(to) {
                    open.push(to);
                }
            }
        }
        seen
    }

    /// `unfit`, and all packages that cannot work without one of them.
    fn with_dependents(&self, mut unfit: Paths<'a>, among: &Paths<'a>) -> Paths<'a> {
        let mut dependents: BTreeMap<&str, Vec<&'a str>> = BTreeMap::new();
        for from in among {
            for (to, _) in self.edges[from].iter().filter(|(_, kind)| kind.is_needed()) {
                dependents.entry(to).or_default().push(from);
            }
        }
        let mut open: Vec<_> = unfit.iter().copied().collect();
        while let Some(path) = open.pop() {
            for from in dependents.get(path).into_iter().flatten() {
                if unfit.insert(from) {
                    open.push(from);
                }
            }
        }
        unfit
    }

    /// npm omits development dependencies only from the `node_modules` of the root and of workspaces.
    fn is_below_a_linked_folder(&self, path: &str) -> bool {
        let top = path.split_once("/node_modules/").map(|(top, _)| top);
        top.is_some_and(|top| !is_in_node_modules(top) && !top.is_empty())
    }

    fn is_in_the_archive_of(&self, path: &str, installed: &Paths<'_>) -> bool {
        let bundler = path.rsplit_once("/node_modules/").map(|(bundler, _)| bundler);
        self.lock.packages[path].in_bundle && bundler.is_some_and(|bundler| installed.contains(bundler))
    }

    fn refuse(&self, path: &str, target: &Target) -> Result<()> {
        let entry = &self.lock.packages[path];
        let words = |name: &str, words: &[String]| match words {
            [] => String::new(),
            words => format!(" {name} {}", words.join(", ")),
        };
        let limits =
            [words("os", entry.os.list()), words("cpu", entry.cpu.list()), words("libc", entry.libc.list())];
        refuse!(
            "`{path}` of `package-lock.json` has to be installed, and does not run on {target}: it is for{}; \
             make it an optional dependency, or take the platform out of `platforms`",
            limits.concat()
        );
    }
}
