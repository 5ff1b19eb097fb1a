//! The pull requests by which commits came, where a forge told them.

use std::collections::BTreeMap;

use crate::tool::git::Commit;

/// A commit has one number at most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pulls(BTreeMap<String, u32>);

impl Pulls {
    /// Where several claim a commit, the first one that was opened has it.
    pub fn add(&mut self, commit: &Commit, number: u32) {
        let known = self.0.entry(commit.as_str().to_owned()).or_insert(number);
        *known = number.min(*known);
    }

    /// The number of the one that `commit` came by.
    #[must_use]
    pub fn of(&self, commit: &Commit) -> Option<u32> {
        self.0.get(commit.as_str()).copied()
    }
}
