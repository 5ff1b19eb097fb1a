//! A second docker engine. Its version is newer than the first's and its compressor is different, but a commit must
//! give the same image content on both. It is always provisioned, because a machine has one engine at most.
//! `TESTBED_ENGINE_2` and the other two variables name one that already runs, to be used instead.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use xshell::cmd;

use super::docker::{link_programs, programs};
use super::{Found, Part};
use crate::context::Context;
use crate::exports::State;
use crate::files::private_dir;
use crate::provision::debian::{Archive, Closure};
use crate::provision::{self, text};

/// Its name in messages.
pub(crate) const NAME: &str = "docker-2";

/// The Debian release with the newest engine. Whatever version it has at the first `up` is kept.
const RELEASE: &str = "sid";

/// They are linked statically, or only to a C library that Debian 12 has.
const PACKAGES: [&str; 4] = ["docker.io", "docker-cli", "docker-buildx", "containerd"];

/// From the machine's own release, because the newest ones need a newer C library. `tini` is docker's init.
const NATIVE_PACKAGES: [&str; 3] = ["runc", "iptables", "tini"];

/// Has `ip`, which makes the bridge. It has its own directory, because some releases have its programs in `bin`.
const IP_PACKAGE: &str = "iproute2";

/// See [`Part`].
pub(crate) struct Docker2;

impl Part for Docker2 {
    fn name(&self) -> &'static str {
        NAME
    }

    fn find(&self, cx: &Context) -> Result<Option<Found>> {
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
            "set `TESTBED_ENGINE_2`, `TESTBED_ENGINE_2_BIN` and `TESTBED_ENGINE_2_CONFIG` to those of another engine \
             on this machine, of docker 28 or later with containerd's image store"
                .to_owned()
        })
    }

    fn provision(&self, cx: &Context) -> Result<()> {
        let debian = cx.host.debian.as_ref().context("provisioning docker needs Debian")?;
        let prefix = prefix(cx);
        provision::complete(cx, &prefix, |partial| {
            let newest = Archive::open(cx, RELEASE, cx.host.architecture)?;
            newest.unpack(&PACKAGES, Closure::Nothing, partial)?;
            let own = Archive::open(cx, &debian.codename, cx.host.architecture)?;
            own.unpack(&NATIVE_PACKAGES, Closure::OnThisMachine, partial)?;
            link_programs(partial, &prefix)?;
            add_ip(&own, partial, &prefix)
        })
    }

    fn export(&self, _found: &Found, _state: &mut State) {
        // The tests use the running service, see `services/engine/second.rs`.
    }
}

/// Unpacks `ip`, and makes the wrapper with which it finds its libraries.
fn add_ip(archive: &Archive<'_>, partial: &Path, prefix: &Path) -> Result<()> {
    let (unpacked, there) = (partial.join("ip"), prefix.join("ip"));
    private_dir(&unpacked)?;
    archive.unpack(&[IP_PACKAGE], Closure::OnThisMachine, &unpacked)?;
    let libraries = provision::libraries(&unpacked, &there)?.join(":");
    let inside = ["usr/bin/ip", "bin/ip"].into_iter().find(|inside| unpacked.join(inside).is_file());
    let inside = inside.with_context(|| format!("looking for `ip` in `{IP_PACKAGE}`: it is not there"))?;
    let script =
        format!("#!/bin/sh\nLD_LIBRARY_PATH='{libraries}' exec '{}' \"$@\"\n", text(&there.join(inside))?);
    provision::wrapper(&partial.join("bin/ip"), &script)
}

/// Its prefix, whether or not it exists yet.
pub(crate) fn prefix(cx: &Context) -> PathBuf {
    let codename = cx.host.debian.as_ref().map_or("", |debian| debian.codename.as_str());
    let [wrapped, linked] = programs();
    let packages = [&PACKAGES.concat(), &NATIVE_PACKAGES.concat(), IP_PACKAGE].concat();
    provision::prefix(cx, NAME, &["2", RELEASE, codename, &packages, &wrapped, &linked])
}

/// A program of the second engine, as an argument.
pub(crate) fn program(cx: &Context, name: &str) -> Result<String> {
    Ok(text(&prefix(cx).join("bin").join(name))?.to_owned())
}
