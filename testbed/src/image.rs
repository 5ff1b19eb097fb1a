//! The base image of the service's Dockerfile. If its registry cannot be reached, a stand-in with the same layout
//! is made from Debian and npm packages. It covers both platforms, and making it runs no program of the other
//! platform.

pub(crate) mod companion;
pub(crate) mod musl;
mod tree;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use xshell::cmd;
use xtask::process::Call;

use crate::context::Context;
use crate::exports::State;
use crate::files::remove_dir;
use crate::parts::Found;
use crate::parts::node;
use crate::provision;
use crate::services::registry;

/// Name in messages.
const NAME: &str = "base image";

/// Both platforms of a release, in docker's terms.
const ARCHITECTURES: [&str; 2] = ["amd64", "arm64"];

/// The stand-in's name in the loopback registry. It is the path of `node:22-slim` upstream.
const REPOSITORY: &str = "library/node";

/// Its tag.
const TAG: &str = "22-slim";

/// The variable with its reference. It is not set if the real image is available.
const STAND_IN: &str = "TESTBED_BASE_STAND_IN";

/// The image that it replaces. Any other base image is used as it is.
const IMITATES: &str = "node:22-slim";

/// 2020-01-01. It must be before any commit: otherwise a release's `SOURCE_DATE_EPOCH` would be before the time of its
/// base image.
const EPOCH: &str = "1577836800";

/// Increased when the recipe below or in `tree.rs` changes.
const RECIPE: &str = "2";

/// How long the upstream registry may take before the stand-in is made.
const PROBE: Duration = Duration::from_secs(15);

/// An image that is made here. The registry keeps its bytes, and a directory keeps its digest.
struct Made<'a> {
    /// Its name in messages.
    part: &'a str,
    /// Its directory. The name depends on everything that decides the content.
    dir: PathBuf,
    /// Its path in the registry.
    repository: &'a str,
    tag: &'a str,
    dockerfile: &'a str,
    /// `NAME=value` for the Dockerfile, if it has an argument.
    argument: Option<String>,
    /// Writes the tree of an architecture to a file, with every time set to [`EPOCH`].
    tree: &'a dyn Fn(&str, &Path) -> Result<()>,
}

/// Makes sure that the base image is available, and exports the stand-in if it is used.
pub(crate) fn ensure(cx: &Context, docker: &Found, address: SocketAddr, state: &mut State) -> Result<()> {
    let codename = cx.host.debian.as_ref().map_or("", |debian| debian.codename.as_str());
    let dockerfile = include_str!("image/Dockerfile");
    let recipe = [RECIPE, codename, node::VERSION, tree::NPM_VERSION, EPOCH, dockerfile];
    let image = Made {
        part: NAME,
        dir: provision::prefix(cx, "base-image", &recipe),
        repository: REPOSITORY,
        tag: TAG,
        dockerfile,
        argument: Some(format!("NODE_VERSION={}", node::VERSION)),
        tree: &|architecture, tar| tree::base(cx, architecture, EPOCH, tar),
    };
    if !image.dir.exists() && upstream_answers(cx, docker, state)? {
        return Ok(());
    }
    if cx.host.debian.is_none() {
        bail!(
            "the base image's registry does not answer, and a stand-in is only made as root on Debian 12 or later; \
             check the network or set `HTTPS_PROXY`"
        );
    }
    let pinned = image.ensure(cx, docker, address, state)?;
    state.export(STAND_IN, pinned);
    state.export("TESTBED_BASE_STAND_IN_FOR", IMITATES);
    Ok(())
}

