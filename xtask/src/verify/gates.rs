//! The gates before anything is published: they alone make a [`Proven`]. If a claim is false, they look [`twice`],
//! because another run of the same release may be writing, and while a tag is overwritten a registry may briefly have
//! nothing under it (docs/facts.md#overwrite-gap).

use anyhow::{Result, anyhow};

use crate::evidence::attached::Attestations;
use crate::evidence::provenance::Smoked;
use crate::oci::reference::Digest;
use crate::process::parallel::both;

use super::claim::{Claim, Outlook, Verdict, twice};
use super::judge::{assets, image, public, unchanged};
use super::observe::{self, ObservedImage, Place, seen};
use super::proven::{Disproved, Proven};
use super::{Verifier, broken, others, unchecked};

/// The proof; or the worst verdict, and the claims that do not hold, in words.
pub type Gate = Result<Proven, (Verdict, String)>;

/// The gate for an image that this run made: its claims hold, and its attestations read back unchanged.
///
/// # Errors
/// A [`Disproved`] when a claim does not hold; other errors when one could not be checked.
pub fn fresh(verifier: &Verifier<'_>, digest: &Digest, attestations: &Attestations) -> Result<Proven> {
    let look = || {
        let (seen, claims) = image(verifier, digest)?;
        let gate = match broken(&claims) {
            Some((verdict, text)) => {
                Err((verdict, format!("the image that was just made does not verify: {text}")))
            }
            None => match unchanged::check_unchanged(&seen, digest, attestations) {
                Ok(()) => Ok(proven(verifier, &seen, digest)?),
                Err(error) => Err((Verdict::False, format!("{error:#}"))),
            },
        };
        Ok((claims, gate))
    };
    // That attestations have changed is no claim, because only this run can check it.
    let (claims, gate) = twice(look, look, |(claims, gate)| match Outlook::of(claims) {
        Outlook::Settled if matches!(gate, Err((Verdict::False, _))) => Outlook::Doubtful,
        outlook => outlook,
    })?;
    gate.map_err(|(verdict, text)| match verdict {
        Verdict::False => Disproved::of(&claims, text).into(),
        _ => unchecked(&claims, text),
    })
}

/// The gate for an image that an earlier run published: the claims about it, and the one about the forge's git tag,
/// because creating a page for a missing tag would create that tag. Returns a proof if all of them hold, else the
/// result of [`broken`].
///
/// # Errors
/// When the checks could not be completed, for example because a signal interrupted them.
pub fn of_public(verifier: &Verifier<'_>, digest: &Digest) -> Result<(Vec<Claim>, Gate)> {
    let look = || public_once(verifier, digest);
    twice(look, look, |(claims, _)| Outlook::of(claims))
}

fn public_once(verifier: &Verifier<'_>, digest: &Digest) -> Result<(Vec<Claim>, Gate)> {
    let release = &verifier.release;
    let forge_tag = || Ok(seen(verifier.forge.tag(release.tag())));
    let ((seen, claims), forge_tag) = both(|| image(verifier, digest), forge_tag)?;
    let claims = [claims, vec![public::git_tag(release, &forge_tag)]].concat();
    let proven = match broken(&claims) {
        None => Ok(proven(verifier, &seen, digest)?),
        Some(broken) => Err(broken),
    };
    Ok((claims, proven))
}

fn proven(verifier: &Verifier<'_>, seen: &ObservedImage, digest: &Digest) -> Result<Proven> {
    let smoked: Smoked = image::smoked(&verifier.release, seen, digest)?;
    let envelopes = assets::envelopes(seen).map_err(|unseen| anyhow!("{unseen}"))?;
    let envelopes = envelopes.into_iter().map(|(_, digest)| digest).collect();
    Ok(Proven::new(digest, smoked, image::build_type(seen, digest)?, envelopes))
}

fn image(verifier: &Verifier<'_>, digest: &Digest) -> Result<(ObservedImage, Vec<Claim>)> {
    let look = || observe::image(verifier, digest, Place::Registry, None);
    let (seen, tags) = both(look, || Ok(seen(verifier.registry.tags())))?;
    let claims = image::judge(&verifier.release, digest, &seen, &others(&tags, digest));
    Ok((seen, claims))
}
