//! Runs the OCI registry on a loopback port, with deletes allowed and its storage kept between runs.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{end, marker, ports, processes};
use crate::context::Context;
use crate::exports::State;
use crate::files::private_dir;
use crate::http;
use crate::parts::Found;
use crate::process::Service;
use crate::provision::text;

/// Its name in messages.
pub(crate) const NAME: &str = "registry";

/// Tried first, because a fixed address is easier to read in logs.
const PREFERRED_PORT: u16 = 5055;

/// A header that our registry sends with every answer. Another program on the port does not send it.
const HEADER: &str = "X-Testbed";

/// It takes a tenth of a second to start.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Starts it unless it runs and answers, and exports its address.
pub(crate) fn ensure(cx: &Context, registry: &Found, state: &mut State) -> Result<SocketAddr> {
    let mut address = ports::last(cx, NAME)?.unwrap_or(ports::loopback(PREFERRED_PORT));
    if !processes(&cx.layout, NAME)?.is_empty() && is_ready(cx, address)? {
        cx.progress.line(NAME, &format!("already running on {address}"));
    } else {
        end(cx, NAME)?;
        address = start(cx, registry, address)?;
        cx.progress.line(NAME, &format!("started on {address}"));
    }
    state.export("TESTBED_REGISTRY", address.to_string());
    state.services.push(NAME.to_owned());
    Ok(address)
}

fn start(cx: &Context, registry: &Found, wanted: SocketAddr) -> Result<SocketAddr> {
    let address = ports::claim(cx, NAME, wanted)?;
    let storage = cx.layout.data("registry");
    private_dir(&storage)?;
    let service = Service {
        name: NAME,
        program: registry.program.clone(),
        arguments: vec!["serve".into(), marker(&cx.layout, NAME).into()],
        marker: marker(&cx.layout, NAME),
        environment: BTreeMap::new(),
        log: cx.layout.log(NAME),
    };
    let configuration = configuration(text(&storage)?, address, text(cx.layout.root())?, Deletes::Allowed);
    fs::write(&service.marker, configuration)
        .with_context(|| format!("writing `{}`", service.marker.display()))?;
    let pid = service.start(&cx.runner)?;
    service.wait(pid, TIMEOUT, || is_ready(cx, address))?;
    Ok(address)
}

fn is_ready(cx: &Context, address: SocketAddr) -> Result<bool> {
    is_ready_at(address, text(cx.layout.root())?)
}

/// Whether the registry whose configuration names `root` answers at `address`.
pub(crate) fn is_ready_at(address: SocketAddr, root: &str) -> Result<bool> {
    let answer = http::over_tcp(address, "GET", "/v2/")?;
    Ok(answer.is_some_and(|answer| answer.status == 200 && answer.header(HEADER) == Some(root)))
}

/// Whether a manifest exists, by its path, such as `/v2/NAME/manifests/DIGEST`.
pub(crate) fn has(address: SocketAddr, path: &str) -> Result<bool> {
    let answer = http::over_tcp(address, "HEAD", path)?;
    Ok(answer.is_some_and(|answer| answer.status == 200))
}

/// Whether a registry accepts delete requests. Without such a setting, distribution does not.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deletes {
    Allowed,
    Refused,
}

/// Its settings. `root` distinguishes it from every other registry.
pub(crate) fn configuration(storage: &str, address: SocketAddr, root: &str, deletes: Deletes) -> String {
    let deletes = deletes == Deletes::Allowed;
    format!(
        "version: 0.1\nlog:\n  level: warn\n  accesslog:\n    disabled: true\n\
         storage:\n  delete:\n    enabled: {deletes}\n  filesystem:\n    rootdirectory: '{storage}'\n\
         http:\n  addr: {address}\n  headers:\n    {HEADER}: ['{root}']\n"
    )
}
