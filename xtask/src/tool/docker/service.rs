//! A container that outlives this process: a local service for later commands too.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::Docker;

/// The image may have to be pulled first.
const START: Duration = Duration::from_secs(300);

impl Docker<'_> {
    /// The loopback address of `port` in the container `name`. The container is started from `image` if it is not
    /// running.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn service(&self, name: &str, image: &str, port: u16) -> Result<String> {
        let inner = format!("{port}/tcp");
        let running = self.call(&["port", name, &inner])?.output()?;
        if running.status.success() {
            return first_line(&running.text()?);
        }
        // A stopped container has lost its port. If there is no container, this changes nothing, and docker's error
        // would only distract from the reason why a start fails.
        self.call(&["rm", "--force", "--volumes", name])?.output()?;
        let publish = format!("--publish=127.0.0.1::{port}");
        let named = format!("--name={name}");
        let run = ["run", "--detach", &named, &publish, "--security-opt=no-new-privileges", image];
        self.call(&run)?.timeout(START).run()?;
        first_line(&self.call(&["port", name, &inner])?.read()?)
    }

    /// The image from which the container `name` runs, in the words of the command that started it. `None` if it does
    /// not run.
    ///
    /// # Errors
    /// When docker cannot be started.
    pub fn service_image(&self, name: &str) -> Result<Option<String>> {
        let format = "{{if .State.Running}}{{.Config.Image}}{{end}}";
        let output = self.call(&["container", "inspect", "--format", format, name])?.output()?;
        // docker fails if there is no container. If it failed for another reason, `service` reports that.
        let image = if output.status.success() { output.text()?.trim().to_owned() } else { String::new() };
        Ok(Some(image).filter(|image| !image.is_empty()))
    }
}

/// `docker port` prints one line per address. Only one address is published.
fn first_line(text: &str) -> Result<String> {
    let line = text.lines().next().map(str::trim).filter(|line| !line.is_empty());
    line.map(str::to_owned).context("docker names no port of the container")
}
