//! The forge's default branch: what has been merged there decides about releases, whatever a tagged commit says.

use anyhow::{Context as _, Result};

use super::{BranchHead, Read};
use crate::inputs::ALLOWED_SIGNERS;
use crate::inputs::config::{Config, MANIFEST};
use crate::inputs::keys::Keys;
use crate::tool::git::Git;

/// What the head of the default branch says.
pub struct DefaultBranch {
    /// The branch's name, and the commit that was read.
    pub branch: BranchHead,
    /// The configuration at that commit.
    pub config: Config,
    /// `keys/allowed_signers`, if the commit has one.
    pub allowed_signers: Option<Vec<u8>>,
}

impl DefaultBranch {
    /// Reads the default branch. The forge says which commit its head is. If the clone in `git` has that commit, the
    /// files are read from the clone: a commit's id determines its content. `None` if there is no forge.
    ///
    /// # Errors
    /// When the forge cannot be queried, or the branch has no valid configuration.
    pub fn read(forge: &dyn Read, git: &Git) -> Result<Option<Self>> {
        let Some(branch) = forge.default_branch().context("asking for the forge's default branch")? else {
            return Ok(None);
        };
        let BranchHead { name, head } = &branch;
        let doing =
            || format!("reading `{MANIFEST}` at {head}, the head of the forge's default branch `{name}`");
        let [manifest, allowed_signers] = match git.peel(head.as_str())? {
            Some(_) => git.files(head, [MANIFEST, ALLOWED_SIGNERS])?,
            None => [
                forge.file(head, MANIFEST).with_context(doing)?,
                forge.file(head, ALLOWED_SIGNERS).with_context(doing)?,
            ],
        };
        let config = Config::of_file(head, manifest).with_context(doing)?;
        Ok(Some(Self { branch, config, allowed_signers }))
    }

    /// The branch's history of keys, read in the same way as in [`DefaultBranch::read`]. The inner result says whether
    /// the history is valid.
    ///
    /// # Errors
    /// The outer result: when the forge cannot be queried.
    pub fn keys(&self, forge: &dyn Read, git: &Git) -> Result<Result<Keys>> {
        let head = &self.branch.head;
        let is_here = git.peel(head.as_str())?.is_some();
        Keys::read(&|paths| match is_here {
            true => git.files_at(head, paths),
            false => paths.iter().map(|path| forge.file(head, path)).collect(),
        })
    }
}
