//! The docker engine with containerd, its command line and buildx. The machine's own engine is used if it is
//! recent, local, and keeps its images in containerd's store. Without that store its builder cannot push an index
//! of two platforms.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use xshell::cmd;

use super::{Found, Part, version_in};
use crate::context::Context;
use crate::exports::State;
use crate::provision::debian::{Archive, Closure};
use crate::provision::{self, text, wrapper};

/// Since docker 26, `docker buildx build --push` works for several platforms with the containerd image store.
const OLDEST_ENGINE: (u64, u64) = (26, 0);

/// The first version with `--metadata-file` and `imagetools` as they are used here.
const OLDEST_BUILDX: (u64, u64) = (0, 13);

/// From the release that has docker 26. They are linked statically, or only to the C library.
const PACKAGES: [&str; 5] = ["docker.io", "docker-cli", "docker-buildx", "containerd", "tini"];

/// From the machine's own release, because their libraries must fit it.
const NATIVE_PACKAGES: [&str; 2] = ["runc", "iptables"];

/// Programs that need libraries from the prefix, with their paths in it. `-nft`, because the kernel of a recent
/// machine has no other backend built in.
const WRAPPED: [(&str, &str); 3] = [
    ("runc", "usr/sbin/runc"),
    ("iptables", "usr/sbin/iptables-nft"),
    ("ip6tables", "usr/sbin/ip6tables-nft"),
];

/// Programs that the daemons look for on the PATH.
const LINKED: [&str; 7] = [
    "usr/bin/docker",
    "usr/bin/docker-init",
    "usr/bin/ctr",
    "usr/bin/containerd",
    "usr/bin/containerd-shim-runc-v2",
    "usr/sbin/dockerd",
    "usr/sbin/docker-proxy",
];

/// See [`Part`].
pub(crate) struct Docker;

impl Part for Docker {
    fn name(&self) -> &'static str {
        "docker"
    }

    fn find(&self, cx: &Context) -> Result<Option<Found>> {
        if let Some(program) = cx.host.which("docker")
            && let Some(version) = usable_engine(cx, &program)?
        {
            return Ok(Some(Found { version, program, prefix: None }));
        }
        let prefix = prefix(cx);
        if !prefix.exists() {
            return Ok(None);
        }
        let program = prefix.join("bin/docker");
        let shell = cx.runner.shell()?;
        let version = cx.runner.call(cmd!(shell, "{program} --version")).read()?;
        let version = version.trim_start_matches("Docker version ").split(',').next().unwrap_or_default();
        Ok(Some(Found { version: version.to_owned(), program, prefix: Some(prefix) }))
    }

    fn obstacle(&self, cx: &Context) -> Option<String> {
        cx.host.debian.is_none().then(|| {
            let packages = if cx.host.which("apt-get").is_some() { "docker.io" } else { "docker" };
            let command = cx.host.install_command(&format!("{packages} docker-buildx"));
            format!(
                "`{command}`, for docker 26 or later and buildx 0.13 or later, with \
                 `{{\"features\": {{\"containerd-snapshotter\": true}}}}` in `/etc/docker/daemon.json`"
            )
        })
    }

    fn provision(&self, cx: &Context) -> Result<()> {
        let debian = cx.host.debian.as_ref().context("provisioning docker needs Debian")?;
        let prefix = prefix(cx);
        provision::complete(cx, &prefix, |partial| {
            let complete = Archive::open(cx, &debian.complete, cx.host.architecture)?;
            complete.unpack(&PACKAGES, Closure::Nothing, partial)?;
            let own = Archive::open(cx, &debian.codename, cx.host.architecture)?;
            own.unpack(&NATIVE_PACKAGES, Closure::OnThisMachine, partial)?;
            link_programs(partial, &prefix)
        })
    }

    fn export(&self, found: &Found, state: &mut State) {
        if let Some(prefix) = &found.prefix {
            state.put_on_path(&prefix.join("bin"));
        }
    }
}

/// Buildx in the prefix. The docker client only finds it as a plugin of its configuration.
pub(crate) const BUILDX: &str = "usr/libexec/docker/cli-plugins/docker-buildx";

/// The prefix of the provisioned engine, whether or not it exists yet.
pub(crate) fn prefix(cx: &Context) -> PathBuf {
    let debian = cx.host.debian.as_ref();
    let releases = debian.map_or(("", ""), |debian| (debian.codename.as_str(), debian.complete.as_str()));
    let [wrapped, linked] = programs();
    provision::prefix(
        cx,
        "docker",
        &["1", releases.0, releases.1, &PACKAGES.concat(), &NATIVE_PACKAGES.concat(), &wrapped, &linked],
    )
}

/// What [`link_programs`] makes, as part of a prefix's recipe.
pub(super) fn programs() -> [String; 2] {
    [WRAPPED.map(|(name, target)| format!("{name}={target}")).concat(), LINKED.concat()]
}

/// Makes `bin/`, which goes on the PATH of daemons and tests. It has links to the programs that need nothing from
/// the prefix, and wrappers for those that do.
pub(super) fn link_programs(partial: &Path, prefix: &Path) -> Result<()> {
    let bin = partial.join("bin");
    fs::create_dir_all(&bin).with_context(|| format!("making `{}`", bin.display()))?;
    for program in LINKED {
        let link = bin.join(Path::new(program).file_name().context("a program's name")?);
        symlink(prefix.join(program), &link).with_context(|| format!("linking `{}`", link.display()))?;
    }
    for (name, target) in WRAPPED {
        let libraries = provision::libraries(partial, prefix)?;
        let modules: Vec<_> = libraries.iter().map(|dir| format!("{dir}/xtables")).collect();
        let script = format!(
            "#!/bin/sh\nLD_LIBRARY_PATH='{}' XTABLES_LIBDIR='{}' exec '{}' \"$@\"\n",
            libraries.join(":"),
            modules.join(":"),
            text(&prefix.join(target))?
        );
        wrapper(&bin.join(name), &script)?;
    }
    Ok(())
}

/// The version of the machine's own engine, if it is good enough.
fn usable_engine(cx: &Context, docker: &Path) -> Result<Option<String>> {
    let host = cx.variable("DOCKER_HOST")?.unwrap_or("unix://");
    // An engine on another machine cannot reach a registry on this one's loopback.
    if !host.starts_with("unix://") {
        return Ok(None);
    }
    let shell = cx.runner.shell()?;
    let config = cx.variable("DOCKER_CONFIG")?.unwrap_or_default();
    let run = |arguments: &[&str]| {
        cx.runner.call(cmd!(shell, "{docker} {arguments...}")).env("DOCKER_CONFIG", config).output()
    };
    let format = "{{.Server.Version}}";
    let version = run(&["version", "--format", format])?;
    if !version.status.success() {
        return Ok(None);
    }
    let version = version.text()?.trim().to_owned();
    let store = run(&["info", "--format", "{{json .DriverStatus}}"])?.success()?.text()?;
    let buildx = run(&["buildx", "version"])?;
    let buildx = if buildx.status.success() { version_in(&buildx.text()?) } else { None };
    let is_usable = version_in(&version).is_some_and(|found| found >= OLDEST_ENGINE)
        && store.contains("io.containerd.snapshotter.v1")
        && buildx.is_some_and(|found| found >= OLDEST_BUILDX);
    Ok(is_usable.then_some(version))
}
