//! Sigstore bundles v0.3 beside an image, which cosign 3 prefers to its legacy format: one artifact manifest for the signature
//! and one for each attestation (docs/decisions/0021-both-formats.md). A bundle of an attestation holds the envelope of the
//! legacy format, byte for byte; a bundle of the signature holds a statement of its own.

use std::fmt;

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Digest as _;

use crate::evidence::attached::{PROVENANCE_PREDICATE, SBOM_PREDICATE};
use crate::evidence::envelope::{open, predicate, seal};
use crate::inputs::version::ReleaseTag;
use crate::oci::exact;
use crate::oci::reference::Digest;

/// The type of a bundle, of the layer that holds it and of the manifest that names the layer
/// (<https://docs.sigstore.dev/about/bundle/>).
pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// The predicate type of a signature: cosign 3 signs a statement as well.
pub const SIGN_PREDICATE: &str = "https://sigstore.dev/cosign/sign/v1";

/// What is annotated beside the version in the legacy signature of a release that has bundles too: that they were there
/// cannot be taken back without the key.
pub const MARK: (&str, &str) = ("bundle", "v0.3");

/// The type of the manifest that holds a bundle.
pub const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

/// The type of the index that stands in for the referrers API.
pub const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";

/// The config of an artifact (image specification v1.1, "Guidance for an Empty Descriptor").
pub const EMPTY_CONFIG: &[u8] = b"{}";

/// What a bundle is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Of {
    /// The image's signature.
    Signature,
    /// Its provenance.
    Provenance,
    /// Its SBOM.
    Sbom,
}

impl Of {
    /// Each once.
    pub const ALL: [Self; 3] = [Self::Signature, Self::Provenance, Self::Sbom];

    /// The predicate type of its statement.
    #[must_use]
    pub fn predicate_type(self) -> &'static str {
        match self {
            Self::Signature => SIGN_PREDICATE,
            Self::Provenance => PROVENANCE_PREDICATE,
            Self::Sbom => SBOM_PREDICATE,
        }
    }
}

impl fmt::Display for Of {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signature => "signature",
            Self::Provenance => "provenance",
            Self::Sbom => "SBOM",
        })
    }
}

/// What a bundle says of the key: the SHA-256 of its DER, in base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint(String);

impl Hint {
    /// Of the public key `pem`.
    ///
    /// # Errors
    /// When it is no public key in PEM.
    pub fn of(pem: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(pem).context("the public key is not UTF-8")?;
        let body = text.trim().strip_prefix("-----BEGIN PUBLIC KEY-----");
        let body = body.and_then(|rest| rest.strip_suffix("-----END PUBLIC KEY-----"));
        let body: String = body.context("the public key is no PEM")?.split_ascii_whitespace().collect();
        let der = STANDARD.decode(body).context("the public key is no PEM")?;
        Ok(Self(STANDARD.encode(sha2::Sha256::digest(der))))
    }
}

/// The tag of the index that names the bundles of `digest` where the registry has no referrers API (distribution
/// specification v1.1, "Referrers Tag Schema").
#[must_use]
pub fn tag(digest: &Digest) -> String {
    format!("sha256-{}", digest.hex())
}

/// The statement that signs `digest` as `tag`: as `cosign sign -a version=…` of cosign 3 has it.
#[must_use]
pub fn statement(digest: &Digest, tag: &ReleaseTag) -> Vec<u8> {
    // A version has no character that JSON escapes.
    format!(
        r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"digest":{{"sha256":"{}"}},"annotations":{{"version":"{}"}}}}],"predicateType":"{SIGN_PREDICATE}","predicate":{{}}}}"#,
        digest.hex(),
        tag.version()
    )
    .into_bytes()
}

/// The image that bundles are about, as their manifests name it.
#[derive(Clone, Debug)]
pub struct Subject {
    digest: Digest,
    descriptor: Value,
}

impl Subject {
    /// The image whose index is `bytes`.
    ///
    /// # Errors
    /// When they are no JSON.
    pub fn of(bytes: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Manifest {
            #[serde(default = "index_type")]
            media_type: String,
        }
        fn index_type() -> String {
            INDEX_TYPE.to_owned()
        }
        let Manifest { media_type } = exact::parse(bytes).context("reading the index of the image")?;
        let digest = Digest::of(bytes);
        let descriptor = json!({"mediaType": media_type, "digest": digest, "size": bytes.len()});
        Ok(Self { digest, descriptor })
    }

    /// Its digest.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }
}

/// One bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// What it is of.
    pub of: Of,
    /// Its envelope, byte for byte as it was signed.
    pub envelope: Vec<u8>,
    /// All of it.
    pub bytes: Vec<u8>,
}

impl Bundle {
    /// The bundle of `envelope`.
    #[must_use]
    pub fn new(of: Of, envelope: &[u8], hint: &Hint) -> Self {
        let bytes = [head(hint).as_bytes(), envelope, b"}"].concat();
        Self { of, envelope: envelope.to_vec(), bytes }
    }

    /// The bundle of the signature that signs `digest` as `tag`, where `signature` is the one over the statement's
    /// pre-authentication encoding, in base64.
    #[must_use]
    pub fn of_signature(digest: &Digest, tag: &ReleaseTag, signature: &str, hint: &Hint) -> Self {
        Self::new(Of::Signature, &seal(&statement(digest, tag), signature), hint)
    }

