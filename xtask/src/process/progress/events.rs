//! `release --json`: one event per line on standard output, for programs that start a release. docs/releasing.md
//! describes the format; `schema` changes when a field does.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::process::failure::exit_code;
use crate::process::secret::redact;
use crate::process::shown::json;
use crate::process::stdout;

/// The schema of every line.
const SCHEMA: &str = "xtask-release/1";

/// What happened.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event<'a> {
    /// A step has begun.
    Begun {
        /// The step's name, as in the lines for people.
        step: &'a str,
        /// What it works on.
        detail: String,
    },
    /// A step has ended.
    Finished {
        /// The step's name, as in the lines for people.
        step: &'a str,
        /// How long it took.
        seconds: f64,
        /// Whether it succeeded.
        ok: bool,
    },
    /// The release is done.
    Released {
        /// The git tag.
        tag: String,
        /// Its commit.
        commit: &'a str,
        /// The image reference, by tag.
        image: String,
        /// The digest of the index.
        digest: &'a str,
        /// The address of the release page.
        page: &'a str,
        /// The commands with which anyone can check the image.
        commands: Vec<String>,
        /// The release was already complete: nothing had to be done.
        finished_before: bool,
    },
    /// The release failed or was refused.
    Failed {
        /// The exit code of this process.
        exit: u8,
        /// The complete error message.
        error: String,
    },
}

#[derive(Serialize)]
struct Line<'a> {
    schema: &'static str,
    #[serde(flatten)]
    event: &'a Event<'a>,
}

impl<'a> Event<'a> {
    pub(super) fn begun(step: &'a str, detail: &str) -> Self {
        Self::Begun { step, detail: redact(detail) }
    }

    pub(super) fn finished(step: &'a str, took: Duration, ok: bool) -> Self {
        Self::Finished { step, seconds: (took.as_secs_f64() * 1000.0).round() / 1000.0, ok }
    }

    /// The last event of a release that did not succeed.
    #[must_use]
    pub fn failed(error: &anyhow::Error) -> Self {
        Self::Failed { exit: exit_code(error), error: redact(&format!("{error:#}")) }
    }

    /// Prints it on a line of its own.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn print(&self) -> Result<()> {
        stdout::print(&self.line()?).context("printing an event")
    }

    fn line(&self) -> Result<String> {
        let line = Line { schema: SCHEMA, event: self };
        Ok(json(&serde_json::to_string(&line).context("writing an event")?) + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::Event;
    use crate::process::failure::Refusal;
    use std::time::Duration;

    #[test]
    fn an_event_is_one_line_of_the_documented_form() {
        let line = |event: Event<'_>| event.line().unwrap();
        assert_eq!(
            line(Event::finished("build", Duration::from_micros(1_234_567), true)),
            "{\"schema\":\"xtask-release/1\",\"event\":\"finished\",\"step\":\"build\",\"seconds\":1.235,\"ok\":true}\n"
        );
        assert_eq!(
            line(Event::begun("build", "two\nlines")),
            "{\"schema\":\"xtask-release/1\",\"event\":\"begun\",\"step\":\"build\",\"detail\":\"two\\nlines\"}\n"
        );
        assert_eq!(
            line(Event::failed(&Refusal::new("no").into())),
            "{\"schema\":\"xtask-release/1\",\"event\":\"failed\",\"exit\":3,\"error\":\"no\"}\n"
        );
    }
}
