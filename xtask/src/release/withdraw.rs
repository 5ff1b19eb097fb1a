//! Removes the signatures and attestations of a candidate that was refused after it was signed. Otherwise anyone who
//! may push could name that candidate as the release, and every verifier would accept it
//! (docs/decisions/0032-a-refused-candidate-loses-its-signatures.md).

#[cfg(test)]
mod tests;

use anyhow::{Error, Result};

use crate::evidence::attached::{Kind, layers};
use crate::evidence::bundle::{self, Bundle};
use crate::evidence::candidate;
use crate::inputs::source::Source;
use crate::oci::index;
use crate::oci::manifest::ImageManifest;
use crate::oci::reference::{Digest, Image, Tag};
use crate::oci::registry::{Client, Manifest, Removal};
use crate::process::failure::Refusal;
use crate::process::interrupt;
use crate::release::Context;
use crate::release::build::Candidate;
use crate::verify::proven::Disproved;

/// The name at the start of the lines that are printed here.
const LINE: &str = "withdraw";

/// Runs `work` on a candidate that is signed or about to be. If the work ends in a refusal, what was attached to the
/// candidate is removed.
///
/// # Errors
/// Those of `work`; a signal during the removal.
pub(super) fn unless_refused<T>(
    context: &Context<'_>,
    candidate: &Candidate,
    work: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let error = match work() {
        Err(error) if is_refused(&error) => error,
        other => return other,
    };
    let (lines, error) = ended(context.release.image, candidate, error, withdraw(context, candidate));
    lines.iter().for_each(|text| context.session.steps.line(LINE, text));
    Err(error)
}

/// The lines to print after the removal, and the error to end with: `refused`, unless a signal stopped the removal.
fn ended(
    image: &Image,
    candidate: &Candidate,
    refused: Error,
    removal: Result<Vec<String>>,
) -> (Vec<String>, Error) {
    let failed = match removal {
        Ok(lines) => return (lines, refused),
        Err(failed) => failed,
    };
    // The public image may share a platform with the candidate, and it is not known here whether it does.
    let platforms: Vec<_> = candidate.manifests.iter().map(|(_, digest)| digest.clone()).collect();
    let command = by_hand(image, &names(&references(candidate, &platforms)));
    let is_stopped = interrupt::is_cause_of(&failed);
    let line = if is_stopped {
        format!(
            "the candidate was refused ({refused:#}), and the removal of its signatures was stopped; {command}"
        )
    } else {
        format!("the signatures of the refused candidate could not be removed: {failed:#}; {command}")
    };
    (vec![line], if is_stopped { failed } else { refused })
}

/// Whether the candidate itself was refused. After a signal, a transient failure or any other error, the next run may
/// continue with what is there.
fn is_refused(error: &Error) -> bool {
    error.chain().any(|cause| cause.is::<Refusal>() || cause.is::<Disproved>())
}

/// Something to remove from the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Removable {
    Tag(Tag),
    Manifest(Digest),
}

impl std::fmt::Display for Removable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tag(tag) => write!(f, ":{tag}"),
            Self::Manifest(digest) => write!(f, "@{digest}"),
        }
    }
}

/// Why nothing is removed, if something else may need it; `None` otherwise. `public` is the digest that the version
/// tag names.
fn why_kept(
    source: &Source,
    candidate: &Candidate,
    public: Option<&Digest>,
    tags: &[String],
) -> Option<String> {
    if public == Some(&candidate.digest) {
        return Some("the version tag names it now".to_owned());
    }
    let own = candidate.tag.as_str();
    let is_other = |name: &&String| name.as_str() != own && candidate::is_of_commit(source, name);
    let other = tags.iter().find(is_other)?;
    Some(format!("`{other}` may be of another run of this release, which still needs them"))
}

/// The tags of what is attached to the candidate and to each of its platforms, signatures first. The platforms in
/// `public` belong to the image that the version tag names; they are skipped.
fn references(candidate: &Candidate, public: &[Digest]) -> Vec<Removable> {
    let own = candidate.manifests.iter().map(|(_, digest)| digest).filter(|digest| !public.contains(digest));
    let signatures = [&candidate.digest].into_iter().chain(own).map(|digest| Kind::Signatures.tag(digest));
    let rest = [Kind::Attestations.tag(&candidate.digest), bundle::tag(&candidate.digest)];
    signatures.chain(rest).map(Removable::Tag).collect()
}

/// What the public image `digest`, whose manifest is `bytes`, may have in common with a candidate: its platforms'
/// manifests, or itself if somebody pushed an image of one platform.
///
/// # Errors
/// When it is neither an index nor an image.
fn manifests(digest: &Digest, bytes: &[u8]) -> Result<Vec<Digest>> {
    if ImageManifest::parse(bytes).is_ok() {
        return Ok(vec![digest.clone()]);
    }
    Ok(index::platforms(bytes)?.into_iter().map(|(_, digest)| digest).collect())
}

