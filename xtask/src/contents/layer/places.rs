//! The places of a layer's entries. An engine unpacks each entry as it comes, either into an empty directory or on
//! top of the lower layers. BuildKit never writes a layer for which that makes a difference. This module finds the
//! layers for which it does (docs/facts.md#odd-layers).

use std::collections::{BTreeMap, BTreeSet};

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntryKind {
    Directory,
    File,
    Symlink,
    /// A whiteout, under its own name.
    Marker,
}

/// What is at each path of a layer.
#[derive(Default)]
pub(super) struct Places {
    all: BTreeMap<String, EntryKind>,
    /// Directories that have no entry of their own before the first entry in them.
    undeclared: BTreeSet<String>,
    odd: Option<String>,
}

impl Places {
    /// Records why engines or other readers differ about `path`. Only the first reason is kept.
    pub(super) fn record(&mut self, path: &str, why: &str) {
        self.odd.get_or_insert_with(|| format!("`{}`: {why}", path.escape_debug()));
    }

    pub(super) fn at(&self, path: &str) -> Option<EntryKind> {
        self.all.get(path).copied()
    }

    /// Whether there is anything below the directory `path`.
    pub(super) fn has_below(&self, path: &str) -> bool {
        if path.is_empty() {
            return !self.all.is_empty();
        }
        let prefix = format!("{path}/");
        self.all.range(prefix.clone()..).next().is_some_and(|(path, _)| path.starts_with(&prefix))
    }

    pub(super) fn add(&mut self, path: &str, kind: EntryKind) {
        self.look_above(path);
        match self.at(path) {
            Some(EntryKind::Directory) if kind == EntryKind::Directory => {}
            Some(_) => self.record(path, "it is there twice"),
            None if self.has_below(path) => self.record(path, "it comes after what is below it"),
            None => {}
        }
        self.all.insert(path.to_owned(), kind);
    }

    /// Looks at the directories above `path`. If one of them is a symbolic link, some engines follow it, others
    /// replace it with a directory, and others fail.
    fn look_above(&mut self, path: &str) {
        let Some((parent, _)) = path.rsplit_once('/') else { return };
        if self.undeclared.contains(parent) {
            return;
        }
        let mut above = Some(parent);
        while let Some(directory) = above {
            match self.at(directory) {
                Some(EntryKind::Directory) => break,
                Some(_) => return self.record(path, "it is below something that is not a directory"),
                None => above = directory.rsplit_once('/').map(|(above, _)| above),
            }
        }
        if above != Some(parent) {
            self.undeclared.insert(parent.to_owned());
        }
    }

    /// Ends the layer, which hides the paths `whiteouts` of lower layers. Some engines also hide the layer's own
    /// entries there.
    pub(super) fn end(mut self, whiteouts: &[String]) -> Ended {
        for path in whiteouts {
            if self.at(path).is_some() || self.has_below(path) {
                self.record(path, "the layer has it, and hides it");
            }
        }
        let mut ended =
            Ended { undeclared: self.undeclared.into_iter().collect(), odd: self.odd, ..Ended::default() };
        for (path, kind) in self.all {
            match kind {
                EntryKind::Directory => ended.directories.push(path),
                EntryKind::File | EntryKind::Symlink => ended.others.push(path),
                EntryKind::Marker => {}
            }
        }
        ended
    }
}

/// The paths of a layer, sorted.
#[derive(Default)]
pub(super) struct Ended {
    pub(super) directories: Vec<String>,
    pub(super) others: Vec<String>,
    pub(super) undeclared: Vec<String>,
    pub(super) odd: Option<String>,
}
