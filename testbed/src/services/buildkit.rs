//! Runs `buildkitd` on a private socket: a second builder besides the engine's own. Everything that it writes is
//! below the state directory.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{end, marker, processes};
use crate::context::Context;
use crate::exports::State;
use crate::files::{private_dir, read_file, remove_file};
use crate::parts::Found;
use crate::process::Service;
use crate::provision::text;

/// Its name in messages.
pub(crate) const NAME: &str = "buildkit";

/// The exported address, in the form that `docker buildx create --driver remote` accepts.
pub(crate) const ADDRESS: &str = "TESTBED_BUILDKIT";

/// It takes half a second to start.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The address of one that already runs, if the user names one. A shell may have our own exports, which name the one
/// that we start; these do not count.
pub(crate) fn given(cx: &Context) -> Result<Option<String>> {
    let own = address(cx)?;
    Ok(cx.variable(ADDRESS)?.filter(|given| *given != own).map(str::to_owned))
}

/// Uses the one that was given, and ends our own.
pub(crate) fn take(cx: &Context, given: &str, state: &mut State) -> Result<()> {
    end(cx, NAME)?;
    cx.progress.line(NAME, &format!("{given} is used"));
    state.export(ADDRESS, given);
    Ok(())
}

/// Starts it unless it runs and answers, and exports its address.
pub(crate) fn ensure(
    cx: &Context,
    buildkit: &Found,
    docker: &Found,
    registry: SocketAddr,
    state: &mut State,
) -> Result<()> {
    let file = marker(&cx.layout, NAME);
    let configuration = configuration(
        text(&cx.layout.data(NAME))?,
        &address(cx)?,
        text(&cx.layout.run("buildkit-traces.sock"))?,
        registry,
    );
    let is_current = read_file(&file)?.as_ref() == Some(&configuration);
    if is_current && !processes(&cx.layout, NAME)?.is_empty() && is_ready(cx) {
        cx.progress.line(NAME, "already running");
    } else {
        end(cx, NAME)?;
        private_dir(&cx.layout.data(NAME))?;
        fs::write(&file, configuration).with_context(|| format!("writing `{}`", file.display()))?;
        start(cx, buildkit, docker)?;
        cx.progress.line(NAME, &format!("started on `{}`", address(cx)?));
    }
    state.export(ADDRESS, address(cx)?);
    state.services.push(NAME.to_owned());
    Ok(())
}

fn start(cx: &Context, buildkit: &Found, docker: &Found) -> Result<()> {
    remove_file(&cx.layout.run("buildkit.sock"))?;
    let file = marker(&cx.layout, NAME);
    let service = Service {
        name: NAME,
        program: buildkit.program.clone(),
        arguments: vec!["--config".into(), file.clone().into()],
        marker: file,
        environment: BTreeMap::from([("PATH", OsString::from(path(cx, docker)?))]),
        log: cx.layout.log(NAME),
    };
    let pid = service.start(&cx.runner)?;
    service.wait(pid, TIMEOUT, || Ok(is_ready(cx)))
}

/// The PATH on which it finds runc. A provisioned engine has runc too.
pub(crate) fn path(cx: &Context, docker: &Found) -> Result<String> {
    match &docker.prefix {
        Some(prefix) => Ok(format!("{}:{}", text(&prefix.join("bin"))?, cx.host.path())),
        None => Ok(cx.host.path()),
    }
}

/// It listens only once its worker is ready.
fn is_ready(cx: &Context) -> bool {
    UnixStream::connect(cx.layout.run("buildkit.sock")).is_ok()
}

fn address(cx: &Context) -> Result<String> {
    Ok(format!("unix://{}", text(&cx.layout.run("buildkit.sock"))?))
}

/// Build steps share the machine's network, because there is no plugin that makes another one. A build may request that
/// network by name only if the configuration allows it. Settings that are left out default to paths below `/run` or
/// `/etc`.
pub(crate) fn configuration(root: &str, address: &str, traces: &str, registry: SocketAddr) -> String {
    format!(
        "root = '{root}'\n\
         insecure-entitlements = ['network.host']\n\
         [grpc]\naddress = ['{address}']\n\
         [otel]\nsocketPath = '{traces}'\n\
         [cdi]\ndisabled = true\n\
         [worker.oci]\nenabled = true\nnetworkMode = 'host'\n\
         [worker.containerd]\nenabled = false\n\
         [registry.'{registry}']\nhttp = true\n"
    )
}
