//! The registry program: distribution, which Debian calls docker-registry.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use xshell::cmd;

use super::{Found, Part, version_in};
use crate::context::Context;
use crate::exports::State;
use crate::provision;
use crate::provision::debian::{Archive, Closure};

/// The first version with OCI indexes.
const OLDEST: (u64, u64) = (2, 7);

/// See [`Part`].
pub(crate) struct Registry;

impl Part for Registry {
    fn name(&self) -> &'static str {
        "registry"
    }

    fn find(&self, cx: &Context) -> Result<Option<Found>> {
        let shell = cx.runner.shell()?;
        let prefix = prefix(cx);
        let own = ["docker-registry", "registry"]
            .iter()
            .filter_map(|name| cx.host.which(name))
            .map(|path| (path, None));
        let provisioned = (prefix.join("usr/bin/docker-registry"), Some(prefix.clone()));
        let provisioned = prefix.exists().then_some(provisioned);
        for (program, prefix) in own.chain(provisioned) {
            let answer = cx.runner.call(cmd!(shell, "{program} --version")).output()?;
            let text = answer.text()?;
            // Other programs are called `registry` too.
            if answer.status.success() && text.contains("distribution") && version_in(&text) >= Some(OLDEST) {
                let version = text.split_whitespace().last().unwrap_or_default().to_owned();
                return Ok(Some(Found { version, program, prefix }));
            }
        }
        Ok(None)
    }

    fn obstacle(&self, cx: &Context) -> Option<String> {
        cx.host.debian.is_none().then(|| match cx.host.which("apt-get") {
            Some(_) => format!("`{}`", cx.host.install_command("docker-registry")),
            None => "`go install github.com/distribution/distribution/v3/cmd/registry@v3.0.0`".to_owned(),
        })
    }

    fn provision(&self, cx: &Context) -> Result<()> {
        let debian = cx.host.debian.as_ref().context("provisioning the registry needs Debian")?;
        provision::complete(cx, &prefix(cx), |partial| {
            let archive = Archive::open(cx, &debian.codename, cx.host.architecture)?;
            archive.unpack(&["docker-registry"], Closure::Nothing, partial)?;
            Ok(())
        })
    }

    fn export(&self, _found: &Found, _state: &mut State) {
        // The tests use the running service, see `services/registry.rs`.
    }
}

fn prefix(cx: &Context) -> PathBuf {
    let codename = cx.host.debian.as_ref().map_or("", |debian| debian.codename.as_str());
    provision::prefix(cx, "registry", &["1", codename])
}
