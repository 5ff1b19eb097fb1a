//! The pull requests of commits, as reported by a forge.

use std::collections::BTreeMap;

use crate::tool::git::Commit;

/// The number of at most one pull request for each commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pulls(BTreeMap<String, u32>);

impl Pulls {
    /// If several pull requests claim a commit, the first one that was opened gets it.
    pub fn add(&mut self, commit: &Commit, number: u32) {
        let known = self.0.entry(commit.as_str().to_owned()).or_insert(number);
        *known = number.min(*known);
    }

    /// The number of the pull request of `commit`.
    #[must_use]
    pub fn of(&self, commit: &Commit) -> Option<u32> {
        self.0.get(commit.as_str()).copied()
    }
}
