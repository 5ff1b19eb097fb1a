//! A container that stays: a service of this machine that later commands ask.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::Docker;

/// Its image may have to be pulled.
const START: Duration = Duration::from_secs(300);

impl Docker<'_> {
    /// The address on loopback of `port` in the container `name`, which is started from `image` where it does not run.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn service(&self, name: &str, image: &str, port: u16) -> Result<String> {
        let inner = format!("{port}/tcp");
        let running = self.call(&["port", name, &inner])?.output()?;
        if running.status.success() {
            return first_line(&running.text()?);
        }
        // One that has stopped has lost its port; where there is none this fails, and the next line says all.
        let stopped = self.call(&["rm", "--force", "--volumes", name])?.output()?;
        let publish = format!("--publish=127.0.0.1::{port}");
        let named = format!("--name={name}");
        let run = ["run", "--detach", &named, &publish, "--security-opt=no-new-privileges", image];
        self.call(&run)?.timeout(START).run().with_context(|| stopped.stderr.trim().to_owned())?;
        first_line(&self.call(&["port", name, &inner])?.read()?)
    }
}

/// `docker port` prints a line for each address; with one published address there is one.
fn first_line(text: &str) -> Result<String> {
    let line = text.lines().next().map(str::trim).filter(|line| !line.is_empty());
    line.map(str::to_owned).context("docker names no port of the container")
}
