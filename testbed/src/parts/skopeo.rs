//! Skopeo: a second opinion on digests, and on the policies that self-hosters write for skopeo and podman. Its code
//! base is not docker's or cosign's.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use xshell::cmd;

use super::{Found, Part, version_in};
use crate::context::Context;
use crate::exports::State;
use crate::provision::debian::{Archive, Closure};
use crate::provision::{self, text, wrapper};

/// The first version that reads and verifies signatures in cosign's format.
const OLDEST: (u64, u64) = (1, 13);

/// Words in a build that rejects all signatures without checking them, whatever its version. Some of Debian's builds do
/// that.
const DISABLED: &[u8] = b"sigstore disabled";

/// See [`Part`].
pub(crate) struct Skopeo;

impl Part for Skopeo {
    fn name(&self) -> &'static str {
        "skopeo"
    }

    fn find(&self, cx: &Context) -> Result<Option<Found>> {
        if let Some(program) = cx.host.which("skopeo") {
            let version = version(cx, &program)?;
            let file = fs::read(&program).with_context(|| format!("reading `{}`", program.display()))?;
            if version_in(&version) >= Some(OLDEST) && verifies(&file) {
                return Ok(Some(Found { version, program, prefix: None }));
            }
        }
        let prefix = prefix(cx);
        if !prefix.exists() {
            return Ok(None);
        }
        let program = prefix.join("bin/skopeo");
        Ok(Some(Found { version: version(cx, &program)?, program, prefix: Some(prefix) }))
    }

    fn obstacle(&self, cx: &Context) -> Option<String> {
        cx.host.debian.is_none().then(|| {
            let command = cx.host.install_command("skopeo");
            format!("`{command}`, for skopeo 1.13 or later that is built with sigstore")
        })
    }

    fn provision(&self, cx: &Context) -> Result<()> {
        let debian = cx.host.debian.as_ref().context("provisioning skopeo needs Debian")?;
        unpack(cx, &debian.complete, &prefix(cx))
    }

    fn export(&self, found: &Found, state: &mut State) {
        state.export("TESTBED_SKOPEO", found.program.display().to_string());
    }
}

/// Makes `bin/skopeo` in `prefix`, from the package of a Debian release.
pub(crate) fn unpack(cx: &Context, release: &str, prefix: &Path) -> Result<()> {
    provision::complete(cx, prefix, |partial| {
        let archive = Archive::open(cx, release, cx.host.architecture)?;
        // With the C library of that release, because skopeo is linked to a newer one than Debian 12 has.
        archive.unpack(&["skopeo"], Closure::OnNothing, partial)?;
        let bin = partial.join("bin");
        fs::create_dir_all(&bin).with_context(|| format!("making `{}`", bin.display()))?;
        let libraries = provision::libraries(partial, prefix)?;
        let loader = provision::loader(partial, prefix)?;
        let script = format!(
            "#!/bin/sh\nexec '{}' --library-path '{}' '{}' --policy '{}' \"$@\"\n",
            text(&loader)?,
            libraries.join(":"),
            text(&prefix.join("usr/bin/skopeo"))?,
            text(&prefix.join("etc/containers/policy.json"))?,
        );
        wrapper(&bin.join("skopeo"), &script)
    })
}

/// `1.18.0` from `skopeo version 1.18.0`.
pub(crate) fn version(cx: &Context, program: &Path) -> Result<String> {
    let shell = cx.runner.shell()?;
    let text = cx.runner.call(cmd!(shell, "{program} --version")).read()?;
    Ok(text.split_whitespace().nth(2).unwrap_or_default().to_owned())
}

/// Whether the program in `file` checks signatures.
fn verifies(file: &[u8]) -> bool {
    !file.windows(DISABLED.len()).any(|window| window == DISABLED)
}

fn prefix(cx: &Context) -> PathBuf {
    let release = cx.host.debian.as_ref().map_or("", |debian| debian.complete.as_str());
    provision::prefix(cx, "skopeo", &["2", release])
}

#[cfg(test)]
mod tests {
    use super::verifies;

    #[test]
    fn a_build_with_signature_checks_disabled_is_not_used() {
        assert!(verifies(b"\x7fELF A signature was required, but no signature exists"));
        assert!(!verifies(b"\x7fELF Debian-local change: sigstore disabledError decoding"));
    }
}
