//! The newest buildx, built from its Go module: the client of people who install docker from its vendor. The
//! engines' own buildx comes from a distribution and is older.

use std::path::PathBuf;

use anyhow::Result;

use super::{Found, Part};
use crate::context::Context;
use crate::exports::State;
use crate::provision::golang::{self, Module};

/// Without cgo, so that it runs on any Linux.
const MODULE: Module = Module {
    path: "github.com/docker/buildx",
    version: "v0.38.2",
    package: "./cmd/buildx",
    tags: "",
    reported: ("github.com/docker/buildx/version.Version", "v0.38.2"),
    cgo: false,
};

/// See [`Part`].
pub(crate) struct Buildx;

impl Part for Buildx {
    fn name(&self) -> &'static str {
        "buildx"
    }

    fn find(&self, cx: &Context) -> Result<Option<Found>> {
        let prefix = prefix(cx)?;
        if !prefix.exists() {
            return Ok(None);
        }
        let program = prefix.join("bin/docker-buildx");
        Ok(Some(Found { version: MODULE.version.to_owned(), program, prefix: Some(prefix) }))
    }

    fn obstacle(&self, cx: &Context) -> Option<String> {
        golang::obstacle(cx)
    }

    fn provision(&self, cx: &Context) -> Result<()> {
        MODULE.provision(cx, &prefix(cx)?, "docker-buildx")
    }

    fn export(&self, found: &Found, state: &mut State) {
        state.export("TESTBED_BUILDX", found.program.display().to_string());
    }

    fn is_slow(&self) -> bool {
        true
    }
}

fn prefix(cx: &Context) -> Result<PathBuf> {
    MODULE.prefix(cx, "buildx")
}
