//! Steps 2 to 10: everything up to a proven image that only its candidate tag names.

use anyhow::Result;

use crate::config::Config;
use crate::progress::both;
use crate::provenance::Smoked;
use crate::reference::Digest;
use crate::release::{Attestations, Release, attest, build, contents, preflight, smoke, tags};
use crate::verify;

/// What has become of an image that was made.
pub enum Made {
    /// Only its candidate tag names it. Its provenance, which may be another run's, says how it was tried.
    Proven(Digest, Smoked),
    /// Another run of the same release published it meanwhile, under this digest, and its attestations stay.
    Public(Digest),
}

/// With the feature `broken-resume` alone: the version tag is public before what belongs to it, so that a release which is
/// stopped in between cannot be resumed. The test of the fault kit must see that.
const PUBLISHES_TOO_EARLY: bool = cfg!(feature = "broken-resume");

/// Makes and proves the image.
///
/// # Errors
/// A [`crate::failure::Refusal`] when preflight refuses; any other error can be tried again.
pub fn run(release: &Release<'_>) -> Result<Made> {
    let Release { session, tools, target, source, .. } = release;
    let steps = session.steps;
    let (mut toolchain, ()) = both(
        || steps.run("preflight", "", || preflight::run(release)),
        || steps.run("export", source.commit.as_str(), || release.export().map(|_| ())),
    )?;
    let built = steps.run("build", &platforms(session.config), || build::run(release))?;
    let digest = built.digest.clone();
    let (smoked, (sbom, builder)) = both(
        || steps.run("smoke", &target.image.pinned(&digest), || smoke::run(release, &built)),
        || {
            both(
                || steps.run("contents", "machine, packages, SBOM", || contents::run(release, &built)),
                || tools.docker.builder(&session.config.builder),
            )
        },
    )?;
    toolchain.add_builder(&builder);

    let tag = source.tag.registry_tag();
    let published = || tags::published(&tools.registry, &tag, &digest);
    if let Some(public) = published()? {
        return Ok(Made::Public(public));
    }
    let provenance = build::provenance(release, &built, &toolchain, &smoked, &sbom)?;
    let attestations = Attestations { provenance, sbom };
    let ((), signed) = both(
        || steps.run("sign", digest.as_str(), || attest::sign(release, &digest)),
        || steps.run("attest", "provenance, SBOM", || attest::attest(release, &digest, &attestations)),
    )?;
    if let Some(public) = published()? {
        return Ok(Made::Public(public));
    }
    if PUBLISHES_TOO_EARLY {
        tags::publish(&tools.registry, &tag, &digest)?;
    }
    steps.run("store", "both attestations at once", || attest::store(&tools.registry, &digest, &signed))?;
    let smoked = steps.run("verify", "as a stranger, with the commands of the page", || {
        verify::fresh(release, &digest, &attestations)
    })?;
    Ok(Made::Proven(digest, smoked))
}

fn platforms(config: &Config) -> String {
    config.platforms.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
