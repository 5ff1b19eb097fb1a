//! The output and exit status of a finished child, and the error for a failure.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use anyhow::{Context as _, Result, anyhow};

/// The output and exit status of a finished child.
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// All of its standard output.
    pub stdout: Vec<u8>,
    /// The end of its standard error, redacted.
    pub stderr: String,
    /// The command line, redacted, for messages.
    pub command_line: String,
}

impl Output {
    /// The output itself when the exit code is 0, else [`Output::failure`].
    ///
    /// # Errors
    /// Names the command, its exit status and the end of its standard error.
    pub fn success(self) -> Result<Self> {
        if self.status.success() { Ok(self) } else { Err(self.failure()) }
    }

    /// Standard output as text.
    ///
    /// # Errors
    /// When it is not UTF-8.
    pub fn text(&self) -> Result<String> {
        String::from_utf8(self.stdout.clone())
            .with_context(|| format!("`{}` printed bytes that are not UTF-8", self.command_line))
    }

    /// The error that says how the command ended.
    #[must_use]
    pub fn failure(&self) -> anyhow::Error {
        let how = match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("exited with {code}"),
            (None, Some(signal)) => format!("was ended by signal {signal}"),
            (None, None) => "ended in an unknown way".to_owned(),
        };
        let words = self.stderr.trim();
        let separator = if words.is_empty() {
            ""
        } else if words.contains('\n') {
            ":\n"
        } else {
            ": "
        };
        anyhow!("`{}` {how}{separator}{words}", shortened(&self.command_line))
    }
}

/// The beginning of a command line and the length of the rest. In full, the arguments of a build would hide why it
/// failed.
fn shortened(line: &str) -> String {
    const SHOWN: usize = 400;
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}… ({} more characters)", &line[..end], line[end..].chars().count()),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn a_long_command_line_is_shortened_in_an_error() {
        assert_eq!(shortened("git status"), "git status");
        let long = shortened(&format!("docker {}", "ä".repeat(1000)));
        assert!(long.starts_with("docker ää") && long.ends_with("… (607 more characters)"), "{long}");
    }
}
