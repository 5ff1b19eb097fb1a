//! QEMU for programs of the other architecture: one statically linked program from Debian's package, which
//! `emulation.rs` registers with the kernel.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use xshell::cmd;

use super::{Found, Part};
use crate::context::Context;
use crate::emulation;
use crate::exports::State;
use crate::files::{private_dir, remove_dir};
use crate::provision;
use crate::provision::debian::{Archive, Closure};

/// Its name in messages.
pub(crate) const NAME: &str = "emulator";

/// See [`Part`].
pub(crate) struct Emulator;

impl Part for Emulator {
    fn name(&self) -> &'static str {
        NAME
    }

    fn find(&self, cx: &Context) -> Result<Option<Found>> {
        let prefix = prefix(cx);
        if !prefix.exists() {
            return Ok(None);
        }
        let program = prefix.join("bin/qemu");
        let shell = cx.runner.shell()?;
        let said = cx.runner.call(cmd!(shell, "{program} --version")).read()?;
        let version = said.split_whitespace().nth(2).unwrap_or_default().to_owned();
        Ok(Some(Found { version, program, prefix: Some(prefix) }))
    }

    fn obstacle(&self, _cx: &Context) -> Option<String> {
        // It is only needed where it can be provisioned.
        None
    }

    fn provision(&self, cx: &Context) -> Result<()> {
        let debian = cx.host.debian.as_ref().context("unpacking an emulator needs Debian")?;
        provision::complete(cx, &prefix(cx), |partial| {
            let archive = Archive::open(cx, &debian.codename, cx.host.architecture)?;
            let unpacked = partial.join("unpacked");
            private_dir(&unpacked)?;
            archive.unpack(&[package(&debian.codename)], Closure::Nothing, &unpacked)?;
            private_dir(&partial.join("bin"))?;
            let machine = emulation::foreign(cx).machine;
            let names = [format!("qemu-{machine}-static"), format!("qemu-{machine}")];
            let files = names.map(|name| unpacked.join("usr/bin").join(name));
            let found =
                files.iter().find(|file| fs::symlink_metadata(file).is_ok_and(|found| found.is_file()));
            let found = found.with_context(|| {
                format!("looking for an emulator in the package: neither `{}` is there", files[0].display())
            })?;
            let program = partial.join("bin/qemu");
            fs::rename(found, &program).with_context(|| format!("keeping `{}`", found.display()))?;
            // The programs for the other architectures take up a hundred times as much space.
            remove_dir(&unpacked)
        })
    }

    fn export(&self, _found: &Found, _state: &mut State) {
        // The export says that the kernel knows it, see `emulation.rs`.
    }
}

/// Since Debian 13, the plain package has the statically linked programs.
fn package(codename: &str) -> &'static str {
    if codename == "bookworm" { "qemu-user-static" } else { "qemu-user" }
}

fn prefix(cx: &Context) -> PathBuf {
    let codename = cx.host.debian.as_ref().map_or("", |debian| debian.codename.as_str());
    provision::prefix(cx, NAME, &["1", codename, package(codename), emulation::foreign(cx).machine])
}
