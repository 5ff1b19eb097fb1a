//! The prebuilt archives of a native module, one for each platform, as its project would publish them. The worked
//! service `native` installs them. They are compiled here, because such archives are only available from the
//! project's own host.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use xshell::cmd;

use super::{Found, Part, node};
use crate::context::Context;
use crate::exports::State;
use crate::files::{private_dir, remove_dir};
use crate::provision::debian::{Archive, Closure};
use crate::provision::{self, npm, text};

/// The module and its version, which `testbed/services/native/package.json` names.
const MODULE: (&str, &str) = ("better-sqlite3", "12.4.1");

/// The script that compiles and packs it.
const SCRIPT: &str = include_str!("../../services/native/prebuild");

/// Enough for one compilation on a slow machine.
const TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// See [`Part`].
pub(crate) struct NativeArchives;

impl Part for NativeArchives {
    fn name(&self) -> &'static str {
        "native"
    }

    fn find(&self, cx: &Context) -> Result<Option<Found>> {
        let prefix = prefix(cx);
        Ok(prefix.exists().then(|| Found {
            version: format!("{} {}", MODULE.0, MODULE.1),
            program: prefix.clone(),
            prefix: Some(prefix),
        }))
    }

    fn obstacle(&self, cx: &Context) -> Option<String> {
        let why = "the archives of a native module: needs root on Debian 12 or later, and g++";
        (cx.host.debian.is_none() || cx.host.which("g++").is_none())
            .then(|| format!("{why}: `{}`", cx.host.install_command("g++")))
    }

    fn provision(&self, cx: &Context) -> Result<()> {
        let debian = cx.host.debian.as_ref().context("compiling for the other platform needs Debian")?;
        provision::complete(cx, &prefix(cx), |partial| {
            let [cross, module, node] = ["cross", "module", "node"].map(|name| partial.join(name));
            for directory in [&cross, &module, &node] {
                private_dir(directory)?;
            }
            npm::unpack(cx, MODULE.0, MODULE.1, &module)?;
            npm::unpack(cx, node::package(cx.host.architecture), node::VERSION, &node)?;
            let script = partial.join("prebuild");
            provision::wrapper(&script, SCRIPT)?;
            let (other, triple) = other(cx);
            let archive = Archive::open(cx, &debian.codename, cx.host.architecture)?;
            archive.unpack(
                &[&format!("g++-{}", triple.replace('_', "-"))],
                Closure::OnThisMachine,
                &cross,
            )?;
            let prefix = compilers(&cross, triple)?;
            let headers = node.join("include/node");
            for (architecture, prefix) in [(cx.host.architecture, ""), (other, &prefix)] {
                let archive = partial.join(format!("{architecture}.tar.gz"));
                let shell = cx.runner.shell()?;
                let call = cx.runner.call(cmd!(shell, "{script} {module} {headers} {prefix} {archive}"));
                call.timeout(TIMEOUT).run().with_context(|| format!("compiling for {architecture}"))?;
            }
            [&cross, &module, &node].into_iter().try_for_each(|directory| remove_dir(directory))
        })
    }

    fn export(&self, found: &Found, state: &mut State) {
        state.export("TESTBED_NATIVE_ARCHIVES", found.program.display().to_string());
    }
}

/// The platform that this machine does not have, and the prefix of the names of its compilers.
fn other(cx: &Context) -> (&'static str, &'static str) {
    if cx.host.architecture == "arm64" {
        ("amd64", "x86_64-linux-gnu")
    } else {
        ("arm64", "aarch64-linux-gnu")
    }
}

/// Makes wrappers with which the unpacked compilers find their libraries and headers. Returns what goes before
/// `gcc` and `g++`.
fn compilers(cross: &Path, triple: &str) -> Result<String> {
    let (bin, root) = (cross.join("wrapped"), text(cross)?);
    private_dir(&bin)?;
    let libraries = provision::libraries(cross, cross)?.join(":");
    for name in ["gcc", "g++"] {
        let program = format!("{root}/usr/bin/{triple}-{name}");
        let script = format!(
            "#!/bin/sh\nLD_LIBRARY_PATH='{libraries}' PATH='{root}/usr/bin':\"$PATH\" \
             exec '{program}' --sysroot='{root}' \"$@\"\n"
        );
        provision::wrapper(&bin.join(format!("{triple}-{name}")), &script)?;
    }
    Ok(format!("{}/{triple}-", text(&bin)?))
}

fn prefix(cx: &Context) -> PathBuf {
    let codename = cx.host.debian.as_ref().map_or("", |debian| debian.codename.as_str());
    provision::prefix(cx, "native", &["1", codename, MODULE.0, MODULE.1, node::VERSION, SCRIPT])
}
