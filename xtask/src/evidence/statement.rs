//! Parses cosign's output strictly: signature payloads here, and attestations with the same reader as in a release.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use serde_json::Value;

use crate::evidence::attestation::Attestation;
use crate::evidence::bundle::{MARK, SIGN_PREDICATE};
use crate::evidence::provenance::BuildType;
use crate::evidence::signed_as::{COMMIT, VERSION};
use crate::inputs::source::Source;
use crate::oci::exact;
use crate::oci::reference::{Digest, Image};
use crate::tool::git::Commit;

/// The type of a signature's payload in the legacy format
/// (<https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md>).
const SIGNATURE_TYPE: &str = "cosign container image signature";

/// One entry in the output of `cosign verify`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignaturePayload {
    critical: Critical,
    optional: Option<BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Critical {
    identity: Identity,
    image: SignedImage,
    #[serde(rename = "type")]
    kind: String,
}

/// Where the image was when it was signed. A copy of the image is elsewhere.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Identity {
    #[serde(rename = "docker-reference")]
    reference: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignedImage {
    #[serde(rename = "docker-manifest-digest")]
    digest: Digest,
}

/// Parses the output of `cosign verify`: an array of payloads for each image in the command.
///
/// # Errors
/// When the output has another form, or a payload is not one of cosign's.
pub fn signatures(output: &str) -> Result<Vec<Signature>> {
    let arrays: Vec<Vec<SignaturePayload>> =
        exact::parse_all(output).context("what cosign printed is not the expected JSON")?;
    arrays.into_iter().flatten().map(signature).collect()
}

/// The commit that the payload of a signature names for the version of `source`, if it is not the commit of `source`.
/// The signature has not been verified.
pub fn other_commit(payload: &[u8], source: &Source) -> Option<String> {
    // Anything but a payload of a release says nothing about a release.
    let text = format!("[{}]", str::from_utf8(payload).ok()?);
    let [found] = <[Signature; 1]>::try_from(signatures(&text).ok()?).ok()?;
    let is_same_version = found.version == Some(source.tag.version().to_string());
    let commit = Commit::parse(&found.commit?).ok()?;
    (is_same_version && commit != source.commit).then(|| commit.to_string())
}

fn signature(payload: SignaturePayload) -> Result<Signature> {
    let kind = payload.critical.kind;
    ensure!([SIGNATURE_TYPE, SIGN_PREDICATE].contains(&kind.as_str()), "a signature is a `{kind}`");
    let mut said = BTreeMap::new();
    for (key, value) in payload.optional.unwrap_or_default() {
        ensure!(
            [VERSION, COMMIT, MARK.0].contains(&key.as_str()),
            "a signature has the annotation `{key}`, which none of ours has"
        );
        let Value::String(value) = value else {
            bail!("a signature says `{key}={value}`, which is not text")
        };
        said.insert(key, value);
    }
    Ok(Signature {
        version: said.remove(VERSION),
        commit: said.remove(COMMIT),
        bundle: said.remove(MARK.0),
        is_of_bundle: kind == SIGN_PREDICATE,
        digest: payload.critical.image.digest,
        repository: payload.critical.identity.reference,
    })
}

/// What a signature that cosign accepted says.
pub struct Signature {
    digest: Digest,
    repository: String,
    version: Option<String>,
    commit: Option<String>,
    /// The format of the bundles that the release has according to the signature.
    pub bundle: Option<String>,
    is_of_bundle: bool,
}

/// Whether cosign's output comes from bundles.
pub fn is_of_bundles(output: &str) -> bool {
    signatures(output).is_ok_and(|found| found.iter().any(|signature| signature.is_of_bundle))
}

/// Checks that every signature that cosign accepted is for one of `digests` and names the release of `source`, and that
/// each digest has one. Returns the number of signatures.
///
/// The `build_type` of the provenance decides whether signatures name the commit. If they do, each digest needs one
/// that does, but there may also be older ones that do not. Without a provenance both kinds are accepted.
///
/// If the image is read from where it was released, `image` is its name there, and each signature must name it: podman
/// and skopeo refuse others.
///
/// # Errors
/// When the output cannot be read, a signature says something else, or a digest lacks one that it needs.
pub fn check_signatures(
    output: &str,
    source: &Source,
    image: Option<&Image>,
    build_type: Option<BuildType>,
    digests: &[Digest],
) -> Result<usize> {
    let found = signatures(output)?;
    for signature in &found {
        ensure!(digests.contains(&signature.digest), "a signature is of `{}`", signature.digest);
        ensure!(!signature.is_of_bundle, "a signature comes from a bundle");
        if let Some(image) = image.map(ToString::to_string) {
            let named = &signature.repository;
            ensure!(
                *named == image,
                "a signature is of `{named}` by its `docker-reference`: expected `{image}`"
            );
        }
        check_release(signature, source, build_type)?;
    }
    let is_due = build_type.is_some_and(BuildType::has_signed_commit);
    for digest in digests {
        let mut of_it = found.iter().filter(|signature| &signature.digest == digest).peekable();
        ensure!(of_it.peek().is_some(), "there is no signature of `{digest}`");
        ensure!(
            !is_due || of_it.any(|signature| signature.commit.is_some()),
            "no signature of `{digest}` says `{COMMIT}={}`: with such a provenance one must",
            source.commit
        );
    }
    Ok(found.len())
}

fn check_release(signature: &Signature, source: &Source, build_type: Option<BuildType>) -> Result<()> {
    let (version, commit) = (source.tag.version().to_string(), source.commit.as_str());
    ensure!(
        signature.version.as_deref() == Some(&*version),
        "a signature does not say `{VERSION}={version}`"
    );
    let Some(said) = &signature.commit else { return Ok(()) };
    ensure!(said == commit, "a signature says `{COMMIT}={said}`: expected `{COMMIT}={commit}`");
    ensure!(
        build_type.is_none_or(BuildType::has_signed_commit),
        "a signature says `{COMMIT}={said}`, which none does with such an old provenance: one of the two belongs to another release"
    );
    Ok(())
}

/// The DSSE envelopes in the output of `cosign verify-attestation`, one per line.
pub fn envelopes(output: &str) -> impl Iterator<Item = &str> {
    output.lines().filter(|line| !line.trim().is_empty())
}

/// The only attestation that cosign accepted.
///
/// # Errors
/// When there are none or several, or it is not about `digest` or not of `predicate_type`.
pub fn only_attestation(output: &str, predicate_type: &str, digest: &Digest) -> Result<Attestation> {
    let envelopes: Vec<_> = envelopes(output).collect();
    let [envelope] = envelopes[..] else {
        bail!("there are {} attestations of `{predicate_type}` by the key: expected one", envelopes.len());
    };
    Attestation::read(envelope.as_bytes(), predicate_type, digest)
}

/// The predicate of [`only_attestation`].
///
/// # Errors
/// As [`only_attestation`].
pub fn only_predicate(output: &str, predicate_type: &str, digest: &Digest) -> Result<Value> {
    Ok(only_attestation(output, predicate_type, digest)?.predicate)
}

#[cfg(test)]
mod tests;
