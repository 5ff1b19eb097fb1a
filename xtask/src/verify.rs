//! Every claim of a release, derived again: the gate inside `release`, and `cargo xtask verify` for everyone else.
//! `look` asks, `image`, `provenance` and `public` judge: each claim is a function of what was seen.

mod before;
mod by_hand;
pub mod claim;
pub mod command;
mod difference;
mod image;
mod key;
mod layers;
mod login;
mod look;
mod provenance;
mod public;
mod report;
mod statement;
mod store;
mod subject;
mod survey;

use anyhow::{Result, bail};

use crate::failure::Refusal;
use crate::progress::both;
use crate::provenance::Smoked;
use crate::reference::Digest;
use crate::release::rebuilt::Rebuilt;
use crate::release::{Attestations, Release};
use crate::version::ReleaseTag;

use claim::{Claim, Verdict};
use look::{ImageSeen, Place};

/// The gate for an image that this run made: its claims hold, and its attestations came back as they went in. Another run
/// of the same release may be writing them just then, and a registry has nothing under a tag for a moment while it is
/// overwritten (docs/facts.md#overwrite-gap): what does not hold is looked at once more.
///
/// Gives how the image was tried, as the provenance says that is stored.
///
/// # Errors
/// When one does not hold or could not be checked.
pub fn fresh(release: &Release<'_>, digest: &Digest, attestations: &Attestations) -> Result<Smoked> {
    let check = || {
        let (seen, claims) = image(release, digest)?;
        match broken(&claims) {
            Some((_, text)) => bail!("the image that was just made does not verify: {text}"),
            None => image::check_unchanged(&seen, digest, attestations)?,
        }
        image::smoked(release, &seen, digest)
    };
    check().or_else(|_first| check())
}

/// The claims about what an earlier run published, and about the forge's tag: a page for a missing tag would create it. And
/// how the image was tried, as its provenance says.
///
/// # Errors
/// When nothing could be asked at all.
pub fn of_public(release: &Release<'_>, digest: &Digest) -> Result<(Vec<Claim>, Smoked)> {
    let ((seen, claims), git_tag) = both(|| image(release, digest), || Ok(public::git_tag(release)))?;
    let claims = [claims, vec![git_tag]].concat();
    let smoked = match broken(&claims) {
        None => image::smoked(release, &seen, digest)?,
        // A conflict or an error for the caller to say: no page is written.
        Some(_) => Smoked::default(),
    };
    Ok((claims, smoked))
}

fn image(release: &Release<'_>, digest: &Digest) -> Result<(ImageSeen, Vec<Claim>)> {
    let look = || look::image(release, digest, Place::Registry, None);
    let (seen, tags) = both(look, || Ok(look::seen(release.tools.registry.tags())))?;
    let claims = image::judge(release, digest, &seen, &survey::bundles(&tags, digest));
    Ok((seen, claims))
}

/// The refusal where a claim about a public image is false, as `text` says: a conflict that nobody but a person can
/// resolve. Names both images: the public one, and what the tagged commit gives here.
pub fn conflict(release: &Release<'_>, digest: &Digest, text: &str) -> anyhow::Error {
    let name = release.target.image.tagged(&release.source.tag.registry_tag());
    let compare = || {
        let ours = Rebuilt::of(release)?;
        let theirs = release.tools.registry.content_of(digest)?;
        Ok::<_, anyhow::Error>(match ours.content.difference(&theirs) {
            None => {
                "the commit gives the same image, but it is not signed as this release by this key".to_owned()
            }
            Some(platform) => {
                format!("the commit gives `{}`, with another image for {platform}", ours.digest)
            }
        })
    };
    let ours = compare().unwrap_or_else(|error| format!("could not build the commit to compare: {error:#}"));
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
/// Gives what is false, in words; `None` when every claim holds.
///
/// # Errors
/// When a claim could not be checked and none is false.
pub fn closed(release: &Release<'_>, digest: &Digest) -> Result<Option<String>> {
    let registry = &release.tools.registry;
    let tag = release.source.tag.registry_tag();
    let public = || {
        let version_tag = || Ok(look::seen(registry.digest_of(tag.as_str())));
        let (version_tag, names) = both(version_tag, || Ok(look::names(release, None)))?;
        Ok(look::PublicSeen { version_tag, names })
    };
    let (seen, common) = both(public, || Ok(look::common(registry, None)))?;
    crate::interrupt::check()?;
    let mut claims = public::judge(release, digest, &seen, None);
    if !common.latest.as_ref().is_ok_and(|latest| !latest.belongs_to(&release.source.tag)) {
        claims.push(public::latest(&common.latest));
    }
    match broken(&claims) {
        None => Ok(None),
        Some((Verdict::False, text)) => Ok(Some(text)),
        Some((_, text)) => bail!("the release is public, but {text}"),
    }
}

/// The claims that do not hold, in words, and the worst verdict: one that is false outweighs any that is unknown.
pub fn broken(claims: &[Claim]) -> Option<(Verdict, String)> {
    let broken: Vec<_> = claims.iter().filter(|claim| claim.verdict != Verdict::Holds).collect();
    let worst = broken.iter().map(|claim| claim.verdict).max()?;
    let text: Vec<_> =
        broken.iter().map(|claim| format!("`{}` {}: {}", claim.id, claim.verdict, claim.evidence)).collect();
    Some((worst, text.join("; ")))
}
