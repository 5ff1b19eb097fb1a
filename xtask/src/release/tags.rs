//! Steps 11, 13 and 14: the version tag, `latest`, and the removal of candidates. A version tag is written once and
//! never again.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::evidence::candidate;
use crate::inputs::source::Source;
use crate::oci::index::Content;
use crate::oci::reference::{Digest, Tag};
use crate::oci::registry::{Client, Removal};
use crate::process::failure::is_transient;
use crate::process::interrupt;
use crate::process::parallel::both;
use crate::refuse;
use crate::release::Context;
use crate::release::step::Step;
use crate::verify;
use crate::verify::known::Known;
use crate::verify::proven::Proven;

/// A registry may answer 404 for 10-21 ms while a tag is overwritten (docs/facts.md#overwrite-gap), so a tag that is
/// missing is read once more after this pause.
const OVERWRITE_GAP: Duration = Duration::from_millis(60);

/// The maximum number of times that `latest` is moved: others may move it as well.
const MAX_MOVES: usize = 6;

/// The digest that `tag` names now, if another run of the same release was faster. It may differ from `digest`, which
/// this run made, in how the layers are compressed, because the other run may have used another engine. The content is
/// the same.
///
/// # Errors
/// A [`crate::process::failure::Refusal`] when the tag names anything with other content; other errors when the
/// registry does not answer.
pub(super) fn published(registry: &Client, tag: &Tag, digest: &Digest) -> Result<Option<Digest>> {
    let Some(found) = registry.digest_of(tag)? else { return Ok(None) };
    if &found == digest {
        return Ok(Some(found));
    }
    let ours = registry.content_of(digest)?;
    if let Some(other) = other_content(registry.content_of(&found), &ours)? {
        refuse!(
            "`{}` already names `{found}`, and this release is `{digest}`, with {other}; \
             a version tag is never moved: find out who pushed it, then release the next version",
            registry.image().tagged(tag)
        );
    }
    Ok(Some(found))
}

/// What another image has instead of our content; `None` if it has the same content.
///
/// # Errors
/// When this is unknown because the registry did not answer.
fn other_content(found: Result<Content>, ours: &Content) -> Result<Option<String>> {
    match found {
        Ok(theirs) => Ok(theirs.difference(ours).map(|platform| format!("another image for {platform}"))),
        Err(error) if is_transient(&error) || interrupt::is_cause_of(&error) => Err(error),
        // Whatever it is, it is not an image of several platforms that can be read.
        Err(error) => Ok(Some(format!("something else there: {error:#}"))),
    }
}

/// Checks the git tag again, here and on the forge, and that its commit is still on a branch, when only publishing is
/// left to do: somebody may have moved either while the image was made.
///
/// # Errors
/// A [`crate::process::failure::Refusal`] when the tag is gone or has moved, or when the commit is on no branch any
/// more; other errors when git or the forge does not answer.
pub(super) fn check_git_tag(context: &Context<'_>) -> Result<()> {
    let (session, forge, source) = (&context.session, &context.target.forge, context.release.source);
    let on_forge =
        || both(|| forge.check_tag(&source.tag, &source.commit), || forge.has_left_branches(&source.commit));
    let (here, (there, left)) = both(|| source.check_unmoved(session.git), on_forge)?;
    let moved = [here.err(), there.map(|problem| problem.text)].into_iter().flatten().collect::<Vec<_>>();
    if !moved.is_empty() {
        refuse!(
            "the git tag was moved while the release ran: {}; nothing public was changed: \
             find out who moved it, then run the release of what it names now, or tag the next version",
            moved.join("; ")
        );
    }
    if let Some(left) = left {
        refuse!(
            "a branch was moved while the release ran: {left}; nothing public was changed: \
             find out who moved it, then push the branch back, or tag a commit that is on it now as the next version"
        );
    }
    Ok(())
}

/// A version tag that names a proven image.
pub struct Published(Proven);

impl Published {
    /// For an image that is already public and was proven there.
    pub(super) fn found(proven: Proven) -> Self {
        Self(proven)
    }

    /// The proof.
    #[must_use]
    pub fn proven(&self) -> &Proven {
        &self.0
    }

    /// The digest of the image's index.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        self.0.digest()
    }
}

/// What a version tag names after it was put.
pub enum Put {
    /// The image that was proven.
    Ours(Published),
    /// Another run of the same release was faster: the tag names an image of the same content, which has to be proven
    /// there.
    Other(Digest),
}

