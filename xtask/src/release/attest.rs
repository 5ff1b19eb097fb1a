//! Steps 7 to 9, sign and attest: the signature by cosign, which adds none that is there; the two attestations signed by
//! cosign and stored together, by one manifest `PUT`. Whatever else writes them at the same time, there is one of each
//! (docs/decisions/0010-attestations-are-one-write.md). Where the configuration wants bundles, they are stored after that.

use std::thread;

use anyhow::{Result, anyhow};

use crate::evidence::attached::{
    self, Attestations, Kind, PROVENANCE_PREDICATE, SBOM_PREDICATE, Signed as Envelope,
};
use crate::evidence::bundle::{self, Bundle, Hint, MARK, Subject};
use crate::evidence::envelope::pae;
use crate::oci::reference::Digest;
use crate::oci::registry::{Client, Manifest};
use crate::process::progress::both;
use crate::release::Context;
use crate::release::bundles::{self, Legacy};
use crate::tool::cosign::SBOM_TYPE;

/// The attestations, signed and nowhere but here.
pub(super) struct Signed {
    envelopes: [Envelope; 2],
    attestations: Attestations,
}

/// The attestations, stored where cosign looks for them.
pub(super) struct Attested(Attestations);

impl Attested {
    /// What was attested.
    pub(super) fn attestations(&self) -> &Attestations {
        &self.0
    }
}

/// The bundle of a signature, and what a bundle says of the key.
pub(super) struct Signature {
    bundle: Bundle,
    hint: Hint,
}

/// Signs the index and each platform's manifest. Stored at once; where it is there already, nothing changes. Gives the bundle
/// of the index's signature, which is nowhere yet; `None` where the configuration wants none.
///
/// # Errors
/// When cosign fails.
pub(super) fn sign(context: &Context<'_>, digest: &Digest) -> Result<Option<Signature>> {
    let Context { tools, target, release, .. } = context;
    let version = release.tag().version().to_string();
    let mut annotations = vec![("version", version.as_str())];
    let legacy = |annotations: &[(&str, &str)]| {
        tools.cosign.sign(&target.key, annotations, release.image, digest)
    };
    if !release.config.signatures.bundles {
        return legacy(&annotations).map(|()| None);
    }
    annotations.push(MARK);
    let ((), signature) = both(|| legacy(&annotations), || signature(context, digest))?;
    Ok(Some(signature))
}

/// The bundle of a signature of `digest`.
///
/// # Errors
/// When cosign fails.
pub(super) fn signature(context: &Context<'_>, digest: &Digest) -> Result<Signature> {
    let (tag, hint) = (context.release.tag(), Hint::of(context.verifier().public_key()?)?);
    let signed = pae(&bundle::statement(digest, tag));
    let signature = context.tools.cosign.sign_bytes(&context.target.key, &signed)?;
    Ok(Signature { bundle: Bundle::of_signature(digest, tag, &signature, &hint), hint })
}

/// Signs both attestations, side by side, and reads back what was signed.
///
/// # Errors
/// When cosign fails, or signs something else than it was given.
pub(super) fn attest(context: &Context<'_>, digest: &Digest, attestations: Attestations) -> Result<Signed> {
    let Context { tools, target, .. } = context;
    // cosign has a short name for the one type, and damages the other under its short name.
    let envelope = |asked: &str, predicate_type: &'static str, predicate: &[u8]| {
        let bytes = tools.cosign.envelope(&target.key, asked, predicate, &target.image, digest)?;
        Envelope::parse(bytes, predicate_type, predicate, digest)
    };
    let (provenance, sbom) = both(
        || envelope(PROVENANCE_PREDICATE, PROVENANCE_PREDICATE, &attestations.provenance),
        || envelope(SBOM_TYPE, SBOM_PREDICATE, &attestations.sbom),
    )?;
    Ok(Signed { envelopes: [provenance, sbom], attestations })
}

/// Stores the attestations where cosign looks for them: the blobs first, then the manifest that names them, which takes
/// the place of whatever was there. Then the bundles of the same envelopes, and of the signature.
///
/// # Errors
/// When the registry does not take them.
pub(super) fn store(
    registry: &Client,
    digest: &Digest,
    signed: Signed,
    signature: Option<&Signature>,
) -> Result<Attested> {
    let Signed { envelopes, attestations } = signed;
    let config = attached::config(&envelopes)?;
    let manifest = Manifest::new(attached::MEDIA_TYPE, attached::manifest(&envelopes, &config)?);
    let blobs = envelopes.iter().map(|envelope| envelope.bytes.as_slice()).chain([config.as_slice()]);
    thread::scope(|scope| {
        let running: Vec<_> = blobs.map(|bytes| scope.spawn(|| registry.put_blob(bytes))).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, Result<Digest>>| {
            thread.join().map_err(|_panic| anyhow!("a thread panicked"))?
        };
        running.into_iter().try_for_each(|thread| join(thread).map(|_| ()))
    })?;
    crate::process::interrupt::check()?;
    registry.put(&Kind::Attestations.tag(digest).parse()?, &manifest)?;
    if let Some(Signature { bundle, hint }) = signature {
        let subject = Subject::of(&registry.bytes_of(digest)?.bytes)?;
        let legacy = Legacy::stored(&manifest.digest, &envelopes);
        bundles::store(registry, &subject, legacy, bundle, hint)?;
    }
    Ok(Attested(attestations))
}
