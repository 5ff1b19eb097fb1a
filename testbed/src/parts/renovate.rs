//! Renovate's own validator of configurations, with all that it imports: npm packages, each pinned by its digest in
//! `testbed/judges/renovate/package-lock.json`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;
use xshell::cmd;

use super::{Found, Part};
use crate::context::Context;
use crate::exports::State;
use crate::provision;

const MANIFEST: &str = include_str!("../../judges/renovate/package.json");
const LOCKFILE: &str = include_str!("../../judges/renovate/package-lock.json");

/// Enough for some 800 packages from a slow registry.
const TIMEOUT: Duration = Duration::from_secs(20 * 60);

/// See [`Part`].
pub(crate) struct Renovate;

impl Part for Renovate {
    fn name(&self) -> &'static str {
        "renovate"
    }

    fn find(&self, cx: &Context) -> Result<Option<Found>> {
        let prefix = prefix(cx);
        if !prefix.exists() {
            return Ok(None);
        }
        let program = prefix.join("node_modules/renovate/dist/config-validator.js");
        Ok(Some(Found { version: version()?, program, prefix: Some(prefix) }))
    }

    fn obstacle(&self, cx: &Context) -> Option<String> {
        let missing = || format!("npm: `{}`", cx.host.install_command("nodejs npm"));
        cx.host.which("npm").is_none().then(missing)
    }

    fn provision(&self, cx: &Context) -> Result<()> {
        provision::complete(cx, &prefix(cx), |partial| {
            for (name, text) in [("package.json", MANIFEST), ("package-lock.json", LOCKFILE)] {
                let file = partial.join(name);
                std::fs::write(&file, text).with_context(|| format!("writing `{}`", file.display()))?;
            }
            let (npm, shell) = (cx.required("npm")?, cx.runner.shell()?);
            // The optional packages are compiled parts for other machines, and faster versions of packages that are
            // also there in JavaScript.
            let install = cmd!(
                shell,
                "{npm} ci --ignore-scripts --omit=optional --no-audit --no-fund --no-update-notifier --logs-max=0 --silent"
            );
            let call = cx.runner.call(install).dir(partial).timeout(TIMEOUT);
            cx.with_package_settings(call)?.run().context("fetching Renovate's npm packages")
        })
    }

    fn export(&self, found: &Found, state: &mut State) {
        state.export("TESTBED_RENOVATE_VALIDATOR", found.program.display().to_string());
    }
}

/// The version that the manifest pins.
fn version() -> Result<String> {
    let manifest: Value = serde_json::from_str(MANIFEST).context("reading Renovate's `package.json`")?;
    let version = manifest["dependencies"]["renovate"].as_str();
    Ok(version.context("`judges/renovate/package.json` does not name `renovate`")?.to_owned())
}

fn prefix(cx: &Context) -> PathBuf {
    provision::prefix(cx, "renovate", &["1", LOCKFILE])
}
