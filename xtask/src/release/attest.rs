//! Steps 7 to 9, sign and attest. cosign signs, and does not repeat an existing signature. The attestations are
//! written here, signed by cosign and stored together by one manifest `PUT`, so that even concurrent runs leave one
//! of each (docs/decisions/0010-attestations-are-one-write.md). If the configuration requires bundles, they are
//! stored after that.

use anyhow::Result;

use crate::evidence::attached::{self, Attestations, Attested, Kind, Signed as Envelope};
use crate::evidence::attestation::statement;
use crate::evidence::bundle::{MARK, Subject};
use crate::evidence::envelope::{pae, seal};
use crate::evidence::provenance::BuildType;
use crate::evidence::signed_as::SignedAs;
use crate::oci::media_type;
use crate::oci::reference::Digest;
use crate::oci::registry::{Client, Manifest};
use crate::process::parallel::{both, in_parallel};
use crate::release::Context;
use crate::release::build::Candidate;
use crate::release::bundles::{self, Signature};
use crate::release::legacy::Legacy;

/// The signed attestations, not stored anywhere yet.
pub(super) struct Signed {
    /// In the order of [`Attested::ALL`].
    envelopes: Vec<Envelope>,
    attestations: Attestations,
}

/// The attestations, stored where cosign looks for them.
pub(super) struct Stored(Attestations);

impl Stored {
    /// The contents of the attestations.
    pub(super) fn attestations(&self) -> &Attestations {
        &self.0
    }
}

/// Signs the index and each platform's manifest. The signatures are stored immediately; an existing one stays.
/// Returns the bundle of the index's signature, which is not stored yet; `None` if the configuration requires no
/// bundles.
///
/// # Errors
/// When cosign fails.
pub(super) fn sign(context: &Context<'_>, digest: &Digest) -> Result<Option<Signature>> {
    let Context { tools, target, release, .. } = context;
    let signed_as = SignedAs::of(release.source, BuildType::NEWEST).annotations();
    let mut annotations: Vec<_> = signed_as.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let legacy =
        |annotations: &[(&str, &str)]| tools.cosign.sign(target.key()?, annotations, release.image, digest);
    if !release.config.signatures.bundles {
        return legacy(&annotations).map(|()| None);
    }
    annotations.push(MARK);
    let ((), signature) =
        both(|| legacy(&annotations), || Signature::new(context, digest, BuildType::NEWEST))?;
    Ok(Some(signature))
}

/// Signs the attestations in parallel, as statements about the index and each platform's manifest.
///
/// # Errors
/// When cosign fails, or signs something other than what it was given.
pub(super) fn attest(
    context: &Context<'_>,
    candidate: &Candidate,
    attestations: Attestations,
) -> Result<Signed> {
    let Context { tools, target, .. } = context;
    let Candidate { digest, manifests, .. } = candidate;
    let envelope = |attested: &Attested| {
        let (predicate_type, predicate) = (attested.predicate_type(), attestations.predicate(*attested));
        let statement = statement(predicate_type, predicate, &target.image, digest, manifests)?;
        let signature = tools.cosign.sign_blob(target.key()?, &pae(&statement))?;
        Envelope::parse(seal(&statement, &signature), predicate_type, predicate, digest)
    };
    let envelopes = in_parallel(&Attested::ALL, envelope)?;
    Ok(Signed { envelopes, attestations })
}

/// Attestations and bundles whose bytes the registry has, but that no tag names yet.
pub(super) struct Uploaded<'a> {
    manifest: Manifest,
    legacy: Legacy,
    bundles: Option<(Subject, bundles::Uploaded, &'a Signature)>,
    attestations: Attestations,
}

/// Uploads all parts of the attestations and bundles whose upload does not make them visible.
///
/// # Errors
/// When the registry rejects something.
pub(super) fn upload<'a>(
    registry: &Client,
    digest: &Digest,
    signed: Signed,
    signature: Option<&'a Signature>,
) -> Result<Uploaded<'a>> {
    let Signed { envelopes, attestations } = signed;
    let config = attached::config(&envelopes)?;
    let manifest = Manifest::new(media_type::MANIFEST, attached::manifest(&envelopes, &config)?);
    let blobs = envelopes.iter().map(|envelope| envelope.bytes.as_slice()).chain([config.as_slice()]);
    let blobs: Vec<_> = blobs.collect();
    let legacy = Legacy::stored(&manifest.digest, &envelopes)?;
    let bundled = |signature| {
        let subject = Subject::of(&registry.known_manifest(digest)?.bytes)?;
        let uploaded = bundles::Uploaded::new(registry, &subject, &legacy, signature)?;
        Ok((subject, uploaded, signature))
    };
    let ((), bundles) = both(|| registry.put_blobs(&blobs), || signature.map(bundled).transpose())?;
    Ok(Uploaded { manifest, legacy, bundles, attestations })
}

/// Stores the attestations where cosign looks for them: the manifest that names them replaces any earlier one. Then
/// stores the bundles of the same envelopes, and of the signature.
///
/// # Errors
/// When the registry rejects one of them.
pub(super) fn store(registry: &Client, digest: &Digest, uploaded: Uploaded<'_>) -> Result<Stored> {
    let Uploaded { manifest, legacy, bundles, attestations } = uploaded;
    crate::process::interrupt::check()?;
    registry.put(&Kind::Attestations.tag(digest), &manifest)?;
    if let Some((subject, uploaded, signature)) = bundles {
        bundles::show(registry, &subject, legacy, uploaded, signature)?;
    }
    Ok(Stored(attestations))
}