    /// Reads a bundle about `digest`, released as `tag`. It must have the form that [`Bundle::new`] gives it, byte for byte
    /// but for the envelope, and that must be read by everyone as we read it. Whether its signature is right is not looked at.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn parse(bytes: &[u8], digest: &Digest, tag: &ReleaseTag, hint: &Hint) -> Result<Self> {
        exact::value(bytes).context("it is no bundle")?;
        let envelope = bytes.strip_prefix(head(hint).as_bytes()).and_then(|rest| rest.strip_suffix(b"}"));
        let envelope = envelope.with_context(|| {
            format!("it is not of the form of a bundle `{MEDIA_TYPE}` of one envelope by the key")
        })?;
        let opened = open(envelope)?;
        if opened.payload == statement(digest, tag) {
            return Ok(Self::new(Of::Signature, envelope, hint));
        }
        let attested =
            [Of::Provenance, Of::Sbom].map(|of| (of, predicate(envelope, of.predicate_type(), digest)));
        let mut why = Vec::new();
        for (of, read) in attested {
            match read {
                Ok(_) => return Ok(Self::new(of, envelope, hint)),
                Err(error) => why.push(format!("{of}: {error:#}")),
            }
        }
        bail!("it is no signature of `{digest}` as {tag}, and no attestation of it ({})", why.join("; "))
    }

    /// The manifest that holds it, as JSON.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn manifest(&self, subject: &Subject) -> Result<Vec<u8>> {
        serde_json::to_vec(&self.manifest_value(subject)).context("writing the manifest of a bundle")
    }

    /// Whether `manifest` is the one that holds it, and says nothing else.
    ///
    /// # Errors
    /// When it is not.
    pub fn check_manifest(&self, manifest: &[u8], subject: &Subject) -> Result<()> {
        let found = exact::value(manifest).context("it is no manifest")?;
        ensure!(found == self.manifest_value(subject), "its manifest is not the one of such a bundle");
        Ok(())
    }

    fn manifest_value(&self, subject: &Subject) -> Value {
        json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "artifactType": MEDIA_TYPE,
            "config": {
                "mediaType": "application/vnd.oci.empty.v1+json",
                "digest": Digest::of(EMPTY_CONFIG),
                "size": EMPTY_CONFIG.len(),
            },
            "layers": [{
                "mediaType": MEDIA_TYPE, "digest": Digest::of(&self.bytes), "size": self.bytes.len(),
            }],
            "subject": subject.descriptor,
            "annotations": self.annotations(),
        })
    }

    fn annotations(&self) -> Value {
        json!({
            "dev.sigstore.bundle.content": "dsse-envelope",
            "dev.sigstore.bundle.predicateType": self.of.predicate_type(),
        })
    }
}

/// The index that names `bundles` where the registry has no referrers API, as JSON.
///
/// # Errors
/// When it cannot be written.
pub fn index(bundles: &[Bundle], subject: &Subject) -> Result<Vec<u8>> {
    let entry = |bundle: &Bundle| {
        let manifest = bundle.manifest(subject)?;
        Ok(json!({
            "mediaType": MANIFEST_TYPE,
            "digest": Digest::of(&manifest),
            "size": manifest.len(),
            "artifactType": MEDIA_TYPE,
            "annotations": bundle.annotations(),
        }))
    };
    let entries = bundles.iter().map(entry).collect::<Result<Vec<_>>>()?;
    let index = json!({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": entries});
    serde_json::to_vec(&index).context("writing the index of the bundles")
}

/// The manifests that an index of referrers names, ours or not.
///
/// # Errors
/// When it is no index.
pub fn named(index: &[u8]) -> Result<Vec<Digest>> {
    #[derive(Deserialize)]
    struct Index {
        manifests: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        digest: Digest,
    }
    let index: Index = exact::parse(index).context("it is not an index of referrers")?;
    Ok(index.manifests.into_iter().map(|entry| entry.digest).collect())
}

/// The digest of the bundle in an artifact's manifest, which has one layer.
///
/// # Errors
/// When it has not.
pub fn layer_of(manifest: &[u8]) -> Result<Digest> {
    #[derive(Deserialize)]
    struct Manifest {
        layers: Vec<Layer>,
    }
    #[derive(Deserialize)]
    struct Layer {
        digest: Digest,
    }
    let manifest: Manifest = exact::parse(manifest).context("it is not the manifest of an artifact")?;
    let [layer] = &manifest.layers[..] else {
        bail!("the manifest of a bundle has {} layers: expected one", manifest.layers.len());
    };
    Ok(layer.digest.clone())
}

/// Whether `bytes` are a bundle of an attestation of ours about `digest`, by whichever key.
#[must_use]
pub fn is_attestation(bytes: &[u8], digest: &Digest) -> bool {
    let bundle = exact::value(bytes).ok();
    let envelope = bundle.as_ref().and_then(|bundle| bundle.get("dsseEnvelope"));
    let envelope = envelope.map(ToString::to_string).unwrap_or_default();
    let is_of = |of: &Of| predicate(envelope.as_bytes(), of.predicate_type(), digest).is_ok();
    [Of::Provenance, Of::Sbom].iter().any(is_of)
}

/// Everything of a bundle before its envelope.
fn head(hint: &Hint) -> String {
    format!(
        r#"{{"mediaType":"{MEDIA_TYPE}","verificationMaterial":{{"publicKey":{{"hint":"{}"}}}},"dsseEnvelope":"#,
        hint.0
    )
}

#[cfg(test)]
mod tests;
