//! Builders other than the first engine's: the testbed's second engine, which has another version and compresses layers
//! differently, and the newest buildx.

use std::fs;
use std::os::unix::fs::symlink;

use anyhow::{Context as _, Result};
use xtask::process::temp_dir::TempDir;

use super::checkout::text;
use super::run::Xtask;
use super::{environment, export};

/// The variables that make docker and buildx use the second engine.
pub(crate) fn second() -> Result<[(&'static str, String); 3]> {
    let path = environment().get("PATH")?.map(str::to_owned).context("`PATH` is not set")?;
    Ok([
        ("DOCKER_HOST", export("TESTBED_ENGINE_2")?),
        ("DOCKER_CONFIG", export("TESTBED_ENGINE_2_CONFIG")?),
        ("PATH", format!("{}:{path}", export("TESTBED_ENGINE_2_BIN")?)),
    ])
}

/// Makes `configuration` a directory for `DOCKER_CONFIG` with the newest buildx as docker's plugin, and returns its
/// path.
pub(crate) fn newest_buildx(configuration: &TempDir) -> Result<String> {
    let plugins = configuration.path().join("cli-plugins");
    fs::create_dir(&plugins)?;
    symlink(export("TESTBED_BUILDX")?, plugins.join("docker-buildx"))?;
    Ok(text(configuration.path())?.to_owned())
}

impl Xtask<'_> {
    /// Uses the second engine instead of the first.
    pub(crate) fn on_the_second_engine(self) -> Result<Self> {
        Ok(second()?.into_iter().fold(self, |run, (name, value)| run.env(name, value)))
    }
}
