//! Crane: another second opinion, and a handy tool for inspecting a registry.

use std::path::PathBuf;

use anyhow::Result;
use xshell::cmd;

use super::{Found, Part};
use crate::context::Context;
use crate::exports::State;
use crate::provision::{self, golang};

/// Pinned, so that a cached build stays valid.
const VERSION: &str = "v0.22.1";

const PACKAGE: &str = "github.com/google/go-containerregistry/cmd/crane";

/// See [`Part`].
pub(crate) struct Crane;

impl Part for Crane {
    fn name(&self) -> &'static str {
        "crane"
    }

    fn find(&self, cx: &Context) -> Result<Option<Found>> {
        let prefix = prefix(cx);
        let (program, prefix) = match cx.host.which("crane") {
            Some(program) => (program, None),
            None if prefix.exists() => (prefix.join("bin/crane"), Some(prefix)),
            None => return Ok(None),
        };
        let shell = cx.runner.shell()?;
        let version = cx.runner.call(cmd!(shell, "{program} version")).read()?;
        Ok(Some(Found { version, program, prefix }))
    }

    fn obstacle(&self, cx: &Context) -> Option<String> {
        cx.host.which("go").is_none().then(|| format!("install Go, then `go install {PACKAGE}@{VERSION}`"))
    }

    fn provision(&self, cx: &Context) -> Result<()> {
        provision::complete(cx, &prefix(cx), |partial| {
            golang::install(cx, PACKAGE, VERSION, &partial.join("bin"))
        })
    }

    fn export(&self, found: &Found, state: &mut State) {
        state.export("TESTBED_CRANE", found.program.display().to_string());
    }

    fn is_slow(&self) -> bool {
        true
    }
}

fn prefix(cx: &Context) -> PathBuf {
    provision::prefix(cx, "crane", &["1", VERSION])
}
