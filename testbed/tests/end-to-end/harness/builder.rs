//! A builder besides docker's own, registered by name in the configuration of one test only.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use xtask::process::temp_dir::TempDir;

use super::checkout::text;
use super::{call, export};

/// Its name.
const NAME: &str = "elsewhere";

/// The builder's name and its configuration, which is removed when the value is dropped.
pub(crate) struct Builder {
    configuration: TempDir,
    /// The lock on the second builder, which only one test at a time may use.
    _turn: Option<MutexGuard<'static, ()>>,
}

impl Builder {
    /// The builder that listens at `address`.
    pub(crate) fn new(address: &str) -> Result<Self> {
        let builder = Self { configuration: TempDir::new()?, _turn: None };
        // As for a person who keeps docker's configuration in a separate directory.
        let plugins = Path::new(&export("DOCKER_CONFIG")?).join("cli-plugins");
        if plugins.is_dir() {
            symlink(&plugins, builder.configuration.path().join("cli-plugins")).context("linking plugins")?;
        }
        builder.buildx(&["create", "--driver", "remote", "--name", NAME, address])?;
        Ok(builder)
    }

    /// The testbed's second `BuildKit`. Only one test at a time may use it, because one test empties its cache.
    pub(crate) fn second() -> Result<Self> {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Self { _turn: Some(turn), ..Self::new(&export("TESTBED_BUILDKIT")?)? })
    }

    /// Its name.
    pub(crate) fn name(&self) -> &'static str {
        NAME
    }

    /// Its `DOCKER_CONFIG`.
    pub(crate) fn configuration(&self) -> Result<&str> {
        text(self.configuration.path())
    }

    /// `docker buildx` with this builder.
    pub(crate) fn buildx(&self, arguments: &[&str]) -> Result<String> {
        let call = call("docker", &[&["buildx"], arguments].concat())?;
        call.env("DOCKER_CONFIG", self.configuration.path()).read()
    }
}
