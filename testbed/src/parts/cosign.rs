//! Both major versions of cosign that can verify a release. A program's major version is known by its flags, because a
//! distribution's build may call itself `devel`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use xshell::cmd;

use super::{Found, Part};
use crate::context::Context;
use crate::exports::State;
use crate::provision::debian::{Archive, Closure};
use crate::provision::{self, golang};

/// Used where Debian's package, the first choice, is not available.
const VERSION_2: &str = "v2.6.5";

/// The 3.x that is built for the tests.
const VERSION_3: &str = "v3.1.3";

/// A flag that only 3.0 and later have.
const FLAG_OF_3: &str = "--use-signing-config";

/// Cosign 2, the one on the PATH.
pub(crate) struct Cosign2;

/// Cosign 3.
pub(crate) struct Cosign3;

impl Part for Cosign2 {
    fn name(&self) -> &'static str {
        "cosign 2"
    }

    fn find(&self, cx: &Context) -> Result<Option<Found>> {
        find(cx, 2, &prefix_2(cx))
    }

    fn obstacle(&self, cx: &Context) -> Option<String> {
        (cx.host.debian.is_none()).then(|| without_go(cx, "v2", VERSION_2)).flatten()
    }

    fn provision(&self, cx: &Context) -> Result<()> {
        provision::complete(cx, &prefix_2(cx), |partial| {
            let bin = partial.join("bin");
            let Some(debian) = &cx.host.debian else {
                return golang::install(cx, "github.com/sigstore/cosign/v2/cmd/cosign", VERSION_2, &bin);
            };
            let archive = Archive::open(cx, &debian.complete, cx.host.architecture)?;
            archive.unpack(&["cosign"], Closure::Nothing, partial)?;
            std::os::unix::fs::symlink("usr/bin", &bin)
                .with_context(|| format!("linking `{}`", bin.display()))
        })
    }

    fn export(&self, found: &Found, state: &mut State) {
        if let Some(prefix) = &found.prefix {
            state.put_on_path(&prefix.join("bin"));
        }
        state.export("TESTBED_COSIGN_2", found.program.display().to_string());
    }
}

impl Part for Cosign3 {
    fn name(&self) -> &'static str {
        "cosign 3"
    }

    fn find(&self, cx: &Context) -> Result<Option<Found>> {
        find(cx, 3, &prefix_3(cx))
    }

    fn obstacle(&self, cx: &Context) -> Option<String> {
        without_go(cx, "v3", VERSION_3)
    }

    fn provision(&self, cx: &Context) -> Result<()> {
        provision::complete(cx, &prefix_3(cx), |partial| {
            golang::install(cx, "github.com/sigstore/cosign/v3/cmd/cosign", VERSION_3, &partial.join("bin"))
        })
    }

    fn export(&self, found: &Found, state: &mut State) {
        state.export("TESTBED_COSIGN_3", found.program.display().to_string());
    }

    fn is_slow(&self) -> bool {
        true
    }
}

fn prefix_2(cx: &Context) -> PathBuf {
    let source = cx.host.debian.as_ref().map_or(VERSION_2, |debian| debian.complete.as_str());
    provision::prefix(cx, "cosign-2", &["1", source])
}

fn prefix_3(cx: &Context) -> PathBuf {
    provision::prefix(cx, "cosign-3", &["1", VERSION_3])
}

fn without_go(cx: &Context, major: &str, version: &str) -> Option<String> {
    cx.host.which("go").is_none().then(|| {
        format!("install Go, or `go install github.com/sigstore/cosign/{major}/cmd/cosign@{version}` elsewhere and copy it here")
    })
}

/// The machine's own cosign if it has that major version, else the provisioned one.
fn find(cx: &Context, major: u8, prefix: &Path) -> Result<Option<Found>> {
    if let Some(program) = cx.host.which("cosign")
        && major_of(cx, &program)? == major
    {
        let version = version_of(cx, &program, major)?;
        return Ok(Some(Found { version, program, prefix: None }));
    }
    if !prefix.exists() {
        return Ok(None);
    }
    let program = prefix.join("bin/cosign");
    let version = version_of(cx, &program, major)?;
    Ok(Some(Found { version, program, prefix: Some(prefix.to_owned()) }))
}

fn major_of(cx: &Context, cosign: &Path) -> Result<u8> {
    let shell = cx.runner.shell()?;
    let help = cx.runner.call(cmd!(shell, "{cosign} sign --help")).read()?;
    Ok(if help.contains(FLAG_OF_3) { 3 } else { 2 })
}

fn version_of(cx: &Context, cosign: &Path, major: u8) -> Result<String> {
    let shell = cx.runner.shell()?;
    let text = cx.runner.call(cmd!(shell, "{cosign} version")).read()?;
    let version = text.lines().find_map(|line| line.strip_prefix("GitVersion:")).unwrap_or_default().trim();
    Ok(if version.starts_with('v') { version.to_owned() } else { format!("{major}.x ({version})") })
}
