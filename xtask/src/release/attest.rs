//! Steps 7 to 9, sign and attest: the signature by cosign, which adds none that is there; the two attestations written here,
//! signed by cosign and stored together, by one manifest `PUT`. Whatever else writes them at the same time, there is one of each
//! (docs/decisions/0010-attestations-are-one-write.md). Where the configuration wants bundles, they are stored after that.

use anyhow::Result;

use crate::evidence::attached::{
    self, Attestations, Kind, PROVENANCE_PREDICATE, SBOM_PREDICATE, Signed as Envelope,
};
use crate::evidence::attestation::statement;
use crate::evidence::bundle::{MARK, Subject};
use crate::evidence::envelope::{pae, seal};
use crate::evidence::provenance::BuildType;
use crate::evidence::signed_as::SignedAs;
use crate::oci::reference::Digest;
use crate::oci::registry::{Client, Manifest};
use crate::process::parallel::both;
use crate::release::Context;
use crate::release::build::Candidate;
use crate::release::bundles::{self, Legacy, Signature, Uploaded};

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

/// Signs the index and each platform's manifest. Stored at once; where it is there already, nothing changes. Gives the bundle
/// of the index's signature, which is nowhere yet; `None` where the configuration wants none.
///
/// # Errors
/// When cosign fails.
pub(super) fn sign(context: &Context<'_>, digest: &Digest) -> Result<Option<Signature>> {
    let Context { tools, target, release, .. } = context;
    let said = SignedAs::of(release.source, BuildType::NEWEST).annotations();
    let mut annotations: Vec<_> = said.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let legacy =
        |annotations: &[(&str, &str)]| tools.cosign.sign(&target.key, annotations, release.image, digest);
    if !release.config.signatures.bundles {
        return legacy(&annotations).map(|()| None);
    }
    annotations.push(MARK);
    let ((), signature) =
        both(|| legacy(&annotations), || Signature::new(context, digest, BuildType::NEWEST))?;
    Ok(Some(signature))
}

/// Signs both attestations, side by side, as statements about the index and each platform's manifest.
///
/// # Errors
/// When cosign fails, or signs something else than it was given.
pub(super) fn attest(
    context: &Context<'_>,
    candidate: &Candidate,
    attestations: Attestations,
) -> Result<Signed> {
    let Context { tools, target, .. } = context;
    let Candidate { digest, manifests, .. } = candidate;
    let envelope = |predicate_type: &'static str, predicate: &[u8]| {
        let statement = statement(predicate_type, predicate, &target.image, digest, manifests)?;
        let signature = tools.cosign.sign_blob(&target.key, &pae(&statement))?;
        Envelope::parse(seal(&statement, &signature), predicate_type, predicate, digest)
    };
    let (provenance, sbom) = both(
        || envelope(PROVENANCE_PREDICATE, &attestations.provenance),
        || envelope(SBOM_PREDICATE, &attestations.sbom),
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
    bundles::upload(registry, blobs)?;
    let legacy = Legacy::stored(&manifest.digest, &envelopes);
    let bundles = match signature {
        Some(signature) => {
            let subject = Subject::of(&registry.bytes_of(digest)?.bytes)?;
            let uploaded = Uploaded::new(registry, &subject, &legacy, signature)?;
            Some((subject, uploaded, signature))
        }
        None => None,
    };
    crate::process::interrupt::check()?;
    registry.put(&Kind::Attestations.tag(digest).parse()?, &manifest)?;
    if let Some((subject, uploaded, signature)) = bundles {
        bundles::show(registry, &subject, legacy, uploaded, signature)?;
    }
    Ok(Attested(attestations))
}
