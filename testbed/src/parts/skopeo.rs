//! Skopeo: a second opinion on digests, from another code base than docker's and cosign's.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use xshell::cmd;

use super::{Found, Part};
use crate::context::Context;
use crate::exports::State;
use crate::provision::debian::{Archive, Closure};
use crate::provision::{self, text, wrapper};

/// See [`Part`].
pub(crate) struct Skopeo;

impl Part for Skopeo {
    fn name(&self) -> &'static str {
        "skopeo"
    }

    fn find(&self, cx: &Context) -> Result<Option<Found>> {
        let prefix = prefix(cx);
        let (program, prefix) = match cx.host.which("skopeo") {
            Some(program) => (program, None),
            None if prefix.exists() => (prefix.join("bin/skopeo"), Some(prefix)),
            None => return Ok(None),
        };
        let shell = cx.runner.shell()?;
        let text = cx.runner.call(cmd!(shell, "{program} --version")).read()?;
        let version = text.split_whitespace().nth(2).unwrap_or_default().to_owned();
        Ok(Some(Found { version, program, prefix }))
    }

    fn obstacle(&self, cx: &Context) -> Option<String> {
        cx.host.debian.is_none().then(|| format!("`{}`", cx.host.install_command("skopeo")))
    }

    fn provision(&self, cx: &Context) -> Result<()> {
        let debian = cx.host.debian.as_ref().context("provisioning skopeo needs Debian")?;
        let prefix = prefix(cx);
        provision::complete(cx, &prefix, |partial| {
            let archive = Archive::open(cx, &debian.codename, cx.host.architecture)?;
            archive.unpack(&["skopeo"], Closure::OnThisMachine, partial)?;
            let bin = partial.join("bin");
            fs::create_dir_all(&bin).with_context(|| format!("making `{}`", bin.display()))?;
            let libraries = provision::libraries(partial, &prefix)?.join(":");
            let script = format!(
                "#!/bin/sh\nLD_LIBRARY_PATH='{libraries}' exec '{}' --policy '{}' \"$@\"\n",
                text(&prefix.join("usr/bin/skopeo"))?,
                text(&prefix.join("etc/containers/policy.json"))?,
            );
            wrapper(&bin.join("skopeo"), &script)
        })
    }

    fn export(&self, found: &Found, state: &mut State) {
        state.export("TESTBED_SKOPEO", found.program.display().to_string());
    }
}

fn prefix(cx: &Context) -> PathBuf {
    let codename = cx.host.debian.as_ref().map_or("", |debian| debian.codename.as_str());
    provision::prefix(cx, "skopeo", &["1", codename])
}
