//! The state of a published image's bundles, for the command that adds them. Nothing that publishes uses it.

use anyhow::Result;

use crate::oci::reference::Digest;
use crate::process::parallel::both;

use super::claim::{Claim, Observed, Outlook, twice};
use super::judge::{image, public};
use super::observe::{self, ObservedBundle, ObservedImage, Place, seen};
use super::{Verifier, broken, others};

/// The state of a published image with regard to its bundles.
pub enum Standing {
    /// Every claim holds, and there are bundles.
    Bundled,
    /// Every claim holds, except that bundles are missing, or hold attestations of another run of the release.
    Lacking,
    /// Something else does not hold. The claims are all that were judged.
    Broken(Vec<Claim>),
}

/// The state of a published image. [`Standing::Lacking`] is meant only for code that adds the bundles. As the gates
/// do, this looks [`twice`] if a claim is false.
///
/// # Errors
/// When the checks could not be completed, for example because a signal interrupted them.
pub fn standing(verifier: &Verifier<'_>, digest: &Digest) -> Result<Standing> {
    let once = || look(verifier, digest);
    twice(once, once, |found| match found {
        Standing::Broken(claims) => Outlook::of(claims),
        Standing::Bundled | Standing::Lacking => Outlook::Settled,
    })
}

fn look(verifier: &Verifier<'_>, digest: &Digest) -> Result<Standing> {
    let release = &verifier.release;
    let image = || observe::image(verifier, digest, Place::Registry, None);
    let ((mut seen_image, tags), forge_tag) = both(
        || both(image, || Ok(seen(verifier.registry.tags()))),
        || Ok(seen(verifier.forge.tag(release.tag()))),
    )?;
    let others = others(&tags, digest);
    let judge = |seen: &ObservedImage, others: &Observed<Vec<String>>| {
        let claims = image::judge(release, digest, seen, others);
        [claims, vec![public::git_tag(release, &forge_tag)]].concat()
    };
    let claims = judge(&seen_image, &others);
    let are_ours = match &seen_image.bundles {
        Ok(Some(bundles)) => {
            let is_ours =
                |found: &ObservedBundle| found.read.is_ok() && !matches!(found.signature, Some(Err(_)));
            bundles.found.iter().all(is_ours).then(|| bundles.clone())
        }
        _ => None,
    };
    let Some(bundles) = are_ours else { return Ok(Standing::Broken(claims)) };
    if broken(&claims).is_none() {
        return Ok(if bundles.found.is_empty() { Standing::Lacking } else { Standing::Bundled });
    }
    seen_image.bundles = Ok(None);
    let without =
        |tags: Vec<String>| tags.into_iter().filter(|tag| Some(tag) != bundles.tag.as_ref()).collect();
    let legacy = judge(&seen_image, &others.map(without));
    Ok(if broken(&legacy).is_none() { Standing::Lacking } else { Standing::Broken(claims) })
}
