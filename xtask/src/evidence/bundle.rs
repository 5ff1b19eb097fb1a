//! Sigstore bundles v0.3 of an image, which cosign 3 prefers to its legacy format: one artifact manifest for the
//! signature and one for each attestation (docs/decisions/0021-both-formats.md). The bundle of an attestation holds the
//! envelope of the legacy format, byte for byte. The bundle of the signature holds a statement of its own.

mod artifact;

use std::fmt;

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::Digest as _;

use crate::evidence::attached::Attested;
use crate::evidence::attestation::Attestation;
use crate::evidence::envelope::{open, seal};
use crate::evidence::provenance::BuildType;
use crate::evidence::signed_as::SignedAs;
use crate::inputs::keys::PublicKey;
use crate::inputs::source::Source;
use crate::oci::exact;
use crate::oci::reference::{Digest, Tag};

pub use artifact::{EMPTY_CONFIG, Subject, entries, index, layer_of, named, names_only_bundles};

/// The media type of a bundle, of the layer that holds it and of the manifest that names the layer
/// (<https://docs.sigstore.dev/about/bundle/>).
pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// The predicate type of a signature: in cosign 3, a signature is over a statement, as an attestation is.
pub const SIGN_PREDICATE: &str = "https://sigstore.dev/cosign/sign/v1";

/// The annotation in the legacy signature, next to the version, of a release that also has bundles. Without the key,
/// nobody can make it look as if there had been no bundles.
pub const MARK: (&str, &str) = ("bundle", "v0.3");

/// The content of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Of {
    /// The image's signature.
    Signature,
    /// An attestation about the image.
    Attestation(Attested),
}

impl Of {
    /// The predicate type of its statement.
    #[must_use]
    pub fn predicate_type(self) -> &'static str {
        match self {
            Self::Signature => SIGN_PREDICATE,
            Self::Attestation(attested) => attested.predicate_type(),
        }
    }
}

impl fmt::Display for Of {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signature => f.write_str("signature"),
            Self::Attestation(attested) => attested.fmt(f),
        }
    }
}

/// A bundle's hint at the key: the SHA-256 of its DER, in base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint(String);

impl Hint {
    /// The hint for `key`.
    #[must_use]
    pub fn of(key: &PublicKey) -> Self {
        Self(STANDARD.encode(sha2::Sha256::digest(key.der())))
    }
}

/// The tag of the index that names the bundles of `digest` in a registry without the referrers API (distribution
/// specification v1.1, "Referrers Tag Schema").
#[must_use]
pub fn tag(digest: &Digest) -> Tag {
    Tag::of(digest, "")
}

/// The statement that signs `digest` as a release, in the form of `cosign sign -a commit=… -a version=…` of cosign 3.
#[must_use]
pub fn statement(digest: &Digest, signed_as: SignedAs<'_>) -> Vec<u8> {
    // Neither a version nor a commit has a character that JSON would escape.
    let annotations = signed_as.annotations().into_iter().map(|(key, value)| format!(r#""{key}":"{value}""#));
    let annotations = annotations.collect::<Vec<_>>().join(",");
    format!(
        r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"digest":{{"sha256":"{}"}},"annotations":{{{annotations}}}}}],"predicateType":"{SIGN_PREDICATE}","predicate":{{}}}}"#,
        digest.hex(),
    )
    .into_bytes()
}

/// A bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// Its content.
    pub of: Of,
    /// Its envelope, byte for byte as signed.
    pub envelope: Vec<u8>,
    /// The complete bundle.
    pub bytes: Vec<u8>,
}

impl Bundle {
    /// The bundle with the envelope `envelope`.
    #[must_use]
    pub fn new(of: Of, envelope: &[u8], hint: &Hint) -> Self {
        let bytes = [head(hint).as_bytes(), envelope, b"}"].concat();
        Self { of, envelope: envelope.to_vec(), bytes }
    }

    /// The bundle of the signature that signs `digest` as a release. `signature`, in base64, is over the
    /// pre-authentication encoding of the statement.
    #[must_use]
    pub fn of_signature(digest: &Digest, signed_as: SignedAs<'_>, signature: &str, hint: &Hint) -> Self {
        Self::new(Of::Signature, &seal(&statement(digest, signed_as), signature), hint)
    }

    /// Whether the bundle signs `digest` as that release.
    #[must_use]
    pub fn signs(&self, digest: &Digest, signed_as: SignedAs<'_>) -> bool {
        open(&self.envelope).is_ok_and(|opened| opened.payload == statement(digest, signed_as))
    }

    /// Parses a bundle about `digest`, released from `source`. Apart from the envelope it must have the form of
    /// [`Bundle::new`], byte for byte, and the envelope must have only one reading. The signature is not verified here.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn parse(bytes: &[u8], digest: &Digest, source: &Source, hint: &Hint) -> Result<Self> {
        let envelope = bytes.strip_prefix(head(hint).as_bytes()).and_then(|rest| rest.strip_suffix(b"}"));
        let envelope = envelope.with_context(|| {
            format!("it is not of the form of a bundle `{MEDIA_TYPE}` of one envelope by the key")
        })?;
        let opened = open(envelope)?;
        let signed_as = BuildType::ALL.map(|build_type| SignedAs::of(source, build_type));
        if signed_as.iter().any(|signed_as| opened.payload == statement(digest, *signed_as)) {
            return Ok(Self::new(Of::Signature, envelope, hint));
        }
        match kind(&opened.payload, digest) {
            Ok(attested) => Ok(Self::new(Of::Attestation(attested), envelope, hint)),
            Err(error) => bail!(
                "it is neither a signature of `{digest}` as {} nor an attestation of it ({error:#})",
                source.tag
            ),
        }
    }
}

/// The kind of attestation about `digest` that a signed `payload` is.
fn kind(payload: &[u8], digest: &Digest) -> Result<Attested> {
    let attestation = Attestation::of_payload(payload, digest)?;
    let found = attestation.predicate_type();
    let attested = Attested::ALL.into_iter().find(|attested| attested.predicate_type() == found);
    attested.with_context(|| format!("no attestation of a release has the predicate type `{found}`"))
}

/// Whether `bytes` are a bundle with an attestation of ours about `digest`, by any key.
#[must_use]
pub fn is_attestation(bytes: &[u8], digest: &Digest) -> bool {
    let bundle = exact::value(bytes).ok();
    let envelope = bundle.as_ref().and_then(|bundle| bundle.get("dsseEnvelope"));
    let envelope = envelope.map(ToString::to_string).unwrap_or_default();
    open(envelope.as_bytes()).is_ok_and(|opened| kind(&opened.payload, digest).is_ok())
}

/// The bundle for bytes that are not a statement: their digest, and their signature in base64, in the form of cosign 3.
#[must_use]
pub fn of_blob(bytes: &[u8], signature: &str, hint: &Hint) -> Vec<u8> {
    let digest = STANDARD.encode(sha2::Sha256::digest(bytes));
    format!(
        r#"{{"mediaType":"{MEDIA_TYPE}","verificationMaterial":{{"publicKey":{{"hint":"{}"}}}},"messageSignature":{{"messageDigest":{{"algorithm":"SHA2_256","digest":"{digest}"}},"signature":"{signature}"}}}}"#,
        hint.0
    )
    .into_bytes()
}

/// The part of a bundle before its envelope.
fn head(hint: &Hint) -> String {
    format!(
        r#"{{"mediaType":"{MEDIA_TYPE}","verificationMaterial":{{"publicKey":{{"hint":"{}"}}}},"dsseEnvelope":"#,
        hint.0
    )
}

#[cfg(test)]
mod tests;
