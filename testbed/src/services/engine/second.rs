//! The second engine. It is like the first, but has its own bridge and rules, so that neither touches the other's
//! network.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Result, bail};
use serde_json::json;

use super::SECOND;
use crate::bridge::Bridge;
use crate::context::Context;
use crate::exports::State;
use crate::files::remove_dir;
use crate::parts::Found;
use crate::parts::docker_2;
use crate::provision::text;

/// Its `DOCKER_HOST`.
pub(crate) const ADDRESS: &str = "TESTBED_ENGINE_2";

/// The directory of its `docker`.
const PROGRAMS: &str = "TESTBED_ENGINE_2_BIN";

/// Its `DOCKER_CONFIG`, with its buildx as a plugin.
const CONFIGURATION: &str = "TESTBED_ENGINE_2_CONFIG";

/// The user's settings for one that already runs, if there are any. A shell may have our own exports, which name the
/// one that we start; these do not count.
pub(crate) fn given(cx: &Context) -> Result<Option<[String; 3]>> {
    let names = [ADDRESS, PROGRAMS, CONFIGURATION];
    let own = SECOND.address(&cx.layout)?;
    let mut values = Vec::new();
    for name in names {
        values.extend(cx.variable(name)?.map(str::to_owned));
    }
    match <[String; 3]>::try_from(values) {
        Ok(values) if values[0] == own => Ok(None),
        Ok(values) => Ok(Some(values)),
        Err(values) if values.is_empty() => Ok(None),
        Err(_some) => bail!("only some of `{}` are set; set all three or none", names.join("`, `")),
    }
}

/// Uses the one that was given, and ends our own.
pub(crate) fn take(cx: &Context, given: [String; 3], state: &mut State) -> Result<()> {
    stop(cx)?;
    cx.progress.line(SECOND.dockerd, &format!("{} is used", given[0]));
    for (name, value) in [ADDRESS, PROGRAMS, CONFIGURATION].into_iter().zip(given) {
        state.export(name, value);
    }
    Ok(())
}

/// Starts it unless it runs and answers, and exports its address.
pub(crate) fn ensure(cx: &Context, docker: &Found, registry: SocketAddr, state: &mut State) -> Result<()> {
    let prefix = docker.prefix.as_deref().unwrap_or(Path::new("/usr"));
    let bridge = Bridge::of(&cx.layout);
    // Two engines that both write rules flush each other's chains, because the chains have the same names.
    let settings = json!({
        "bridge": bridge.name(),
        "iptables": false,
        "ip6tables": false,
        "ip-masq": false,
        "ip-forward-no-drop": true,
        // Nothing here reaches Docker Hub. The testbed's registry takes its place.
        "registry-mirrors": [format!("http://{registry}")],
        "default-address-pools": [{ "base": bridge.networks(), "size": 26 }],
    });
    // Even if the engine already runs: a reload of the firewall may have removed the rules.
    bridge.make(cx)?;
    SECOND.run(cx, prefix, &settings, || {
        // If docker 28 has pools of its own and finds the networks of its last run, it removes `docker0`, even if
        // that belongs to another engine (`configureNetworking` in moby's daemon/daemon_unix.go).
        remove_dir(&cx.layout.data("docker-2/network"))
    })?;
    state.export(ADDRESS, SECOND.address(&cx.layout)?);
    state.export(PROGRAMS, text(&prefix.join("bin"))?);
    state.export(CONFIGURATION, text(&SECOND.client(&cx.layout))?);
    state.services.extend([SECOND.containerd, SECOND.dockerd].map(str::to_owned));
    Ok(())
}

/// Ends it, and removes its network.
pub(crate) fn stop(cx: &Context) -> Result<()> {
    SECOND.stop(cx)?;
    if docker_2::prefix(cx).exists() { Bridge::of(&cx.layout).remove(cx) } else { Ok(()) }
}