impl Made<'_> {
    /// Makes and pushes it unless the registry has it, and returns its reference with tag and digest.
    fn ensure(&self, cx: &Context, docker: &Found, address: SocketAddr, state: &State) -> Result<String> {
        let Self { part, dir, repository, tag, .. } = self;
        let pinned = |digest: &str| format!("{address}/{repository}:{tag}@{digest}");
        if let Some(digest) = known_digest(dir)?
            && registry::has(address, &format!("/v2/{repository}/manifests/{digest}"))?
        {
            cx.progress.line(part, "already there (made by the testbed)");
            return Ok(pinned(&digest));
        }
        cx.progress.line(part, "building it for both platforms");
        remove_dir(dir)?;
        provision::complete(cx, dir, |partial| {
            let digest = self.build(cx, docker, address, state, partial)?;
            fs::write(partial.join("digest"), digest).context("writing the image's digest")
        })?;
        let digest = known_digest(dir)?.context("the image was made, but its digest is missing")?;
        cx.progress.line(part, &format!("pushed as {address}/{repository}:{tag}"));
        Ok(pinned(&digest))
    }

    /// Builds and pushes; returns the index digest.
    fn build(
        &self,
        cx: &Context,
        docker: &Found,
        address: SocketAddr,
        state: &State,
        dir: &Path,
    ) -> Result<String> {
        let context = dir.join("context");
        fs::create_dir(&context).with_context(|| format!("making `{}`", context.display()))?;
        for architecture in ARCHITECTURES {
            (self.tree)(architecture, &context.join(format!("root-{architecture}.tar")))?;
        }
        let dockerfile = context.join("Dockerfile");
        fs::write(&dockerfile, self.dockerfile)
            .with_context(|| format!("writing `{}`", dockerfile.display()))?;
        let metadata = dir.join("metadata.json");
        let (shell, program) = (cx.runner.shell()?, &docker.program);
        let platforms = ARCHITECTURES.map(|architecture| format!("linux/{architecture}")).join(",");
        let name = format!("{address}/{}:{}", self.repository, self.tag);
        let output = format!("type=image,push=true,oci-mediatypes=true,name={name}");
        let mut arguments = vec![format!("--build-arg=SOURCE_DATE_EPOCH={EPOCH}")];
        arguments.extend(self.argument.iter().map(|argument| format!("--build-arg={argument}")));
        let call = cmd!(
            shell,
            "{program} buildx build --quiet --provenance=false --sbom=false --platform {platforms}
             {arguments...} --output {output} --metadata-file {metadata} {context}"
        );
        let call = with_docker(cx.runner.call(call), state).timeout(Duration::from_secs(10 * 60));
        call.run().with_context(|| format!("building {name}"))?;
        let digest = read_digest(&metadata)?;
        remove_dir(&context)?;
        Ok(digest)
    }
}

fn known_digest(dir: &Path) -> Result<Option<String>> {
    if !dir.exists() {
        return Ok(None);
    }
    let path = dir.join("digest");
    fs::read_to_string(&path).map(Some).with_context(|| format!("reading `{}`", path.display()))
}

/// Whether the registry of the Dockerfile's base image answers and has it.
fn upstream_answers(cx: &Context, docker: &Found, state: &State) -> Result<bool> {
    let path = cx.repository.join("Dockerfile");
    let text = fs::read_to_string(&path).with_context(|| format!("reading `{}`", path.display()))?;
    let Some(reference) = pinned_base(&text) else {
        bail!("looking for the base image in `{}`: no `FROM …@sha256:…`", path.display());
    };
    let (shell, program) = (cx.runner.shell()?, &docker.program);
    let inspect = cmd!(shell, "{program} buildx imagetools inspect --raw {reference}");
    // Every failure has the same consequence. The usual one is a hang.
    let answers = with_docker(cx.runner.call(inspect), state).timeout(PROBE).run().is_ok();
    if answers {
        cx.progress.line(NAME, "its registry answers; no stand-in is needed");
    }
    Ok(answers)
}

/// The reference of the first `FROM` that is pinned by a digest.
fn pinned_base(dockerfile: &str) -> Option<&str> {
    let from = dockerfile.lines().filter_map(|line| line.trim().strip_prefix("FROM "));
    from.flat_map(str::split_whitespace).find(|word| word.contains("@sha256:"))
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(rename = "containerimage.digest")]
    digest: String,
}

fn read_digest(metadata: &PathBuf) -> Result<String> {
    let bytes = fs::read(metadata).with_context(|| format!("reading `{}`", metadata.display()))?;
    let metadata: Metadata = serde_json::from_slice(&bytes).context("reading buildx's metadata")?;
    Ok(metadata.digest)
}

/// The call with the engine's own variables, as the tests have them.
pub(crate) fn with_docker(mut call: Call, state: &State) -> Call {
    for key in ["DOCKER_HOST", "DOCKER_CONFIG"] {
        if let Some(value) = state.exports.get(key) {
            call = call.env(key, value);
        }
    }
    call
}

#[cfg(test)]
mod tests {
    use super::pinned_base;

    #[test]
    fn the_first_pinned_base_is_found_even_after_flags() {
        let text =
            "# FROM no\nFROM --platform=$BUILDPLATFORM node:22-slim@sha256:ab AS build\nFROM x@sha256:cd\n";
        assert_eq!(pinned_base(text), Some("node:22-slim@sha256:ab"));
        assert_eq!(pinned_base("FROM node:22-slim\n"), None);
    }
}
