//! Where a clone is from, as far as it says so itself: the branches of its origin, and which of them is the default one.

use anyhow::Result;

use super::{Commit, Git};

/// The branches of the repository that this one is a clone of.
pub struct Upstream {
    /// Where they are: `refs/heads` of a bare clone, `refs/remotes/origin` of a checkout.
    refs: &'static str,
    /// The name of the default branch, where the clone has it.
    pub default: Option<String>,
    /// It is a bare clone, which `verify` makes for itself: nothing was committed to its branches since.
    pub is_bare: bool,
}

impl Git {
    /// The branches of where this clone is from.
    ///
    /// # Errors
    /// When git fails.
    pub fn upstream(&self) -> Result<Upstream> {
        let is_bare = self.call(&["rev-parse", "--is-bare-repository"])?.read()? == "true";
        let (refs, head) = match is_bare {
            true => ("refs/heads", "HEAD"),
            false => ("refs/remotes/origin", "refs/remotes/origin/HEAD"),
        };
        let output = self.call(&["symbolic-ref", "--quiet", head])?.output()?;
        let default = match output.status.code() {
            Some(0) => {
                let name = output.text()?;
                name.trim_end().strip_prefix(refs).and_then(|name| name.strip_prefix('/')).map(str::to_owned)
            }
            // `--quiet` makes 1 mean "no such ref, or no symbolic one" alone.
            Some(1) => None,
            _ => return Err(output.failure()),
        };
        Ok(Upstream { refs, default, is_bare })
    }

    /// The commit that the clone has the branch `name` of `upstream` at.
    ///
    /// # Errors
    /// When git fails.
    pub fn upstream_branch(&self, upstream: &Upstream, name: &str) -> Result<Option<Commit>> {
        self.peel(&format!("{}/{name}", upstream.refs))
    }
}
