//! The claims about the origin of the released commit: it is on a branch that may be released, and those who must sign
//! it have done so.

use anyhow::{Context as _, anyhow};

use crate::evidence::claims;
use crate::inputs::ALLOWED_SIGNERS;
use crate::inputs::signers::{SignedTag, Signers};
use crate::inputs::source::Source;
use crate::tool::git::Signer;

use crate::verify::claim::Claim;
use crate::verify::observe::{ObservedBranch, ObservedSigners, ObservedSource};

/// Judges what was seen. Also returns the ids of the claims that could not be looked at although they apply to every
/// release.
pub(in crate::verify) fn judge(source: &Source, seen: &ObservedSource) -> (Vec<Claim>, Vec<&'static str>) {
    let Source { tag, commit, .. } = source;
    let branch = seen.branch.as_ref().map(|seen| {
        Claim::judge(claims::SOURCE_BRANCH, seen, |ObservedBranch { default, head, branches, found }| {
            let named = format!("`branches` at {head}, the head of the default branch `{default}`");
            let found = found.as_ref().with_context(|| {
                format!(
                    "{commit} is in the history of none of `{}`, which are {named}; find out who tagged it",
                    branches.join("`, `")
                )
            })?;
            Ok(format!("in the history of `{found}`, one of {named}"))
        })
    });
    let signers = seen.signers.as_ref().map(|seen| {
        Claim::judge(
            claims::TAG_SIGNED,
            seen,
            |ObservedSigners { at, signers: Signers { release, approval } }| {
                let list = format!("`{ALLOWED_SIGNERS}` at {at}");
                let named = |Signer { principal, fingerprint }: &Signer| {
                    format!("by `{principal}` with the key {fingerprint}")
                };
                let first = release
                    .as_ref()
                    .map_err(|words| anyhow!("`{tag}` is not signed by anyone in {list}: {words}"))?;
                let Some(approval) = approval else {
                    return Ok(format!("signed {}, in {list}", named(first)));
                };
                let approved = SignedTag::Approval(tag);
                let second = approval.as_ref().map_err(|words| {
                    anyhow!("`{approved}` is not signed by a second person in {list}: {words}")
                })?;
                Ok(format!("signed {}, and approved {}, both in {list}", named(first), named(second)))
            },
        )
    });
    let unasked = [(branch.is_none(), claims::SOURCE_BRANCH), (!seen.has_policy, claims::TAG_SIGNED)];
    let not_asked = unasked.into_iter().filter_map(|(is_unasked, id)| is_unasked.then_some(id)).collect();
    (branch.into_iter().chain(signers).collect(), not_asked)
}
