//! A database for tests of services that need one: redis from Debian's packages, for both platforms. It is made
//! like the stand-in for the base image, because the registry with the usual image may not be reachable.

use std::net::SocketAddr;

use anyhow::Result;

use super::{EPOCH, Made, tree};
use crate::context::Context;
use crate::exports::State;
use crate::parts::Found;
use crate::provision;

/// The reference of the image, by tag and digest.
const EXPORT: &str = "TESTBED_COMPANION";

/// Its path in the loopback registry.
const REPOSITORY: &str = "testbed/redis";

/// Its tag. It does not name the version; the digest decides that.
const TAG: &str = "debian";

/// Increased when the recipe below changes.
const RECIPE: &str = "1";

/// `dash` is for a `ready` command that needs a shell.
const PACKAGES: [&str; 6] = ["base-files", "base-passwd", "coreutils", "dash", "redis-server", "redis-tools"];

const DOCKERFILE: &str = include_str!("companion.Dockerfile");

/// Makes it unless the registry has it, and exports it. It needs what a stand-in needs. Where that is missing, nothing
/// is exported, and the tests that need the database report it.
pub(crate) fn ensure(cx: &Context, docker: &Found, address: SocketAddr, state: &mut State) -> Result<()> {
    let Some(debian) = &cx.host.debian else {
        cx.progress.line("companion", "not made; this needs root on Debian 12 or later");
        return Ok(());
    };
    let recipe = [RECIPE, &debian.codename, &PACKAGES.concat(), EPOCH, DOCKERFILE];
    let image = Made {
        part: "companion",
        dir: provision::prefix(cx, "companion", &recipe),
        repository: REPOSITORY,
        tag: TAG,
        dockerfile: DOCKERFILE,
        argument: None,
        tree: &|architecture, tar| tree::make(cx, &PACKAGES, architecture, EPOCH, tar, |_root| Ok(())),
    };
    let pinned = image.ensure(cx, docker, address, state)?;
    state.export(EXPORT, pinned);
    Ok(())
}
