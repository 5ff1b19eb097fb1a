//! The testbed, for the commands that need real parts on loopback. They use its command line, because xtask does not
//! depend on its package.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use xshell::cmd;

use crate::process::environment::Environment;
use crate::process::{Call, Runner};

/// The first start builds and downloads what the machine lacks.
const PROVISIONING: Duration = Duration::from_secs(60 * 60);

/// Set if a testbed's exports are already in the environment; that testbed is used as it is.
const REGISTRY: &str = "TESTBED_REGISTRY";

/// Whether the repository at `root` has a testbed. The tool's own repository has one; a repository that uses the tool
/// does not.
pub(super) fn is_in(root: &Path) -> bool {
    root.join("testbed/Cargo.toml").is_file()
}

/// What the testbed is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// docker, cosign, a registry and a base image.
    Rehearsal,
    /// The whole testbed: also the forge, its runner and the second opinions.
    Tests,
}

/// Brings the testbed up if it is not running, and returns `environment` with its exports.
///
/// # Errors
/// When the testbed cannot be brought up.
pub(super) fn ensure(environment: &Environment, root: &Path, purpose: Purpose) -> Result<Environment> {
    if environment.get(REGISTRY)?.is_some() {
        return Ok(environment.clone());
    }
    let up = match purpose {
        Purpose::Rehearsal => "up --for rehearsal",
        Purpose::Tests => "up",
    };
    call(environment, root, up)?.timeout(PROVISIONING).inherit().context("bringing up the testbed")?;
    let json = call(environment, root, "env --json")?.read()?;
    let exports: BTreeMap<String, String> =
        serde_json::from_str(&json).context("reading what `testbed env --json` printed")?;
    Ok(environment.with(exports))
}

/// A call of the testbed. It also sees the testbed's own variables: its directory, or an existing forge.
fn call(environment: &Environment, root: &Path, command: &str) -> Result<Call> {
    let runner = Runner::new(environment);
    let sh = runner.shell()?;
    let words = command.split(' ');
    let cargo = cmd!(sh, "cargo run --quiet --locked --package testbed -- {words...}");
    let mut call = runner.call(cargo).dir(root);
    for (name, value) in environment.testbed()? {
        call = call.env(name, value);
    }
    Ok(call)
}

/// The testbed's registry, as `127.0.0.1:PORT`.
///
/// # Errors
/// When the environment does not name it.
pub(super) fn registry(environment: &Environment) -> Result<&str> {
    environment.get(REGISTRY)?.with_context(|| format!("the testbed's exports have no `{REGISTRY}`"))
}
