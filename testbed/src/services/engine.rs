//! Runs the provisioned docker engines: containerd, then dockerd, on private sockets. The machine's own engine is
//! used as it is, and nothing here changes it.

pub(crate) mod second;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{end, processes};
use crate::context::Context;
use crate::exports::State;
use crate::files::private_dir;
use crate::files::{remove_dir, remove_file};
use crate::http;
use crate::layout::Layout;
use crate::mounts;
use crate::network;
use crate::parts::Found;
use crate::parts::docker::BUILDX;
use crate::process::Service;
use crate::provision::text;

/// The start takes a second on an idle machine. A loaded one gets much more time.
const TIMEOUT: Duration = Duration::from_secs(90);

/// One of the two engines: the names of its parts, and the suffix of its files.
pub(crate) struct Engine {
    /// The image and container store.
    pub(crate) containerd: &'static str,
    /// The engine itself.
    pub(crate) dockerd: &'static str,
    /// The processes between containerd and the containers.
    pub(crate) shims: &'static str,
    suffix: &'static str,
}

/// The engine for everything that does not name another one.
pub(crate) const FIRST: Engine =
    Engine { containerd: "containerd", dockerd: "dockerd", shims: "containers", suffix: "" };

/// The newer engine besides the first.
pub(crate) const SECOND: Engine =
    Engine { containerd: "containerd-2", dockerd: "dockerd-2", shims: "containers-2", suffix: "-2" };

/// Starts the first engine unless it runs and answers, and exports its address.
pub(crate) fn ensure(cx: &Context, docker: &Found, state: &mut State) -> Result<()> {
    let Some(prefix) = &docker.prefix else {
        if let Some(host) = cx.variable("DOCKER_HOST")? {
            state.export("DOCKER_HOST", host);
        }
        return Ok(());
    };
    state.export("DOCKER_HOST", FIRST.address(&cx.layout)?);
    state.export("DOCKER_CONFIG", text(&FIRST.client(&cx.layout))?);
    state.services.extend([FIRST.containerd, FIRST.dockerd].map(str::to_owned));
    FIRST.run(cx, prefix, &json!({}), || network::remember(cx))
}

impl Engine {
    /// The socket that it listens on.
    pub(crate) fn socket(&self, layout: &Layout) -> PathBuf {
        layout.run(&format!("docker{}.sock", self.suffix))
    }

    /// The socket that its store listens on.
    pub(crate) fn store(&self, layout: &Layout) -> PathBuf {
        layout.run(&format!("containerd{}.sock", self.suffix))
    }

    /// Its `DOCKER_HOST`.
    pub(crate) fn address(&self, layout: &Layout) -> Result<String> {
        Ok(format!("unix://{}", text(&self.socket(layout))?))
    }

    /// Its `DOCKER_CONFIG`.
    fn client(&self, layout: &Layout) -> PathBuf {
        layout.data(&format!("docker-config{}", self.suffix))
    }

    /// The file in the command line of one of its processes; `None` if no process of it has that name.
    pub(crate) fn marker(&self, layout: &Layout, name: &str) -> Option<PathBuf> {
        let suffix = self.suffix;
        match name {
            _ if name == self.dockerd => Some(layout.run(&format!("dockerd{suffix}.json"))),
            _ if name == self.containerd => Some(layout.run(&format!("containerd{suffix}.toml"))),
            _ if name == self.shims => Some(self.store(layout)),
            _ => None,
        }
    }

    /// Starts it unless it runs and answers. `settings` are added to those that both engines have. `prepare` makes
    /// the machine ready once nothing is left of an earlier engine.
    fn run(
        &self,
        cx: &Context,
        prefix: &Path,
        settings: &Value,
        prepare: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        self.configure_client(cx, prefix)?;
        if self.is_ready(cx)? {
            cx.progress.line(self.dockerd, "already running");
            return Ok(());
        }
        self.stop(cx)?;
        prepare()?;
        private_dir(&cx.layout.run(&format!("dockerd{}", self.suffix)))?;
        let path = format!("{}:{}", text(&prefix.join("bin"))?, cx.host.path());
        let environment = BTreeMap::from([("PATH", OsString::from(path))]);
        let start = |name, program: &str, flag: &str, configuration: &str| {
            let marker = super::marker(&cx.layout, name);
            let service = Service {
                name,
                program: prefix.join("bin").join(program),
                arguments: vec![flag.into(), marker.clone().into()],
                marker,
                environment: environment.clone(),
                log: cx.layout.log(name),
            };
            fs::write(&service.marker, configuration)
                .with_context(|| format!("writing `{}`", service.marker.display()))?;
            let pid = service.start(&cx.runner)?;
            Ok::<_, anyhow::Error>((service, pid))
        };
        let (containerd, pid) =
            start(self.containerd, "containerd", "--config", &self.containerd_configuration(cx)?)?;
        containerd.wait(pid, TIMEOUT, || Ok(UnixStream::connect(self.store(&cx.layout)).is_ok()))?;
        let configuration = self.dockerd_configuration(cx, prefix, settings)?;
        let (dockerd, pid) = start(self.dockerd, "dockerd", "--config-file", &configuration)?;
        dockerd.wait(pid, TIMEOUT, || self.is_ready(cx))?;
        cx.progress.line(self.dockerd, &format!("started on `{}`", self.socket(&cx.layout).display()));
        Ok(())
    }