/// Removes what was attached, then the candidate's tag. Returns the lines to print.
fn withdraw(context: &Context<'_>, candidate: &Candidate) -> Result<Vec<String>> {
    let (registry, source, image) = (&context.tools.registry, context.release.source, context.release.image);
    // In this order: another run puts the version tag before it removes its candidate, so one of them is seen.
    let tags = registry.tags()?;
    let public = registry.digest_of(&source.tag.registry_tag())?;
    let of_public = match &public {
        Some(digest) => manifests(digest, &registry.known_manifest(digest)?.bytes)?,
        None => Vec::new(),
    };
    let mut attached = references(candidate, &of_public);
    attached.extend(bundles(context, &candidate.digest)?.into_iter().map(Removable::Manifest));
    if let Some(why) = why_kept(source, candidate, public.as_ref(), &tags) {
        let of_public = public.as_ref() == Some(&candidate.digest);
        let command = format!("; if there is none, {}", by_hand(image, &names(&attached)));
        let command = if of_public { "" } else { &command };
        return Ok(vec![format!("the signatures of `{}` stay: {why}{command}", candidate.digest)]);
    }
    let mut left = Vec::new();
    for reference in attached {
        if let Some(status) = remove(registry, &reference)? {
            left.push((reference.to_string(), status));
        }
    }
    if let Some((_, status)) = left.first() {
        let names: Vec<_> = left.iter().map(|(name, _)| name.clone()).collect();
        let command = by_hand(image, &names);
        return Ok(vec![format!(
            "`{}` was refused and keeps its signatures: the registry answers {status} to their removal; {command}",
            candidate.digest
        )]);
    }
    // The candidate tag would make the next run believe that this one is still in progress.
    let mut lines =
        vec![format!("`{}` was refused: its signatures and attestations are removed", candidate.digest)];
    if let Some(status) = refused(&registry.remove_tag(&candidate.tag)?) {
        lines.push(format!(
            "its tag `{}` stays, because the registry answers {status} to its removal; {}",
            candidate.tag,
            by_hand(image, &[Removable::Tag(candidate.tag.clone()).to_string()])
        ));
    }
    Ok(lines)
}

fn names(references: &[Removable]) -> Vec<String> {
    references.iter().map(Removable::to_string).collect()
}

/// The manifests of our bundles about `digest`, as listed by the registry or by their index.
fn bundles(context: &Context<'_>, digest: &Digest) -> Result<Vec<Digest>> {
    let (registry, source) = (&context.tools.registry, context.release.source);
    let listed = match registry.referrers(digest)? {
        Some(listed) => listed,
        None => match registry.manifest(&bundle::tag(digest))? {
            Some(index) => bundle::named(&index.bytes)?,
            None => Vec::new(),
        },
    };
    if listed.is_empty() {
        return Ok(listed);
    }
    let hint = context.verifier().hint()?;
    let is_ours = |manifest: &Digest| {
        let Some(manifest) = registry.manifest(manifest)? else { return anyhow::Ok(false) };
        let Ok(layer) = bundle::layer_of(&manifest.bytes) else { return Ok(false) };
        let blob = registry.blob(&layer)?;
        Ok(blob.is_some_and(|blob| Bundle::parse(&blob, digest, source, &hint).is_ok()))
    };
    let mut ours = Vec::new();
    for manifest in listed {
        if is_ours(&manifest)? {
            ours.push(manifest);
        }
    }
    Ok(ours)
}

/// Removes a reference; returns the status if the registry refuses. A registry that does not remove single tags may
/// remove the manifest that the tag names. That is done only if it has the form of attachments: somebody else may have
/// let the tag name an image, which would then be gone with all of its tags.
fn remove(registry: &Client, reference: &Removable) -> Result<Option<u16>> {
    let tag = match reference {
        Removable::Manifest(digest) => return Ok(refused(&registry.remove_manifest(digest)?)),
        Removable::Tag(tag) => tag,
    };
    match refused(&registry.remove_tag(tag)?) {
        None => Ok(None),
        Some(status) => match Behind::of(registry.manifest(tag)?.as_ref()) {
            Behind::Nothing => Ok(None),
            Behind::Other => Ok(Some(status)),
            Behind::Attachment(digest) => Ok(refused(&registry.remove_manifest(&digest)?).map(|_| status)),
        },
    }
}

/// What a tag names that cannot be removed by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Behind {
    Nothing,
    /// Signatures, attestations or the names of bundles.
    Attachment(Digest),
    /// Anything else, such as an image.
    Other,
}

impl Behind {
    fn of(named: Option<&Manifest>) -> Self {
        let Some(Manifest { digest, bytes, .. }) = named else { return Self::Nothing };
        let is_of = |kind| layers(kind, bytes).is_ok_and(|layers| !layers.is_empty());
        let is_attachment =
            is_of(Kind::Signatures) || is_of(Kind::Attestations) || bundle::names_only_bundles(bytes);
        if is_attachment { Self::Attachment(digest.clone()) } else { Self::Other }
    }
}

fn refused(removal: &Removal) -> Option<u16> {
    match removal {
        Removal::Gone | Removal::Missing => None,
        Removal::Refused(status) => Some(*status),
    }
}

/// The command that removes the references by hand. As in [`remove`], what a tag names is removed if the tag by
/// itself cannot be.
pub(super) fn by_hand(image: &Image, references: &[String]) -> String {
    format!(
        "remove them with `for each in {}; do crane delete {image}$each || crane delete {image}@$(crane digest {image}$each); \
         done`, as an account that may delete",
        references.join(" ")
    )
}
