//! The commit as files, and nothing else.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::process::scratch::Scratch;
use crate::tool::git::{Commit, Git};

/// The exported commit. Dropping this removes the files.
pub(super) struct Export {
    scratch: Scratch,
}

impl Export {
    /// Exports the commit. The configuration is also the commit's, not the work tree's, so a newer xtask that finishes
    /// an older tag gives the same digest.
    ///
    /// # Errors
    /// When git fails or the disk is full.
    pub(super) fn of(git: &Git, commit: &Commit) -> Result<Self> {
        let scratch = Scratch::new()?;
        git.export(commit, scratch.path()).with_context(|| {
            format!(
                "writing the commit's files to `{}`; if that disk is full, free some, or set `TMPDIR` to a directory on \
                 another disk",
                scratch.path().display()
            )
        })?;
        Ok(Self { scratch })
    }

    /// The top of the exported tree: the build context.
    #[must_use]
    pub(super) fn tree(&self) -> PathBuf {
        self.scratch.path().join("tree")
    }
}
