//! The forge: Gitea, whose release API, container registry and Actions answer like Forgejo's. It is built from its
//! Go module, always in this version. `TESTBED_FORGE_URL` names an existing forge, to be used instead.

use std::path::PathBuf;

use anyhow::Result;
use xshell::cmd;

use super::{Found, Part};
use crate::context::Context;
use crate::exports::State;
use crate::files::private_dir;
use crate::provision;
use crate::provision::golang::{self, Module};

/// The module with its source.
pub(crate) const MODULE: Module = Module {
    path: "code.gitea.io/gitea",
    version: "v1.26.0",
    package: ".",
    tags: "sqlite sqlite_unlock_notify",
    reported: ("main.Version", "1.26.0"),
    cgo: true,
};

/// What it reads besides its binary: page templates, licences and translations, icons.
pub(crate) const STATIC: [&str; 3] = ["templates", "options", "public"];

/// See [`Part`].
pub(crate) struct Forge;

impl Part for Forge {
    fn name(&self) -> &'static str {
        "forge"
    }

    fn find(&self, cx: &Context) -> Result<Option<Found>> {
        let prefix = prefix(cx)?;
        Ok(prefix.exists().then(|| Found {
            version: format!("Gitea {}", MODULE.version),
            program: prefix.join("bin/gitea"),
            prefix: Some(prefix),
        }))
    }

    fn obstacle(&self, cx: &Context) -> Option<String> {
        let missing: Vec<_> =
            ["go", "gcc", "git"].into_iter().filter(|name| cx.host.which(name).is_none()).collect();
        (!missing.is_empty()).then(|| {
            format!(
                "install Go, gcc and git (not found: {}), or set `TESTBED_FORGE_URL` and `TESTBED_FORGE_ADMIN_TOKEN`",
                missing.join(", ")
            )
        })
    }

    fn provision(&self, cx: &Context) -> Result<()> {
        provision::complete(cx, &prefix(cx)?, |partial| {
            let source = MODULE.fetch(cx)?;
            private_dir(&partial.join("bin"))?;
            private_dir(&partial.join("share"))?;
            MODULE.build(cx, &source, &partial.join("bin/gitea"))?;
            let shell = cx.runner.shell()?;
            for name in STATIC {
                // Go's cache is read-only and may be cleaned. `go clean` must not remove the forge's pages.
                let (from, to) = (source.join(name), partial.join("share"));
                let copy = cmd!(shell, "cp --recursive --no-preserve=mode {from} {to}");
                cx.runner.call(copy).run()?;
            }
            Ok(())
        })
    }

    fn export(&self, _found: &Found, _state: &mut State) {
        // The tests use the running service, see `services/forge.rs`.
    }

    fn is_slow(&self) -> bool {
        true
    }
}

fn prefix(cx: &Context) -> Result<PathBuf> {
    Ok(provision::prefix(cx, "forge", &["1", MODULE.version, MODULE.tags, &golang::version(cx)?]))
}
