//! A container that does not outlive the value.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::Docker;

/// A running container that is removed on every way out.
pub struct Container<'a> {
    docker: &'a Docker<'a>,
    name: String,
}

/// How a container stands.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ContainerState {
    /// Whether its process lives.
    pub running: bool,
    /// Its exit code once it does not.
    pub exit_code: i32,
}

impl<'a> Container<'a> {
    /// The container of that name, started or about to be.
    pub(super) fn new(docker: &'a Docker<'a>, name: String) -> Self {
        Self { docker, name }
    }

    /// Where the container's `port` is reached on loopback, as `127.0.0.1:PORT`.
    ///
    /// # Errors
    /// When docker does not say.
    pub fn address(&self, port: u16) -> Result<String> {
        let port = format!("{port}/tcp");
        let text = self.docker.call(&["port", &self.name, &port])?.read()?;
        let address =
            text.lines().next().with_context(|| format!("`docker port` names no address for {port}"))?;
        Ok(address.to_owned())
    }

    /// Whether it runs, and how it ended.
    ///
    /// # Errors
    /// When docker does not say.
    pub fn state(&self) -> Result<ContainerState> {
        let json = self.docker.call(&["inspect", "--format", "{{json .State}}", &self.name])?.read()?;
        serde_json::from_str(&json).context("reading what `docker inspect` printed")
    }

    /// The end of what it wrote to both streams.
    ///
    /// # Errors
    /// When docker does not say.
    pub fn logs(&self) -> Result<String> {
        let output = self.docker.call(&["logs", "--tail", "20", &self.name])?.output()?.success()?;
        Ok(format!("{}{}", crate::secret::redact(&output.text()?), output.stderr))
    }

    /// Sends SIGTERM, waits `patience`, then SIGKILL.
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
            eprintln!(
                "xtask: removing a container: {error:#}; remove it with `docker rm --force {}`",
                self.name
            );
        }
    }
}
