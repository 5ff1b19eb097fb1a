//! The result of a run of `xtask` that has ended.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use xtask::oci::reference::Digest;

/// How many of the last lines a report shows.
const LAST_WORDS: usize = 6;

/// How a run ended.
pub struct Finished {
    /// The exit code; negative for a signal.
    pub code: i32,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
    /// The time from its start until its end was seen.
    pub took: Duration,
}

impl Finished {
    /// The run, if it succeeded.
    ///
    /// # Errors
    /// When it failed; the error has all its output.
    pub fn success(self) -> Result<Self> {
        ensure!(self.code == 0, "xtask exited with {}:\n{}{}", self.code, self.stdout, self.stderr);
        Ok(self)
    }

    /// A line of the summary on standard output, such as `digest`.
    ///
    /// # Errors
    /// When there is no such line.
    pub fn field(&self, name: &str) -> Result<&str> {
        let mut lines = self.stdout.lines().filter_map(|line| line.split_once(' '));
        let value = lines.find(|(key, _)| *key == name).map(|(_, value)| value.trim());
        value.with_context(|| format!("standard output has no line `{name}`:\n{}", self.stdout))
    }

    /// The image's digest.
    ///
    /// # Errors
    /// When the summary has none.
    pub fn digest(&self) -> Result<Digest> {
        self.field("digest")?.parse()
    }

    /// The image by its digest.
    ///
    /// # Errors
    /// When the summary has none.
    pub fn pinned(&self) -> Result<String> {
        let tagged = self.field("image")?;
        let (name, _tag) = tagged.rsplit_once(':').with_context(|| format!("`{tagged}` has no tag"))?;
        Ok(format!("{name}@{}", self.digest()?))
    }

    /// The commands at the end of standard output, as a user would copy them.
    ///
    /// # Errors
    /// When standard output does not end with commands.
    pub fn commands(&self) -> Result<&str> {
        let last = self.stdout.rsplit_once("\n\n").map(|(_, commands)| commands);
        last.with_context(|| format!("standard output does not end with commands:\n{}", self.stdout))
    }

    /// The exit code and the last lines of standard error in one line, for a report.
    #[must_use]
    pub fn last_words(&self) -> String {
        let lines: Vec<_> = self.stderr.trim().lines().collect();
        format!("exit {}: {}", self.code, lines[lines.len().saturating_sub(LAST_WORDS)..].join(" / "))
    }

    /// Checks that it released the image of `digest`.
    ///
    /// # Errors
    /// When it failed, or released another digest.
    pub(crate) fn released(&self, digest: &str) -> Result<()> {
        ensure!(self.code == 0, "{}", self.last_words());
        let made = self.field("digest")?;
        ensure!(made == digest, "it made `{made}` and not `{digest}`");
        Ok(())
    }
}
