//! Exports the files of a commit, and nothing else.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::process::temp_dir::{TempDir, random_hex};
use crate::tool::git::{Commit, Git};

/// The exported commit. Dropping this removes the files.
pub(super) struct Export {
    tree: PathBuf,
    _scratch: TempDir,
}

impl Export {
    /// Exports the commit. The configuration also comes from the commit, not from the work tree, so a newer xtask
    /// that finishes an older tag gives the same digest.
    ///
    /// # Errors
    /// When git fails or the disk is full.
    pub(super) fn of(git: &Git, commit: &Commit) -> Result<Self> {
        let scratch = TempDir::new()?;
        // BuildKit caches the files of a context under the name of its directory, and reuses those with the same size
        // and time (docs/facts.md#contexts). So no two contexts have the same name.
        let tree = scratch.path().join(random_hex()?);
        git.export(commit, &tree).with_context(|| {
            format!(
                "writing the commit's files to `{}`; if that disk is full, free some, or set `TMPDIR` to a directory on \
                 another disk",
                scratch.path().display()
            )
        })?;
        Ok(Self { tree, _scratch: scratch })
    }

    /// The top of the exported tree: the build context.
    #[must_use]
    pub(super) fn tree(&self) -> PathBuf {
        self.tree.clone()
    }
}
