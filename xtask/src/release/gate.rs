//! The gates of `verify`, as a release passes them. Another run of the same release may have stored only one of the
//! two formats by then, and may have died there (docs/decisions/0021-both-formats.md). In that case the bundles are
//! made again from the attached attestations. A run that is still in progress does the same, so in the end both
//! formats match.

use anyhow::Result;

use crate::evidence::attached::Attestations;
use crate::oci::reference::Digest;
use crate::release::state::State;
use crate::release::{Context, resign};
use crate::verify::claim::Claim;
use crate::verify::proven::{Disproved, Proven};
use crate::verify::{self, Gate, Standing};

/// The gate for an image that this run made, with `attestations`.
///
/// # Errors
/// As [`verify::fresh`]; others when the bundles cannot be stored.
pub(super) fn fresh(context: &Context<'_>, digest: &Digest, attestations: &Attestations) -> Result<Proven> {
    let gate = || verify::fresh(&context.verifier(), digest, attestations);
    let proven = gate();
    let is_between = |error: &anyhow::Error| error.downcast_ref().is_some_and(Disproved::is_between_formats);
    match &proven {
        Err(error) if is_between(error) && adds_bundles(context, digest)? => gate(),
        _ => proven,
    }
}

/// The gate for an image that is public.
///
/// # Errors
/// As [`verify::of_public`]; others when the bundles cannot be stored.
pub(super) fn of_public(context: &Context<'_>, digest: &Digest) -> Result<(Vec<Claim>, Gate)> {
    let gate = || verify::of_public(&context.verifier(), digest);
    let (claims, proven) = gate()?;
    if verify::is_between_formats(&claims) && adds_bundles(context, digest)? {
        return gate();
    }
    Ok((claims, proven))
}

/// The state of a release whose version tag names `digest`, after the same gate.
///
/// # Errors
/// As [`State::of_public`]; others when the bundles cannot be stored.
pub(super) fn state(context: &Context<'_>, digest: &Digest) -> Result<State> {
    let state = State::of_public(context, digest)?;
    if state.is_between_formats && adds_bundles(context, digest)? {
        return Ok(State { is_repaired: true, ..State::of_public(context, digest)? });
    }
    Ok(state)
}

/// Adds the bundles, if nothing else is wrong; returns whether they were added.
fn adds_bundles(context: &Context<'_>, digest: &Digest) -> Result<bool> {
    let lacks = context.release.config.signatures.bundles
        && matches!(verify::standing(&context.verifier(), digest)?, Standing::Lacking);
    if lacks {
        resign::add(context, digest)?;
    }
    Ok(lacks)
}