    /// Ends whatever is left of it, and removes its sockets and mounts.
    pub(crate) fn stop(&self, cx: &Context) -> Result<()> {
        for name in [self.dockerd, self.containerd, self.shims] {
            end(cx, name)?;
        }
        let suffix = self.suffix;
        for parent in [cx.layout.run(""), cx.layout.data("")] {
            for dir in ["docker", "dockerd", "containerd"] {
                mounts::unmount_below(&parent.join(format!("{dir}{suffix}")), &cx.runner)?;
            }
        }
        // A pid file from before a restart of the machine may name another process.
        remove_file(&cx.layout.run(&format!("dockerd{suffix}.pid")))?;
        remove_file(&self.socket(&cx.layout))?;
        let store = self.store(&cx.layout);
        remove_file(&store)?;
        remove_file(&store.with_extension("sock.ttrpc"))?;
        for dir in ["dockerd", "containerd"] {
            remove_dir(&cx.layout.run(&format!("{dir}{suffix}")))?;
        }
        Ok(())
    }

    fn is_ready(&self, cx: &Context) -> Result<bool> {
        for name in [self.containerd, self.dockerd] {
            if processes(&cx.layout, name)?.is_empty() {
                return Ok(false);
            }
        }
        let answer = http::over_unix(&self.socket(&cx.layout), "GET", "/_ping")?;
        Ok(answer.is_some_and(|answer| answer.status == 200))
    }

    fn configure_client(&self, cx: &Context, prefix: &Path) -> Result<()> {
        let client = self.client(&cx.layout);
        let plugins = client.join("cli-plugins");
        private_dir(&plugins)?;
        // If somebody has left a login, no program that a test starts would be anonymous.
        remove_file(&client.join("config.json"))?;
        let (link, target) = (plugins.join("docker-buildx"), prefix.join(BUILDX));
        if fs::read_link(&link).is_ok_and(|found| found == target) {
            return Ok(());
        }
        remove_file(&link)?;
        symlink(&target, &link).with_context(|| format!("linking `{}`", link.display()))
    }

    /// Kubernetes' interface and the `/opt` tree are off, because both make directories outside the state
    /// directory.
    fn containerd_configuration(&self, cx: &Context) -> Result<String> {
        let name = format!("containerd{}", self.suffix);
        Ok(format!(
            "version = 2\nroot = '{}'\nstate = '{}'\n\
             disabled_plugins = ['io.containerd.grpc.v1.cri', 'io.containerd.internal.v1.opt']\n\
             [grpc]\naddress = '{}'\n",
            text(&cx.layout.data(&name))?,
            text(&cx.layout.run(&name))?,
            text(&self.store(&cx.layout))?
        ))
    }

    fn dockerd_configuration(&self, cx: &Context, prefix: &Path, settings: &Value) -> Result<String> {
        let suffix = self.suffix;
        let mut configuration = json!({
            "features": { "containerd-snapshotter": true },
            "containerd": text(&self.store(&cx.layout))?,
            "data-root": text(&cx.layout.data(&format!("docker{suffix}")))?,
            "exec-root": text(&cx.layout.run(&format!("dockerd{suffix}")))?,
            "pidfile": text(&cx.layout.run(&format!("dockerd{suffix}.pid")))?,
            "hosts": [self.address(&cx.layout)?],
            "insecure-registries": ["127.0.0.0/8"],
            "userland-proxy-path": text(&prefix.join("bin/docker-proxy"))?,
        });
        if let Some(mtu) = network::mtu()? {
            configuration["mtu"] = mtu.into();
        }
        for (key, value) in settings.as_object().into_iter().flatten() {
            configuration[key] = value.clone();
        }
        serde_json::to_string_pretty(&configuration).context("rendering dockerd's configuration")
    }
}
