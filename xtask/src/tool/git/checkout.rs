//! What a checkout has besides its commits: its origin, the current branch, its files.

use anyhow::{Result, bail};

use super::Git;

impl Git {
    /// The address of the remote `origin`, if there is one.
    ///
    /// # Errors
    /// When git fails.
    pub fn origin(&self) -> Result<Option<String>> {
        let output = self.call(&["config", "--local", "--get", "remote.origin.url"])?.output()?;
        match output.status.code() {
            Some(0) => Ok(Some(output.text()?.trim().to_owned())),
            Some(1) => Ok(None),
            _ => Err(output.failure()),
        }
    }

    /// The current branch; `None` when HEAD is detached.
    ///
    /// # Errors
    /// When git fails.
    pub fn branch(&self) -> Result<Option<String>> {
        let output = self.call(&["symbolic-ref", "--quiet", "--short", "HEAD"])?.output()?;
        match output.status.code() {
            Some(0) => Ok(Some(output.text()?.trim().to_owned())),
            Some(1) => Ok(None),
            _ => Err(output.failure()),
        }
    }

    /// Whether the work tree has untracked files in `paths`, ignored or not: cargo reads a new `build.rs` or
    /// `.cargo/config.toml` even if git ignores it.
    ///
    /// # Errors
    /// When git fails.
    pub fn adds_to(&self, paths: &[&str]) -> Result<bool> {
        let arguments = [&["ls-files", "--others", "-z", "--"], paths].concat();
        Ok(!self.call(&arguments)?.output()?.success()?.stdout.is_empty())
    }

    /// Those of `paths` that the repository's own rules ignore and that are not tracked, whether or not they exist:
    /// `git add --all` leaves them out.
    ///
    /// # Errors
    /// When git fails, or a name is not UTF-8.
    pub fn ignored(&self, paths: &[&str]) -> Result<Vec<String>> {
        let asked = self.call(&["check-ignore", "--stdin", "-z"])?.stdin(paths.join("\0"));
        let output = asked.output()?;
        match output.status.code() {
            Some(0) => names(output.stdout),
            Some(1) => Ok(Vec::new()),
            _ => Err(output.failure()),
        }
    }

    /// The tracked files, relative to the top of the repository.
    ///
    /// # Errors
    /// When git fails, or a name is not UTF-8.
    pub fn tracked(&self) -> Result<Vec<String>> {
        names(self.call(&["ls-files", "-z"])?.output()?.success()?.stdout)
    }
}

/// The names in a list that git ended with zero bytes.
fn names(listed: Vec<u8>) -> Result<Vec<String>> {
    let Ok(text) = String::from_utf8(listed) else { bail!("a file has a name that is not UTF-8") };
    Ok(text.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect())
}
