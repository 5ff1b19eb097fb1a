//! What a clone knows about its origin: the origin's branches, and which one is the default.

use anyhow::Result;

use super::{Commit, Git};

/// The branches of the repository from which this one was cloned.
pub struct Upstream {
    /// Where they are stored: `refs/heads` in a bare clone, `refs/remotes/origin` in a checkout.
    refs: &'static str,
    /// The name of the default branch, if the clone has it.
    pub default: Option<String>,
    /// Whether it is a bare clone, which `verify` makes for itself: nothing has been committed to its branches since.
    pub is_bare: bool,
}

impl Git {
    /// The branches of the repository from which this one was cloned.
    ///
    /// # Errors
    /// When git fails.
    pub fn upstream(&self) -> Result<Upstream> {
        let (refs, head) = match self.is_bare {
            true => ("refs/heads", "HEAD"),
            false => ("refs/remotes/origin", "refs/remotes/origin/HEAD"),
        };
        let output = self.call(&["symbolic-ref", "--quiet", head])?.output()?;
        let default = match output.status.code() {
            Some(0) => {
                let name = output.text()?;
                name.trim_end().strip_prefix(refs).and_then(|name| name.strip_prefix('/')).map(str::to_owned)
            }
            // With `--quiet`, exit code 1 means only "no such ref, or not a symbolic one".
            Some(1) => None,
            _ => return Err(output.failure()),
        };
        Ok(Upstream { refs, default, is_bare: self.is_bare })
    }

    /// Whether a commit and no branch is checked out, as after `git checkout v0.1.0`.
    ///
    /// # Errors
    /// When git fails.
    pub fn is_detached(&self) -> Result<bool> {
        let output = self.call(&["symbolic-ref", "--quiet", "HEAD"])?.output()?;
        match output.status.code() {
            Some(0) => Ok(false),
            Some(1) => Ok(true),
            _ => Err(output.failure()),
        }
    }

    /// The commit of the branch `name` of `upstream`, as of the clone.
    ///
    /// # Errors
    /// When git fails.
    pub fn upstream_branch(&self, upstream: &Upstream, name: &str) -> Result<Option<Commit>> {
        self.peel(&format!("{}/{name}", upstream.refs))
    }
}
