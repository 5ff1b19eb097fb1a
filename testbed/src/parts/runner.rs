//! The forge's runner, which starts the jobs of workflows. It is built from its Go module, always in this version.

use std::path::PathBuf;

use anyhow::Result;

use super::{Found, Part};
use crate::context::Context;
use crate::exports::State;
use crate::provision::golang::Module;

const MODULE: Module = Module {
    path: "gitea.com/gitea/runner",
    version: "v1.0.8",
    package: ".",
    tags: "",
    reported: ("gitea.com/gitea/runner/internal/pkg/ver.version", "1.0.8"),
    cgo: false,
};

/// See [`Part`].
pub(crate) struct ForgeRunner;

impl Part for ForgeRunner {
    fn name(&self) -> &'static str {
        "runner"
    }

    fn find(&self, cx: &Context) -> Result<Option<Found>> {
        let prefix = prefix(cx)?;
        Ok(prefix.exists().then(|| Found {
            version: MODULE.version.to_owned(),
            program: prefix.join("bin/gitea-runner"),
            prefix: Some(prefix),
        }))
    }

    fn obstacle(&self, cx: &Context) -> Option<String> {
        cx.host.which("go").is_none().then(|| "install Go".to_owned())
    }

    fn provision(&self, cx: &Context) -> Result<()> {
        MODULE.provision(cx, &prefix(cx)?, "gitea-runner")
    }

    fn export(&self, _found: &Found, _state: &mut State) {
        // The tests do not call it. It gets its jobs from the forge.
    }

    fn is_slow(&self) -> bool {
        true
    }
}

fn prefix(cx: &Context) -> Result<PathBuf> {
    MODULE.prefix(cx, "runner")
}