/// Puts `tag` on the proven image. Another run of the same release may have been faster (see [`published`]).
///
/// An image without proof is not published:
///
/// ```compile_fail,E0308
/// # use xtask::{oci::reference::{Digest, Tag}, oci::registry::Client, release::tags};
/// fn too_early(registry: &Client, tag: &Tag, digest: Digest) {
///     tags::publish(registry, tag, digest);
/// }
/// ```
///
/// and only the gates make a proof:
///
/// ```compile_fail,E0624
/// # use xtask::{evidence::provenance::{BuildType, Smoked}, oci::reference::Digest, verify::proven::Proven};
/// fn made_up(digest: &Digest) -> Proven {
///     Proven::new(digest, Smoked::default(), BuildType::NEWEST)
/// }
/// ```
///
/// They do:
///
/// ```
/// # use xtask::{oci::reference::{Digest, Tag}, oci::registry::Client, release::tags, verify::{self, Verifier}};
/// # use xtask::evidence::attached::Attestations;
/// fn in_order(verifier: &Verifier, tag: &Tag, digest: &Digest, made: &Attestations) -> anyhow::Result<tags::Put> {
///     let proven = verify::fresh(verifier, digest, made)?;
///     tags::publish(verifier.registry, tag, proven)
/// }
/// ```
///
/// # Errors
/// As [`published`].
pub fn publish(registry: &Client, tag: &Tag, proven: Proven) -> Result<Put> {
    let found = match published(registry, tag, proven.digest())? {
        Some(found) => found,
        None => copy(registry, tag, proven.digest())?,
    };
    Ok(if &found == proven.digest() { Put::Ours(Published(proven)) } else { Put::Other(found) })
}

/// Puts `latest` where it belongs: on the highest stable version in the registry. That is this release, unless a
/// higher one has appeared meanwhile. Runs of other versions may move it at the same time. Each run checks it again
/// after its own move, so the last one to check leaves it right.
///
/// # Errors
/// When the registry does not answer, or when a higher version appears that is not signed.
pub(super) fn move_latest(context: &Context<'_>, published: &Published) -> Result<()> {
    let (registry, digest) = (&context.tools.registry, published.digest());
    let latest = Tag::latest();
    for _ in 0..MAX_MOVES {
        let known = Known::ask(registry)?;
        let highest = known.highest().context("no stable version is in the registry any more")?;
        let of_highest = || registry.digest_of(&highest.registry_tag());
        let (wanted, found) = both(|| past_overwrite(of_highest), || registry.digest_of(&latest))?;
        let wanted = wanted.with_context(|| format!("`{highest}` is gone from the registry"))?;
        let is_ours = &wanted == digest;
        if found.as_ref() == Some(&wanted) {
            return Ok(());
        }
        // What we put there must be proven: anyone who may push can push a version tag.
        if !is_ours {
            verify::signature(&context.verifier(), highest, &wanted).with_context(|| {
                format!("`{highest}` appeared while `latest` was moved; `target/debug/xtask release {highest}` corrects `latest`")
            })?;
        }
        registry.put(&latest, &registry.known_manifest(&wanted)?)?;
    }
    bail!("`latest` was moved by others {MAX_MOVES} times in a row; run the release again")
}

/// Where `latest` belongs, in words. `moves` says whether it is about to be moved.
#[must_use]
pub(super) fn describe_latest(known: &Known, source: &Source, moves: bool) -> String {
    match known.highest() {
        None => "none yet: there is no stable version".to_owned(),
        Some(highest) if highest == &source.tag => format!("{highest} is the highest stable version"),
        Some(highest) if moves => format!("moves to {highest}, the highest stable version"),
        Some(highest) => format!("stays: {highest} is the highest stable version"),
    }
}

/// Removes the tags that kept the image before it was proven, from this run and from runs that ended early. Returns
/// whether one was removed. If another run of the same release is still in progress, the version tag keeps the image
/// for it. If the registry does not remove tags, that is accepted: the release is public and complete.
///
/// # Errors
/// When the registry does not answer.
pub(super) fn remove_candidates(context: &Context<'_>, known: &Known) -> Result<bool> {
    let mut removed = false;
    for name in known.tags().iter().filter(|name| candidate::is_of(context.release.tag(), name)) {
        match context.tools.registry.remove_tag(&name.parse()?)? {
            Removal::Gone => removed = true,
            Removal::Missing => {}
            Removal::Refused(status) => context.line(Step::Close, &kept(name, status)),
        }
    }
    Ok(removed)
}

/// Why a candidate's tag is still there, for people who wonder whether that is an error.
fn kept(name: &str, status: u16) -> String {
    let why = match status {
        401 | 403 => "the registry does not let this account delete tags",
        412 => "the registry never changes or deletes a tag",
        _ => "this registry cannot delete tags",
    };
    format!("`{name}` is kept: {why} ({status}); it does no harm")
}

/// What `ask` finds under a tag that has to be there, and that another run may be overwriting.
pub(super) fn past_overwrite<T>(ask: impl Fn() -> Result<Option<T>>) -> Result<Option<T>> {
    let found = ask()?;
    if found.is_some() {
        return Ok(found);
    }
    interrupt::pause(OVERWRITE_GAP)?;
    ask()
}

/// Puts the same bytes under another tag, without any tool in between that could change them. Returns the digest that
/// the tag names afterwards.
fn copy(registry: &Client, tag: &Tag, digest: &Digest) -> Result<Digest> {
    let manifest = registry.known_manifest(digest)?;
    registry.put(tag, &manifest)?;
    past_overwrite(|| published(registry, tag, digest))?.with_context(|| {
        format!(
            "`{}` names nothing right after it was put on `{digest}`; check who else pushes to this repository",
            registry.image().tagged(tag)
        )
    })
}

#[cfg(test)]
mod tests;
