//! Step 6, contents: reads the pushed image from its layers, for every platform. A binary for another platform, or
//! packages that differ from the lockfile's, end the release before anything is signed. The rest becomes the SBOM.

use anyhow::{Context as _, Result, anyhow};

use crate::contents::base::{self, Base, PinnedBase};
use crate::contents::cache::Cache;
use crate::contents::image::Contents;
use crate::contents::read::{Known, Part, read};
use crate::contents::{installed, machine, unseen};
use crate::evidence::sbom;
use crate::http::Curl;
use crate::oci::manifest::ImageManifest;
use crate::oci::reference::Digest;
use crate::oci::registry::Client;
use crate::process::failure::Refusal;
use crate::release::Context;
use crate::release::build::Candidate;

/// What remains after a refusal in this step.
const REMAINS: &str =
    "nothing was signed or published; the registry keeps the image as a candidate, without a signature";

/// What a scanner of the SBOM will not find.
const NO_VERSION: &str = "the SBOM has node without a version, so a scanner of the SBOM cannot find its vulnerabilities: the \
     base image does not set `NODE_VERSION`, or something above it brings node or sets that variable; docker's official \
     images of node set it";

/// Reads what was built, checks it against the rules, and writes its SBOM.
///
/// # Errors
/// A [`Refusal`] when a rule is broken; any other error when the image cannot be read.
pub(super) fn run(context: &Context<'_>, candidate: &Candidate) -> Result<Vec<u8>> {
    let Context { session, tools, release, .. } = context;
    let cache = Cache::new(session.environment)?;
    let parts = candidate.manifests.iter().map(|(platform, digest)| part(&tools.registry, platform, digest));
    let parts = parts.collect::<Result<Vec<_>>>()?;
    let place = PinnedBase::for_release(release);
    let platforms: Vec<_> = parts.iter().map(|part| part.platform.clone()).collect();
    let curl = Curl::new(session.runner, session.config.timeouts.http());
    let base = Base::of(&place.digest, &platforms, &cache, |digest| {
        base::through_docker(&tools.docker, &curl, &place, digest)
    })?;
    if let Some(unseen) = unseen::layers(&parts, &base, release.inputs)? {
        return Err(Refusal::new(format!("{unseen}; {REMAINS}")).into());
    }
    let images = read(&parts, Some(&base), release.inputs.own, &tools.registry, &cache, Known::All)?;
    let contents = images.platforms;
    for contents in &contents {
        if let Err(wrong) = machine::check(contents) {
            let lockfile = &release.inputs.lockfile;
            let both = lockfile.without_libc(&release.config.service, &[installed::target(contents)?])?;
            let why = both.map_or_else(String::new, |both| format!("; {both}"));
            return Err(Refusal::new(format!("{wrong}{why}; {REMAINS}")).into());
        }
    }
    let sbom = sbom::of(release, &contents).map_err(|error| {
        match error.downcast::<installed::LockfileMismatch>() {
            Ok(mismatch) => Refusal::new(format!("{mismatch}; {REMAINS}")).into(),
            Err(error) => error,
        }
    })?;
    // Only a release refuses this: `verify` accepts what was released before there was this rule.
    for contents in contents.iter().filter(|_| !release.inputs.own.omits_optional) {
        let lockfile = &release.inputs.lockfile;
        if let Some(wrong) = installed::without_binaries(contents, lockfile, release.config.dependencies)? {
            return Err(Refusal::new(format!("{wrong}; {REMAINS}")).into());
        }
    }
    let is_unknown = |contents: &Contents| {
        !contents.node.is_empty() && contents.node_version.is_none() && !contents.has_packaged_node()
    };
    if contents.iter().any(is_unknown) {
        session.steps.line("contents", NO_VERSION);
    }
    Ok(sbom::render(&sbom))
}

fn part(registry: &Client, platform: &str, digest: &Digest) -> Result<Part> {
    let bytes = registry.known_manifest(digest)?.bytes;
    let doing = || format!("reading the manifest `{digest}` of {platform}");
    let config = registry.blob(&ImageManifest::parse(&bytes).with_context(doing)?.config.digest)?;
    let config = config.ok_or_else(|| anyhow!("{}: its config is not in the registry", doing()))?;
    Part::of(platform, &bytes, &config)
}
