//! The claim that the page has the release's evidence as files: byte for byte what is attached in the registry, with
//! digests that the key signed.

use anyhow::{Context as _, Result, bail, ensure};

use crate::evidence::assets::{self, SIGNATURE};
use crate::evidence::attached::{self, Attested, Kind};
use crate::evidence::bundle::Hint;
use crate::evidence::claims;
use crate::evidence::provenance::BuildType;
use crate::inputs::release::Release;
use crate::oci::reference::Digest;

use super::image::build_type;
use crate::verify::claim::{Claim, Observed, Unavailable, Verdict};
use crate::verify::observe::{ObservedAssets, ObservedImage};

/// What is attested about the released image. It determines which files the page must have.
pub struct Required {
    /// The build type of its provenance.
    pub build_type: BuildType,
    /// The digest of each envelope, and the kind that it is marked as; `None` if that is not one of ours.
    pub envelopes: Vec<(Option<Attested>, Digest)>,
    /// The key hint that bundles carry.
    pub hint: Hint,
}

/// What is attested about `image`, if the `claims` about the attestations hold.
pub(in crate::verify) fn attested(
    image: &Digest,
    seen: &ObservedImage,
    claims: &[Claim],
    hint: &Observed<Hint>,
) -> Observed<Required> {
    let lacks = |id: &&str| claims.iter().any(|claim| claim.id == *id && claim.verdict != Verdict::Holds);
    if let Some(id) = [claims::PROVENANCE, claims::SBOM, claims::SMOKE].into_iter().find(lacks) {
        return Err(Unavailable::DependsOn(id));
    }
    let build_type =
        build_type(seen, image).map_err(|_unknown| Unavailable::DependsOn(claims::PROVENANCE_FORM))?;
    Ok(Required { build_type, envelopes: envelopes(seen)?, hint: hint.clone()? })
}

/// The attached envelopes: their digests, and the kind that each is marked as. If every claim holds, cosign accepts each
/// of them.
pub(in crate::verify) fn envelopes(seen: &ObservedImage) -> Observed<Vec<(Option<Attested>, Digest)>> {
    let attached = seen.attached.as_ref().map_err(Clone::clone)?;
    let manifest = attached.attestations.as_deref().unwrap_or_default();
    let layers = attached::layers(Kind::Attestations, manifest)
        .map_err(|_other_form| Unavailable::DependsOn(claims::ATTACHMENTS))?;
    Ok(layers.into_iter().map(|layer| (layer.marked(), layer.digest)).collect())
}

/// Judges the files; `digest` is the image.
pub(in crate::verify) fn judge(
    release: &Release<'_>,
    digest: &Digest,
    attested: &Observed<Required>,
    page: &Observed<()>,
    seen: &Observed<ObservedAssets>,
) -> Claim {
    let looked_at = page
        .clone()
        .and_then(|()| Ok((attested.as_ref().map_err(Clone::clone)?, seen.as_ref().map_err(Clone::clone)?)));
    Claim::judge(claims::PAGE_ASSETS, &looked_at, |(attested, seen)| {
        if attested.build_type.has_assets() { ours(release, digest, attested, seen) } else { none(seen) }
    })
}

/// A release of the first build type has no files, so any with our names were added by somebody else.
fn none(seen: &ObservedAssets) -> Result<String> {
    if let Some(listed) = seen.listed.first() {
        bail!(
            "the page has a file `{}`, and a release of the first build type has none; find out who added it",
            listed.name
        );
    }
    Ok("none, as of every release of the first build type".to_owned())
}

fn ours(
    release: &Release<'_>,
    digest: &Digest,
    attested: &Required,
    seen: &ObservedAssets,
) -> Result<String> {
    let tag = release.tag();
    for name in assets::names(tag) {
        let count = seen.listed.iter().filter(|listed| listed.name == name).count();
        ensure!(count <= 1, "the page has {count} files `{name}`");
        ensure!(
            count == 0 || seen.bytes.contains_key(&name),
            "the page lists a file `{name}` that nobody can download, or that is larger than any of a release"
        );
    }
    let is_marked = |of: &Attested| attested.envelopes.iter().any(|(marked, _)| *marked == Some(*of));
    let due: Vec<_> = Attested::ALL.into_iter().filter(is_marked).collect();
    for of in &due {
        let name = assets::envelope_name(*of, tag);
        let Some(bytes) = seen.bytes.get(&name) else { continue };
        let found = Digest::of(bytes);
        ensure!(
            attested.envelopes.iter().any(|(_, envelope)| *envelope == found),
            "the file `{name}` is not the attestation of the {of} in the registry: its digest is `{found}`"
        );
    }
    let count = assets::check(tag, digest, &due, &seen.bytes, &attested.hint)?;
    match seen.signature.as_ref().with_context(|| format!("there is no `{SIGNATURE}`"))? {
        Ok(()) => Ok(format!("{count} files, as they are attached, and their digests are signed by the key")),
        Err(words) => bail!("cosign does not accept `{SIGNATURE}`: {words}"),
    }
}
