//! A separate `BuildKit`, built from its Go module. Its version and driver differ from docker's own builder, and a
//! commit must give the same digest on both. `TESTBED_BUILDKIT` names one that already runs, to be
//! used instead.

use std::path::PathBuf;

use anyhow::Result;

use super::{Found, Part};
use crate::context::Context;
use crate::exports::State;
use crate::provision::golang::Module;

/// Without cgo, so that it runs on any Linux.
const MODULE: Module = Module {
    path: "github.com/moby/buildkit",
    version: "v0.34.2",
    package: "./cmd/buildkitd",
    tags: "",
    reported: ("github.com/moby/buildkit/version.Version", "v0.34.2"),
    cgo: false,
};

/// See [`Part`].
pub(crate) struct Buildkit;

impl Part for Buildkit {
    fn name(&self) -> &'static str {
        "buildkit"
    }

    fn find(&self, cx: &Context) -> Result<Option<Found>> {
        let prefix = prefix(cx)?;
        Ok(prefix.exists().then(|| Found {
            version: MODULE.version.to_owned(),
            program: prefix.join("bin/buildkitd"),
            prefix: Some(prefix),
        }))
    }

    fn obstacle(&self, cx: &Context) -> Option<String> {
        let has_runc = cx.host.debian.is_some() || cx.host.which("runc").is_some();
        let can_run = cx.host.is_root && has_runc && cx.host.which("go").is_some();
        (!can_run).then(|| {
            "install Go and runc and run this as root, or set `TESTBED_BUILDKIT` to the address of a buildkitd that \
             runs on this machine"
                .to_owned()
        })
    }

    fn provision(&self, cx: &Context) -> Result<()> {
        MODULE.provision(cx, &prefix(cx)?, "buildkitd")
    }

    fn export(&self, _found: &Found, _state: &mut State) {
        // The tests use the running service, see `services/buildkit.rs`.
    }

    fn is_slow(&self) -> bool {
        true
    }
}

fn prefix(cx: &Context) -> Result<PathBuf> {
    MODULE.prefix(cx, "buildkit")
}
