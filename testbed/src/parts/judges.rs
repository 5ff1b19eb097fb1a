//! Judges by other people: the in-toto project's definition of provenance, and CycloneDX's schema. They are Python
//! packages in an environment of their own. The scripts in `testbed/judges/` call them.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use xshell::cmd;

use super::{Found, Part, version_in};
use crate::context::Context;
use crate::exports::State;
use crate::provision;

/// Each package, pinned to one version and by its digests.
const REQUIREMENTS: &str = include_str!("../../judges/requirements.txt");

/// The oldest Python that the pinned packages accept.
const OLDEST: (u64, u64) = (3, 11);

/// Enough for a slow registry.
const TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// See [`Part`].
pub(crate) struct Judges;

impl Part for Judges {
    fn name(&self) -> &'static str {
        "judges"
    }

    fn find(&self, cx: &Context) -> Result<Option<Found>> {
        let Some(version) = python(cx)? else { return Ok(None) };
        let prefix = prefix(cx, &version);
        let program = prefix.join("bin/python");
        Ok(prefix.exists().then_some(Found { version, program, prefix: Some(prefix) }))
    }

    fn obstacle(&self, cx: &Context) -> Option<String> {
        let missing =
            || format!("Python 3.11 or later with venv: `{}`", cx.host.install_command("python3-venv"));
        // An error is reported when it is provisioned.
        matches!(python(cx), Ok(None)).then(missing)
    }

    fn provision(&self, cx: &Context) -> Result<()> {
        let version = python(cx)?.context("`python3` is not on the PATH any more")?;
        provision::complete(cx, &prefix(cx, &version), |partial| {
            let (python, shell) = (cx.required("python3")?, cx.runner.shell()?);
            cx.runner.call(cmd!(shell, "{python} -m venv {partial}")).timeout(TIMEOUT).run()?;
            let file = partial.join("requirements.txt");
            std::fs::write(&file, REQUIREMENTS).with_context(|| format!("writing `{}`", file.display()))?;
            let python = partial.join("bin/python");
            // Only wheels, so that no code from the packages runs during the installation.
            let install = cmd!(
                shell,
                "{python} -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: --requirement {file}"
            );
            let call = cx.with_package_settings(cx.runner.call(install).timeout(TIMEOUT))?;
            call.run().context("fetching the judges' Python packages")
        })
    }

    fn export(&self, found: &Found, state: &mut State) {
        state.export("TESTBED_PYTHON", found.program.display().to_string());
    }
}

/// The version of the machine's Python, if it is recent enough.
fn python(cx: &Context) -> Result<Option<String>> {
    let Some(program) = cx.host.which("python3") else { return Ok(None) };
    let shell = cx.runner.shell()?;
    let version = cx.runner.call(cmd!(shell, "{program} --version")).read()?;
    Ok(Some(version).filter(|version| version_in(version) >= Some(OLDEST)))
}

/// The prefix depends on `python`, because the environment links to the Python that made it.
fn prefix(cx: &Context, python: &str) -> PathBuf {
    provision::prefix(cx, "judges", &["1", REQUIREMENTS, python])
}
