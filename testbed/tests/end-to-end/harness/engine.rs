//! The testbed's second engine. It has another version than the first and compresses layers differently.

use anyhow::{Context as _, Result};

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

impl Xtask<'_> {
    /// Uses the second engine instead of the first.
    pub(crate) fn on_the_second_engine(self) -> Result<Self> {
        Ok(second()?.into_iter().fold(self, |run, (name, value)| run.env(name, value)))
    }
}
