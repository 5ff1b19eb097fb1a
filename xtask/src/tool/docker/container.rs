//! A container that is removed when its value is dropped.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::Docker;
use crate::process::Output;
use crate::process::stderr;

/// How many of the last log lines an error shows.
const LOG_LINES: &str = "40";

/// A container. Dropping this removes it, also after an error or a signal.
pub struct Container<'a> {
    docker: &'a Docker<'a>,
    name: String,
}

/// The state of a container.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ContainerState {
    /// Whether its process is running.
    pub running: bool,
    /// Its exit code, once the process has ended.
    pub exit_code: i32,
    /// Whether it was killed because it ran out of memory.
    #[serde(rename = "OOMKilled", default)]
    pub lacked_memory: bool,
    #[serde(default)]
    started_at: String,
    #[serde(default)]
    finished_at: String,
}

impl ContainerState {
    /// How long it ran, if it has ended and the engine reports the times.
    #[must_use]
    pub fn ran_for(&self) -> Option<Duration> {
        let (started, finished) = (since_1970(&self.started_at)?, since_1970(&self.finished_at)?);
        // When a container ends at once, the engine may record the end before the start.
        (!self.running).then(|| finished.saturating_sub(started))
    }
}

/// A time in the engine's format, with up to nine digits after the second: `2026-11-28T11:12:36.123456789Z`.
fn since_1970(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.strip_suffix('Z')?.split_once('.').unwrap_or((text.strip_suffix('Z')?, "0"));
    let seconds = crate::process::time::parse_rfc3339(&format!("{whole}Z")).ok()?;
    let nanoseconds = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    Some(Duration::new(seconds, nanoseconds))
}

impl<'a> Container<'a> {
    /// The container with that name, started or about to be started.
    pub(super) fn new(docker: &'a Docker<'a>, name: String) -> Self {
        Self { docker, name }
    }

    /// Whether it is running, and how it ended.
    ///
    /// # Errors
    /// When docker does not report it.
    pub fn state(&self) -> Result<ContainerState> {
        let json = self.docker.call(&["inspect", "--format", "{{json .State}}", &self.name])?.read()?;
        serde_json::from_str(&json).context("reading what `docker inspect` printed")
    }

    /// Runs `command` in it, with `variables` added to its own, for at most `timeout`. The caller judges the exit
    /// status.
    ///
    /// # Errors
    /// When docker fails, or the command does not end in time.
    pub fn exec(&self, variables: &[&str], command: &[&str], timeout: Duration) -> Result<Output> {
        let variables = variables.iter().flat_map(|pair| ["--env", *pair]);
        let words: Vec<_> = ["exec"]
            .into_iter()
            .chain(variables)
            .chain([&*self.name])
            .chain(command.iter().copied())
            .collect();
        self.docker.call(&words)?.timeout(timeout).output()
    }

    /// The last lines of both streams, redacted and without terminal control characters.
    ///
    /// # Errors
    /// When docker does not report them.
    pub fn logs(&self) -> Result<String> {
        let output = self.docker.call(&["logs", "--tail", LOG_LINES, &self.name])?.output()?.success()?;
        let stdout = crate::process::secret::redact(&String::from_utf8_lossy(&output.stdout));
        let is_text = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
        Ok(format!("{stdout}{}", output.stderr).chars().filter(is_text).collect())
    }

    /// Sends SIGTERM, waits for `patience`, then sends SIGKILL.
    ///
    /// # Errors
    /// When docker fails.
    pub fn stop(&self, patience: Duration) -> Result<()> {
        let seconds = patience.as_secs().to_string();
        let call = self.docker.call(&["stop", "--time", &seconds, &self.name])?;
        call.timeout(patience + Duration::from_secs(20)).run()
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        let removed = self
            .docker
            .call(&["rm", "--force", "--volumes", &self.name])
            .and_then(|call| call.after_interrupt().timeout(Duration::from_secs(30)).run());
        if let Err(error) = removed {
            stderr::line(format_args!(
                "xtask: removing a container: {error:#}; remove it with `docker rm --force {}`",
                self.name
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ContainerState;
    use std::time::Duration;

    #[test]
    fn how_long_a_container_ran_is_computed_from_the_engines_times() {
        let state = |started: &str, finished: &str| {
            let json = format!(
                r#"{{"Running": false, "ExitCode": 7, "OOMKilled": true, "StartedAt": "{started}", "FinishedAt": "{finished}"}}"#
            );
            serde_json::from_str::<ContainerState>(&json).unwrap()
        };
        let found = state("2026-11-28T11:12:36.9Z", "2026-11-28T11:12:38.000000001Z");
        assert_eq!(found.ran_for(), Some(Duration::new(1, 100_000_001)));
        assert!(found.lacked_memory && found.exit_code == 7);
        assert_eq!(
            state("2026-11-28T11:12:36Z", "2026-11-28T11:12:36.25Z").ran_for(),
            Some(Duration::from_millis(250))
        );
        // A container that never started, and one that is still running.
        assert_eq!(state("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z").ran_for(), None);
        assert_eq!(state("2026-11-28T11:12:36Z", "").ran_for(), None);
    }
}
