//! A network that does not outlive the value.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{Docker, run::LABEL};

/// How long the engine may take for one.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A network without a way out, that is removed on every way out.
pub struct Network<'a> {
    docker: &'a Docker<'a>,
    name: String,
}

impl<'a> Network<'a> {
    /// Makes one, labelled with `label`. An engine has room for about thirty: where it has none left, those go that runs
    /// which were killed left more than an hour ago.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn new(docker: &'a Docker<'a>, label: &str) -> Result<Self> {
        let network = Self { docker, name: format!("{LABEL}-{}", crate::process::scratch::random_hex()?) };
        network.create(label).or_else(|first| {
            crate::process::interrupt::check()?;
            let prune = ["network", "prune", "--force", "--filter", &format!("label={LABEL}")];
            let prune = [&prune[..], &["--filter", "until=1h"]].concat();
            docker.call(&prune)?.timeout(TIMEOUT).run()?;
            network.create(label).with_context(|| format!("making a network for the smoke test ({first:#})"))
        })?;
        Ok(network)
    }

    /// A signal does not end the call: what the engine goes on to make would be there after it was removed.
    fn create(&self, label: &str) -> Result<()> {
        crate::process::interrupt::check()?;
        let label = format!("{LABEL}={label}");
        let create = ["network", "create", "--internal", "--label", &label, &self.name];
        self.docker.call(&create)?.after_interrupt().timeout(TIMEOUT).read()?;
        Ok(crate::process::interrupt::check()?)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Network<'_> {
    fn drop(&mut self) {
        let removed = self
            .docker
            .call(&["network", "rm", "--force", &self.name])
            .and_then(|call| call.after_interrupt().timeout(TIMEOUT).run());
        if let Err(error) = removed {
            eprintln!(
                "xtask: removing a network: {error:#}; remove it with `docker network rm {}`",
                self.name
            );
        }
    }
}
