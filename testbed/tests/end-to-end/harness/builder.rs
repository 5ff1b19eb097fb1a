//! A builder beside docker's own, known by name in a configuration of one test alone.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use xtask::process::scratch::Scratch;

use super::checkout::text;
use super::{call, export};

/// What it is called.
const NAME: &str = "elsewhere";

/// The builder's name and where it is written down, which goes away with the value.
pub(crate) struct Builder {
    configuration: Scratch,
    /// Where nobody else may use it meanwhile.
    _turn: Option<MutexGuard<'static, ()>>,
}

impl Builder {
    /// The one that listens at `address`.
    pub(crate) fn new(address: &str) -> Result<Self> {
        let builder = Self { configuration: Scratch::new()?, _turn: None };
        // As a person has it who keeps docker's configuration in a directory of their own.
        let plugins = Path::new(&export("DOCKER_CONFIG")?).join("cli-plugins");
        if plugins.is_dir() {
            symlink(&plugins, builder.configuration.path().join("cli-plugins")).context("linking plugins")?;
        }
        builder.buildx(&["create", "--driver", "remote", "--name", NAME, address])?;
        Ok(builder)
    }

    /// The testbed's second `BuildKit`, for one test at a time: one of them empties its cache.
    pub(crate) fn second() -> Result<Self> {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Self { _turn: Some(turn), ..Self::new(&export("TESTBED_BUILDKIT")?)? })
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &'static str {
        NAME
    }

    /// Where docker finds it: `DOCKER_CONFIG`.
    pub(crate) fn configuration(&self) -> Result<&str> {
        text(self.configuration.path())
    }

    /// `docker buildx`, which knows it.
    pub(crate) fn buildx(&self, arguments: &[&str]) -> Result<String> {
        let call = call("docker", &[&["buildx"], arguments].concat())?;
        call.env("DOCKER_CONFIG", self.configuration.path()).read()
    }
}
