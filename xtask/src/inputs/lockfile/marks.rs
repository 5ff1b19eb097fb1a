//! Checks npm's own marks in the lockfile by a walk from the root. npm 10 installs by the marks and npm 11 by walking.
//! If they disagree, one lockfile gives two trees (docs/facts.md#marks-of-a-lockfile).

use super::edges::Kind;
use super::entry::Entry;
use super::graph::Paths;
use super::{Lockfile, remedy};
use crate::inputs::config::Folder;

/// The result of a walk over all entries.
struct Reachable<'a> {
    all: Paths<'a>,
    /// Reachable without development dependencies, with or without peers.
    production: Paths<'a>,
    /// The same, but only along edges whose marks npm always gets right with these settings.
    certain: Paths<'a>,
    /// Reachable without development dependencies and without peers.
    without_peers: Paths<'a>,
    /// Required: the service does not work without them.
    needed: Paths<'a>,
    needed_with_peers: Paths<'a>,
}

impl Lockfile {
    /// Entries whose marks `dev`, `optional` or `devOptional` differ from the result of a walk from the root.
    /// `legacy_peers`: see [`crate::inputs::npmrc::leaves_peers_alone`].
    #[must_use]
    pub fn wrong_marks(&self, service: &Folder, legacy_peers: bool) -> Vec<String> {
        let graph = self.graph();
        let tools = graph.tools();
        let is_read = |kind: Kind| !(legacy_peers && kind.peer);
        let reachable = Reachable {
            all: graph.reach(|_, _| true),
            production: graph.reach(|kind, _| !kind.dev),
            certain: graph.walk(vec![""], |from, kind, _| {
                let is_sure = !kind.keeps_marks() || !tools.contains(from);
                !kind.dev && is_read(kind) && is_sure
            }),
            without_peers: graph.reach(|kind, _| !kind.dev && !kind.peer),
            needed: graph.reach(|kind, _| !kind.dev && !kind.optional && is_read(kind)),
            needed_with_peers: graph.reach(|kind, _| !kind.dev && !kind.optional),
        };
        let entries = self.lock.packages.iter().filter(|(path, entry)| !path.is_empty() && !entry.link);
        let wrong = entries.filter_map(|(path, entry)| {
            let (found, why) = reachable.wrong_mark(path, entry)?;
            let hint = if reachable.production.contains(path.as_str())
                && !reachable.without_peers.contains(path.as_str())
            {
                ", or write `legacy-peer-deps=true` into `.npmrc` beside it if it was made with that"
            } else {
                ""
            };
            let remedy = remedy(service);
            Some(format!(
                "`package-lock.json` {found} `{path}`, {why}, so that npm 10 and 11 differ; {remedy}{hint}"
            ))
        });
        wrong.collect()
    }
}

impl Reachable<'_> {
    fn wrong_mark(&self, path: &str, entry: &Entry) -> Option<(&'static str, &'static str)> {
        let has = |paths: &Paths<'_>| paths.contains(path);
        let goes_without = entry.optional || entry.dev_optional;
        if has(&self.certain) && entry.dev {
            Some(("has the mark `dev` for", "which the service asks for without its tools as well"))
        } else if has(&self.all) && !has(&self.production) && !entry.dev {
            Some(("lacks the mark `dev` for", "which only tools ask for"))
        } else if has(&self.needed) && goes_without {
            Some(("has the mark `optional` or `devOptional` for", "which the service cannot do without"))
        } else if has(&self.certain) && !has(&self.needed_with_peers) && !goes_without {
            Some(("lacks the mark `optional` or `devOptional` for", "which nothing needs"))
        } else {
            None
        }
    }
}
