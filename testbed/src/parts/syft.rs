//! Syft: an independent scanner. Its list of an image's contents is compared with the release's SBOM.

use std::path::PathBuf;

use anyhow::Result;
use xshell::cmd;

use super::{Found, Part};
use crate::context::Context;
use crate::exports::State;
use crate::provision::golang::{self, Module};

/// Pinned, so that the differences that the tests explain stay the same.
const MODULE: Module = Module {
    path: "github.com/anchore/syft",
    version: "v1.57.1",
    package: "./cmd/syft",
    tags: "",
    reported: ("main.version", "1.57.1"),
    cgo: false,
};

/// See [`Part`].
pub(crate) struct Syft;

impl Part for Syft {
    fn name(&self) -> &'static str {
        "syft"
    }

    fn find(&self, cx: &Context) -> Result<Option<Found>> {
        let prefix = prefix(cx)?;
        if !prefix.exists() {
            return Ok(None);
        }
        let program = prefix.join("bin/syft");
        let shell = cx.runner.shell()?;
        // Without the variable, it asks its vendor's server for a newer version.
        let call = cx.runner.call(cmd!(shell, "{program} --version"));
        let said = call.env("SYFT_CHECK_FOR_APP_UPDATE", "false").read()?;
        let version = said.trim_start_matches("syft ").to_owned();
        Ok(Some(Found { version, program, prefix: Some(prefix) }))
    }

    fn obstacle(&self, cx: &Context) -> Option<String> {
        golang::obstacle(cx)
    }

    fn provision(&self, cx: &Context) -> Result<()> {
        MODULE.provision(cx, &prefix(cx)?, "syft")
    }

    fn export(&self, found: &Found, state: &mut State) {
        state.export("TESTBED_SYFT", found.program.display().to_string());
    }

    fn is_slow(&self) -> bool {
        true
    }
}

fn prefix(cx: &Context) -> Result<PathBuf> {
    MODULE.prefix(cx, "syft")
}
