//! Every claim of a release, derived again: the gate inside `release`, and `cargo xtask verify` for everyone else.
//! `look` asks, the other modules judge: each claim is a function of what was seen.

pub mod claim;
pub mod command;
mod image;
mod look;
mod provenance;
mod public;
mod statement;

use anyhow::{Result, anyhow, bail};

use crate::failure::Refusal;
use crate::forge::Page;
use crate::progress::both;
use crate::reference::Digest;
use crate::release::{Attestations, Release, build, page};
use crate::version::ReleaseTag;

use claim::{Claim, Verdict};

/// The claims about the image itself: signed, attested, made from the tagged commit. All it takes is its digest.
///
/// # Errors
/// When nothing could be asked at all; what could not be checked is a verdict, not an error.
pub fn image(release: &Release<'_>, digest: &Digest) -> Result<Vec<Claim>> {
    let seen = look::image(release, digest)?;
    Ok(image::judge(release, digest, &seen))
}

/// The claims about what is public under the release's names: the version tag, the page, `latest`.
///
/// # Errors
/// As [`image`].
pub fn public(release: &Release<'_>, digest: &Digest) -> Result<Vec<Claim>> {
    Ok(public::judge(release, digest, &page::write(release, digest)?, &look::public(release)?))
}

/// The gate for an image that this run made: its claims hold, and its attestations came back as they went in. Another run
/// of the same release may be writing them just then, and a registry has nothing under a tag for a moment while it is
/// overwritten (docs/facts.md#overwrite-gap): what does not hold is looked at once more.
///
/// # Errors
/// When one does not hold or could not be checked.
pub fn fresh(release: &Release<'_>, digest: &Digest, attestations: &Attestations) -> Result<()> {
    let check = || {
        let seen = look::image(release, digest)?;
        match broken(&image::judge(release, digest, &seen)) {
            Some((_, text)) => bail!("the image that was just made does not verify: {text}"),
            None => image::check_unchanged(&seen, digest, attestations),
        }
    };
    check().or_else(|_first| check())
}

/// The gate for what an earlier run published: a false claim is a conflict that nobody but a person can resolve. The
/// forge's tag counts as well: a page for a missing tag would create it.
///
/// # Errors
/// A [`Refusal`] when a claim is false; another error, to be tried again, when one could not be checked.
pub fn published(release: &Release<'_>, digest: &Digest) -> Result<()> {
    let name = release.target.image.tagged(&release.source.tag.registry_tag());
    let (image, git_tag) = both(|| image(release, digest), || Ok(public::git_tag(release)))?;
    match broken(&[image, vec![git_tag]].concat()) {
        None => Ok(()),
        Some((Verdict::False, text)) => Err(conflict(release, &name, digest, &text)),
        Some((_, text)) => Err(anyhow!("`{name}` is public, and it could not be checked: {text}")),
    }
}

/// Names both images: the public one, and what the tagged commit gives here.
fn conflict(release: &Release<'_>, name: &str, digest: &Digest, text: &str) -> anyhow::Error {
    let ours = match build::rebuild(release) {
        Ok(ours) if &ours == digest => "the commit gives the same image, but not under this key".to_owned(),
        Ok(ours) => format!("the commit gives `{ours}`"),
        Err(error) => format!("what the commit gives could not be built to compare: {error:#}"),
    };
    Refusal::new(format!(
        "`{name}` is public as `{digest}` and does not verify as this release: {text}\n\
         {ours}; nothing was changed: find out who pushed it, then delete that version in the registry or release the \
         next one"
    ))
    .into()
}

/// Whether cosign accepts `digest` as `tag`, another release than the one at hand, by the same key.
///
/// # Errors
/// When it does not, or cannot be asked.
pub fn signature(release: &Release<'_>, tag: &ReleaseTag, digest: &Digest) -> Result<()> {
    look::signature(release, tag, digest)
}

/// The gate at the end: everything that is public says the same. Where a higher version is released, `latest` is its
/// business: its run may be about to move it.
///
/// # Errors
/// When a claim does not hold or could not be checked.
pub fn closed(release: &Release<'_>, digest: &Digest, page: &Page) -> Result<()> {
    let seen = look::public(release)?;
    let mut claims = public::judge(release, digest, page, &seen);
    if seen.latest.as_ref().is_ok_and(|latest| !latest.belongs_to(&release.source.tag)) {
        claims.retain(|claim| claim.id != public::LATEST);
    }
    match broken(&claims) {
        None => Ok(()),
        Some((_, text)) => bail!("the release is public, but {text}"),
    }
}

/// The claims that do not hold, in words, and the worst verdict: one that is false outweighs any that is unknown.
fn broken(claims: &[Claim]) -> Option<(Verdict, String)> {
    let broken: Vec<_> = claims.iter().filter(|claim| claim.verdict != Verdict::Holds).collect();
    let worst = broken.iter().map(|claim| claim.verdict).max()?;
    let text: Vec<_> =
        broken.iter().map(|claim| format!("`{}` {}: {}", claim.id, claim.verdict, claim.evidence)).collect();
    Some((worst, text.join("; ")))
}
