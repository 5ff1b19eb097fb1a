//! A network that is removed when its value is dropped.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{Docker, leftovers, run::LABEL};
use crate::process::stderr;

/// Without this, a container can reach servers on the engine's own machine, through the address of the network's
/// bridge (docs/facts.md#networks-without-the-host).
const WITHOUT_HOST: &str = "com.docker.network.bridge.inhibit_ipv4=true";

/// How long the engine may take to make a network.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A network without access to the outside. Dropping this removes it, also after an error or a signal.
pub struct Network<'a> {
    docker: &'a Docker<'a>,
    name: String,
}

impl<'a> Network<'a> {
    /// Makes a network with the label `label`, after removing what killed runs with the same label have left behind;
    /// `longest` is the time that a smoke test may take. An engine has room for about thirty networks. If the first
    /// attempt fails, unused networks of killed runs are removed whatever their label, and a second attempt follows.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn new(docker: &'a Docker<'a>, label: &str, longest: Duration) -> Result<Self> {
        let network = Self { docker, name: format!("{LABEL}-{}", crate::process::temp_dir::random_hex()?) };
        leftovers::remove(docker, label, longest)?;
        network.create(label).or_else(|first| {
            crate::process::interrupt::check()?;
            leftovers::prune_networks(docker, longest)?;
            network.create(label).with_context(|| format!("making a network for the smoke test ({first:#})"))
        })?;
        Ok(network)
    }

    /// A signal does not end the call: otherwise the engine might make the network after this process has removed it.
    fn create(&self, label: &str) -> Result<()> {
        crate::process::interrupt::check()?;
        let label = format!("{LABEL}={label}");
        let create =
            ["network", "create", "--internal", "--opt", WITHOUT_HOST, "--label", &label, &self.name];
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
            stderr::line(format_args!(
                "xtask: removing a network: {error:#}; remove it with `docker network rm {}`",
                self.name
            ));
        }
    }
}
