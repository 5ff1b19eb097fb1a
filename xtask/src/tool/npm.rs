//! npm: the strictness of `npm ci`, and the SBOM, both on an exported tree.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use xshell::cmd;

use crate::tool::Runner;

const INSTALL: &str = "install Node.js with npm 10 or newer";
const TIMEOUT: Duration = Duration::from_secs(120);

/// npm in one package's directory.
pub struct Npm<'a> {
    runner: &'a Runner,
    package: &'a Path,
}

impl<'a> Npm<'a> {
    /// `package` holds `package.json` and `package-lock.json`.
    #[must_use]
    pub fn new(runner: &'a Runner, package: &'a Path) -> Self {
        Self { runner, package }
    }

    /// `npm ci --dry-run`: whether the lockfile satisfies package.json. `Err` of the inner result is npm's own words.
    ///
    /// # Errors
    /// When npm cannot be run.
    pub fn check_lockfile(&self) -> Result<Result<(), String>> {
        let sh = self.runner.shell()?;
        let check = cmd!(sh, "npm ci --dry-run --offline --ignore-scripts --no-audit --no-fund --logs-max=0");
        let output =
            self.runner.call(check).dir(self.package).install_hint(INSTALL).timeout(TIMEOUT).output()?;
        match output.status.code() {
            Some(0) => Ok(Ok(())),
            Some(1) => Ok(Err(output.stderr.trim().to_owned())),
            _ => Err(output.failure()),
        }
    }

    /// The `CycloneDX` SBOM of the production dependencies, as npm writes it.
    ///
    /// # Errors
    /// When npm fails.
    pub fn sbom(&self) -> Result<String> {
        let sh = self.runner.shell()?;
        let sbom = cmd!(
            sh,
            "npm sbom --package-lock-only --omit=dev --sbom-format=cyclonedx --sbom-type=application --logs-max=0"
        );
        let call = self.runner.call(sbom).dir(self.package).install_hint(INSTALL).timeout(TIMEOUT);
        call.read().context("making the SBOM")
    }
}
