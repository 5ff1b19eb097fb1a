//! Steps 2 to 10: everything up to a proven image that only its candidate tag names.

use anyhow::{Context as _, Result};

use crate::evidence::attached::Attestations;
use crate::evidence::test_result;
use crate::oci::reference::Digest;
use crate::process::parallel::both;
use crate::release::build::Candidate;
use crate::release::step::Step;
use crate::release::{Context, attest, build, conflict, contents, gate, preflight, smoke, tags, withdraw};
use crate::verify::proven::Proven;

/// The outcome for an image that was made.
pub(super) enum Made {
    /// The image is proven, and only its candidate tag names it.
    Proven(Proven),
    /// Another run of the same release published it meanwhile under this digest; its attestations stay.
    Public(Digest),
}

/// Makes and proves the image. If the image is refused, what was attached to it is removed.
///
/// # Errors
/// A [`crate::process::failure::Refusal`] when preflight refuses; after any other error, try again.
pub(super) fn run(context: &Context<'_>) -> Result<(Candidate, Made)> {
    let Context { session, tools, release, .. } = context;
    let (mut toolchain, _) = both(
        || context.step(Step::Preflight, "", || preflight::run(context)),
        || context.step(Step::Export, release.source.commit.as_str(), || context.build.context()),
    )?;
    let candidate = context.step(Step::Build, &release.platforms().join(", "), || build::run(context))?;
    let digest = &candidate.digest;
    let (smoked, (sbom, builder)) = both(
        || context.step(Step::Smoke, &release.image.pinned(digest), || smoke::run(context, &candidate)),
        || {
            both(
                || {
                    context.step(Step::Contents, "machine, packages, SBOM", || {
                        contents::run(context, &candidate)
                    })
                },
                || tools.docker.builder(&session.config.builder),
            )
        },
    )?;
    toolchain.add_builder(&builder);

    // A concurrent run writes its page after the version tag, so if its page is there, the tag is too.
    let page = conflict::check_page(context, digest);
    if let Some(public) = published(context, digest)? {
        return Ok((candidate, Made::Public(public)));
    }
    page?;
    let provenance = candidate.provenance(context, &toolchain, &smoked, &sbom)?;
    let test_result = test_result::predicate(release, &smoked)?;
    let test_result = serde_json::to_vec(&test_result).context("writing the test result")?;
    let attestations = Attestations { provenance, sbom, test_result };
    let made = withdraw::unless_refused(context, &candidate, || prove(context, &candidate, attestations))?;
    Ok((candidate, made))
}

/// The digest that the version tag names now, if any.
fn published(context: &Context<'_>, digest: &Digest) -> Result<Option<Digest>> {
    tags::published(&context.tools.registry, &context.release.tag().registry_tag(), digest)
}

/// Signs, attests and verifies.
fn prove(context: &Context<'_>, candidate: &Candidate, attestations: Attestations) -> Result<Made> {
    let digest = &candidate.digest;
    let (signature, signed) = both(
        || context.step(Step::Sign, digest.as_str(), || attest::sign(context, digest)),
        || {
            context.step(Step::Attest, "provenance, SBOM, test result", || {
                attest::attest(context, candidate, attestations)
            })
        },
    )?;
    let formats =
        if signature.is_some() { "all attestations, then bundles" } else { "all attestations at once" };
    let attested = context.step(Step::Store, formats, || {
        let registry = &context.tools.registry;
        let uploaded = attest::upload(registry, digest, signed, signature.as_ref())?;
        // As late as possible: after this, the attestations of a run that has just published would be replaced.
        if let Some(public) = published(context, digest)? {
            return Ok(Err(public));
        }
        #[cfg(feature = "broken-resume")]
        publish_too_early(context, digest)?;
        attest::store(registry, digest, uploaded).map(Ok)
    })?;
    let attested = match attested {
        Ok(attested) => attested,
        Err(public) => return Ok(Made::Public(public)),
    };
    let verify = || gate::fresh(context, digest, attested.attestations());
    context.step(Step::Verify, "anonymously, with the commands of the page", verify).map(Made::Proven)
}

/// Publishes the version tag before what belongs to it, so that a release interrupted in between cannot be resumed. The
/// fault kit's test must detect that.
#[cfg(feature = "broken-resume")]
fn publish_too_early(context: &Context<'_>, digest: &Digest) -> Result<()> {
    let tag = context.release.tag().registry_tag();
    tags::publish(&context.tools.registry, &tag, Proven::without_proof(digest)).map(|_| ())
}
