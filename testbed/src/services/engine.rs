//! Runs the provisioned docker engine: containerd, then dockerd, on private sockets. An engine of the machine's own is
//! used as it is, and nothing here touches it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::{end, processes};
use crate::context::Context;
use crate::exports::State;
use crate::files::private_dir;
use crate::files::{remove_dir, remove_file};
use crate::http;
use crate::mounts;
use crate::network;
use crate::parts::Found;
use crate::parts::docker::BUILDX;
use crate::process::Service;
use crate::provision::text;

/// Name of the image and container store.
pub(crate) const CONTAINERD: &str = "containerd";

/// Name of the engine.
pub(crate) const DOCKERD: &str = "dockerd";

/// Name of the processes between containerd and the containers.
pub(crate) const SHIMS: &str = "containers";

/// Up takes a second; a machine under load is given much more.
const PATIENCE: Duration = Duration::from_secs(90);

/// Starts it unless it runs and answers, and exports where it is.
pub(crate) fn ensure(cx: &Context, docker: &Found, state: &mut State) -> Result<()> {
    let Some(prefix) = &docker.prefix else {
        if let Some(host) = cx.variable("DOCKER_HOST")? {
            state.export("DOCKER_HOST", host);
        }
        return Ok(());
    };
    let socket = cx.layout.run("docker.sock");
    configure_client(cx, prefix)?;
    state.export("DOCKER_HOST", format!("unix://{}", text(&socket)?));
    state.export("DOCKER_CONFIG", text(&cx.layout.data("docker-config"))?);
    state.services.extend([CONTAINERD, DOCKERD].map(str::to_owned));
    if is_ready(cx)? {
        cx.progress.line("docker engine", "already running");
        return Ok(());
    }
    stop(cx)?;
    network::remember(cx)?;
    private_dir(&cx.layout.run("dockerd"))?;
    let path = format!("{}:{}", text(&prefix.join("bin"))?, cx.host.path());
    let environment = BTreeMap::from([("PATH", OsString::from(path))]);
    let containerd = Service {
        name: CONTAINERD,
        program: prefix.join("bin/containerd"),
        arguments: vec!["--config".into(), cx.layout.run("containerd.toml").into()],
        marker: cx.layout.run("containerd.toml"),
        environment: environment.clone(),
        log: cx.layout.log(CONTAINERD),
    };
    write(&containerd.marker, &containerd_configuration(cx)?)?;
    let pid = containerd.start(&cx.runner)?;
    containerd.wait(pid, PATIENCE, || Ok(UnixStream::connect(cx.layout.run("containerd.sock")).is_ok()))?;
    let dockerd = Service {
        name: DOCKERD,
        program: prefix.join("bin/dockerd"),
        arguments: vec!["--config-file".into(), cx.layout.run("dockerd.json").into()],
        marker: cx.layout.run("dockerd.json"),
        environment,
        log: cx.layout.log(DOCKERD),
    };
    write(&dockerd.marker, &dockerd_configuration(cx, prefix)?)?;
    let pid = dockerd.start(&cx.runner)?;
    dockerd.wait(pid, PATIENCE, || is_ready(cx))?;
    cx.progress.line("docker engine", &format!("started on `{}`", socket.display()));
    Ok(())
}

/// Ends it, whatever is left of it, and removes its sockets and mounts.
pub(crate) fn stop(cx: &Context) -> Result<()> {
    for name in [DOCKERD, CONTAINERD, SHIMS] {
        end(cx, name)?;
    }
    mounts::unmount_below(cx.layout.root(), &cx.runner)?;
    // A pid file from before a restart of the machine may name a process of somebody else.
    for file in ["dockerd.pid", "docker.sock", "containerd.sock", "containerd.sock.ttrpc"] {
        remove_file(&cx.layout.run(file))?;
    }
    for dir in ["dockerd", "containerd"] {
        remove_dir(&cx.layout.run(dir))?;
    }
    Ok(())
}

fn is_ready(cx: &Context) -> Result<bool> {
    for name in [CONTAINERD, DOCKERD] {
        if processes(&cx.layout, name)?.is_empty() {
            return Ok(false);
        }
    }
    let answer = http::over_unix(&cx.layout.run("docker.sock"), "GET", "/_ping")?;
    Ok(answer.is_some_and(|answer| answer.status == 200))
}

fn configure_client(cx: &Context, prefix: &Path) -> Result<()> {
    let plugins = cx.layout.data("docker-config").join("cli-plugins");
    private_dir(&plugins)?;
    let (link, target) = (plugins.join("docker-buildx"), prefix.join(BUILDX));
    if fs::read_link(&link).is_ok_and(|found| found == target) {
        return Ok(());
    }
    remove_file(&link)?;
    symlink(&target, &link).with_context(|| format!("linking `{}`", link.display()))
}

/// Kubernetes' interface and the `/opt` tree are off: both make directories outside the state directory.
fn containerd_configuration(cx: &Context) -> Result<String> {
    let (root, state) = (cx.layout.data("containerd"), cx.layout.run("containerd"));
    let socket = cx.layout.run("containerd.sock");
    Ok(format!(
        "version = 2\nroot = '{}'\nstate = '{}'\n\
         disabled_plugins = ['io.containerd.grpc.v1.cri', 'io.containerd.internal.v1.opt']\n\
         [grpc]\naddress = '{}'\n",
        text(&root)?,
        text(&state)?,
        text(&socket)?
    ))
}

fn dockerd_configuration(cx: &Context, prefix: &Path) -> Result<String> {
    let configuration = json!({
        "features": { "containerd-snapshotter": true },
        "containerd": text(&cx.layout.run("containerd.sock"))?,
        "data-root": text(&cx.layout.data("docker"))?,
        "exec-root": text(&cx.layout.run("dockerd"))?,
        "pidfile": text(&cx.layout.run("dockerd.pid"))?,
        "hosts": [format!("unix://{}", text(&cx.layout.run("docker.sock"))?)],
        "insecure-registries": ["127.0.0.0/8"],
        "userland-proxy-path": text(&prefix.join("bin/docker-proxy"))?,
    });
    serde_json::to_string_pretty(&configuration).context("rendering dockerd's configuration")
}

fn write(path: &Path, content: &str) -> Result<()> {
    fs::write(path, content).with_context(|| format!("writing `{}`", path.display()))
}
