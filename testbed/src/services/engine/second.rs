//! The second engine: as the first, with a bridge and rules of its own, so that neither touches the other's network.

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

/// Its `DOCKER_CONFIG`, in which its buildx is a plugin.
const CONFIGURATION: &str = "TESTBED_ENGINE_2_CONFIG";

/// What a person has set for one that runs already. A shell may have our own exports: those name the one that we start.
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
        Err(_some) => bail!("of `{}` some are set and others not: set all three or none", names.join("`, `")),
    }
}

/// Takes the one that was given, and ends our own.
pub(crate) fn take(cx: &Context, given: [String; 3], state: &mut State) -> Result<()> {
    stop(cx)?;
    cx.progress.line(SECOND.dockerd, &format!("{} is used", given[0]));
    for (name, value) in [ADDRESS, PROGRAMS, CONFIGURATION].into_iter().zip(given) {
        state.export(name, value);
    }
    Ok(())
}

/// Starts it unless it runs and answers, and exports where it is.
pub(crate) fn ensure(cx: &Context, docker: &Found, state: &mut State) -> Result<()> {
    let prefix = docker.prefix.as_deref().unwrap_or(Path::new("/usr"));
    let bridge = Bridge::of(&cx.layout);
    // Two engines that write rules themselves flush each other's chains, which have the same names.
    let settings = json!({
        "bridge": bridge.name(),
        "iptables": false,
        "ip6tables": false,
        "ip-masq": false,
        "ip-forward-no-drop": true,
        "default-address-pools": [{ "base": bridge.networks(), "size": 26 }],
    });
    // Also when it runs: a firewall that was set up anew has removed the rules.
    bridge.make(cx)?;
    SECOND.run(cx, prefix, &settings, || {
        // With pools of its own, docker 28 removes `docker0`, whosever it is, when it finds the networks of its last run
        // (`configureNetworking` in moby's daemon/daemon_unix.go).
        remove_dir(&cx.layout.data("docker-2/network"))
    })?;
    state.export(ADDRESS, SECOND.address(&cx.layout)?);
    state.export(PROGRAMS, text(&prefix.join("bin"))?);
    state.export(CONFIGURATION, text(&SECOND.client(&cx.layout))?);
    state.services.extend([SECOND.containerd, SECOND.dockerd].map(str::to_owned));
    Ok(())
}

/// Ends it, and takes its network back.
pub(crate) fn stop(cx: &Context) -> Result<()> {
    SECOND.stop(cx)?;
    if docker_2::prefix(cx).exists() { Bridge::of(&cx.layout).remove(cx) } else { Ok(()) }
}
