//! Step 6, contents: what was pushed is read from its layers, on every platform. A binary for another platform, or other
//! packages than the lockfile's, end the release before anything is signed; the rest becomes the SBOM.

use anyhow::{Context as _, Result, anyhow};

use crate::contents::base::{Base, Place};
use crate::contents::cache::Cache;
use crate::contents::image::Contents;
use crate::contents::read::{Known, Part, read};
use crate::contents::{installed, machine};
use crate::failure::Refusal;
use crate::index;
use crate::reference::Digest;
use crate::release::build::Built;
use crate::release::{Release, stand_in};
use crate::sbom;

/// What a refusal of this step leaves behind.
const REMAINS: &str = "nothing was signed or published; the registry has the image as a candidate, which the next release removes";

/// Reads what was built, holds it against the rules, and writes its SBOM.
///
/// # Errors
/// A [`Refusal`] when a rule is broken; any other error when it cannot be read.
pub fn run(release: &Release<'_>, built: &Built) -> Result<Vec<u8>> {
    let Release { session, tools, .. } = release;
    let cache = Cache::new(session.environment)?;
    let parts = built.manifests.iter().map(|(platform, digest)| part(release, platform, digest));
    let parts = parts.collect::<Result<Vec<_>>>()?;
    let place = base_place(release)?;
    let platforms: Vec<_> = parts.iter().map(|part| part.platform.clone()).collect();
    let base = Base::of(&place.digest, &platforms, &cache, |digest| {
        // docker knows the logins and mirrors that the build was made with.
        Ok(tools.docker.raw_manifest(&format!("{}@{digest}", place.name))?.into_bytes())
    })?;
    let contents = read(&parts, Some(&base), &tools.registry, &cache, Known::All)?;
    for contents in &contents {
        machine::check(contents).map_err(|wrong| Refusal::new(format!("{wrong}; {REMAINS}")))?;
    }
    sbom(release, &contents).map_err(|error| match error.downcast::<installed::Unlike>() {
        Ok(unlike) => Refusal::new(format!("{unlike}; {REMAINS}")).into(),
        Err(error) => error,
    })
}

fn part(release: &Release<'_>, platform: &str, digest: &Digest) -> Result<Part> {
    let registry = &release.tools.registry;
    let bytes = registry.bytes_of(digest)?.bytes;
    let doing = || format!("reading the manifest `{digest}` of {platform}");
    let config = registry.blob(&index::config_of(&bytes).with_context(doing)?)?;
    let config = config.ok_or_else(|| anyhow!("{}: its config is not in the registry", doing()))?;
    Part::of(platform, &bytes, &config)
}

/// Where the base image of the final stage is: a stand-in only where a stand-in may be.
///
/// # Errors
/// When the stand-in's name cannot be read.
pub fn base_place(release: &Release<'_>) -> Result<Place> {
    let (target, base) = (release.target, &release.inputs.base.last);
    match stand_in::of(&target.stand_ins, base).filter(|_| target.image.registry.is_loopback()) {
        Some(stand_in) => Place::of_stand_in(&stand_in.image),
        None => Ok(Place::of(base)),
    }
}

/// The SBOM of what is in the image: the same bytes for whoever reads the same image.
///
/// # Errors
/// [`installed::Unlike`] when the packages are not the lockfile's.
pub fn sbom(release: &Release<'_>, contents: &[Contents]) -> Result<Vec<u8>> {
    let Release { session, source, inputs, .. } = release;
    let held = contents
        .iter()
        .map(|contents| installed::check(contents, &inputs.lockfile, session.config.dependencies))
        .collect::<Result<Vec<_>>>()?;
    let archives = |platform: &str| {
        let archives = session.config.native.iter().filter_map(|native| Some((native, native.archive()?.1)));
        let of_platform = archives.filter(|(_, archive)| archive.platform.to_string() == platform);
        of_platform.map(|(native, archive)| (native.package.as_str(), archive)).collect()
    };
    let platforms: Vec<_> = contents
        .iter()
        .zip(&held)
        .map(|(contents, held)| sbom::Platform { contents, held, archives: archives(&contents.platform) })
        .collect();
    let subject = sbom::Subject {
        title: &session.config.title,
        tag: &source.tag,
        commit: &source.commit,
        time: source.time,
    };
    sbom::write(&subject, &platforms)
}
