//! Step 10, verify: the pushed image, checked as a stranger with the very commands that the page will print; and what
//! cosign's exit code does not say, checked here (facts/cosign.md §1.6, §2.2).

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use crate::inputs::PUBLIC_KEY;
use crate::provenance::Provenance;
use crate::reference::Digest;
use crate::release::source::Source;
use crate::release::target::PublicKey;
use crate::release::{Attestations, Release, build};
use crate::scratch::Scratch;
use crate::tool::cosign::Cosign;

const PROVENANCE_PREDICATE: &str = "https://slsa.dev/provenance/v1";
const SBOM_PREDICATE: &str = "https://cyclonedx.org/bom";

/// What the attestations say.
struct Attested {
    provenance: Value,
    sbom: Value,
}

/// A DSSE envelope (<https://github.com/secure-systems-lab/dsse/blob/master/envelope.md>), its signature checked by cosign.
#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "payloadType")]
    payload_type: String,
    payload: String,
}

/// An in-toto statement.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    predicate_type: String,
    subject: Vec<Subject>,
    predicate: Value,
}

#[derive(Deserialize)]
struct Subject {
    digest: std::collections::BTreeMap<String, String>,
}

/// One entry of what `cosign verify` prints.
#[derive(Deserialize)]
struct SignaturePayload {
    critical: Critical,
    optional: Option<std::collections::BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
struct Critical {
    image: SignedImage,
}

#[derive(Deserialize)]
struct SignedImage {
    #[serde(rename = "docker-manifest-digest")]
    digest: Digest,
}

/// The image that this run made: its attestations must come back exactly as they went in.
///
/// # Errors
/// When anything does not hold.
pub fn fresh(release: &Release<'_>, digest: &Digest, attestations: &Attestations) -> Result<()> {
    let attested = check(release, digest)?;
    let same =
        |found: &Value, made: &[u8]| Ok::<_, anyhow::Error>(found == &serde_json::from_slice::<Value>(made)?);
    ensure!(same(&attested.provenance, &attestations.provenance)?, "the provenance came back changed");
    ensure!(same(&attested.sbom, &attestations.sbom)?, "the SBOM came back changed");
    Ok(())
}

/// An image that an earlier run published: it must be this tag's, made from this commit.
///
/// # Errors
/// When anything does not hold.
pub fn published(release: &Release<'_>, digest: &Digest) -> Result<()> {
    let attested = check(release, digest)?;
    let provenance: Provenance = serde_json::from_value(attested.provenance)
        .context("reading the provenance: it is not of our form")?;
    let (tag, commit) = (&release.source.tag, &release.source.commit);
    let git_ref = provenance.build_definition.external_parameters.git_ref();
    ensure!(
        git_ref == Some(&tag.git_ref()),
        "the provenance is of {git_ref:?}: expected `{}`",
        tag.git_ref()
    );
    let of = provenance.build_definition.source_commit();
    ensure!(
        of == Some(commit.as_str()),
        "the provenance names the commit {of:?}, but the tag `{tag}` is at {commit}"
    );
    Ok(())
}

fn check(release: &Release<'_>, digest: &Digest) -> Result<Attested> {
    let Release { session, tools, target, .. } = release;
    // A private owner's image can be read by no stranger: then the one with credentials stands in for the reader.
    let (cosign, index) = match tools.stranger.registry.manifest(digest.as_str()) {
        Ok(Some(index)) => (&tools.stranger.cosign, index),
        Ok(None) | Err(_) => {
            let index = tools.registry.manifest(digest.as_str())?;
            let index =
                index.with_context(|| format!("`{}` is not in the registry", target.image.pinned(digest)))?;
            (&tools.cosign, index)
        }
    };
    // cosign verifies signatures of manifests that are gone: the image itself must be looked at besides.
    build::manifests(&index.bytes, session.config)?;
    run_commands(release, cosign, digest)
}

/// Runs the page's commands side by side: they only read.
fn run_commands(release: &Release<'_>, cosign: &Cosign<'_>, digest: &Digest) -> Result<Attested> {
    let key = KeyDirectory::new(release)?;
    let commands = release.verify_commands(digest);
    let outputs: Vec<Result<String>> = std::thread::scope(|scope| {
        let running: Vec<_> =
            commands.iter().map(|command| scope.spawn(|| cosign.verify(command, key.path()))).collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_panic| bail!("a thread panicked")))
            .collect()
    });
    let outputs = outputs.into_iter().collect::<Result<Vec<_>>>()?;
    let [signature, provenance, sbom] = outputs.as_slice() else { bail!("expected three answers of cosign") };
    check_signature(signature, release.source, digest).context("reading what `cosign verify` accepted")?;
    Ok(Attested {
        provenance: only_predicate(provenance, PROVENANCE_PREDICATE, digest)
            .context("reading the provenance")?,
        sbom: only_predicate(sbom, SBOM_PREDICATE, digest).context("reading the SBOM")?,
    })
}

/// Where the commands are run: their key is named relative to it.
enum KeyDirectory {
    OfTheCommit(Scratch),
    Given(PathBuf),
}

impl KeyDirectory {
    fn new(release: &Release<'_>) -> Result<Self> {
        match &release.target.public_key {
            PublicKey::Below(dir) => Ok(Self::Given(dir.clone())),
            PublicKey::OfTheCommit => {
                let key = release.inputs.public_key.as_ref();
                let key =
                    key.with_context(|| format!("commit {} has no `{PUBLIC_KEY}`", release.source.commit))?;
                let scratch = Scratch::new()?;
                std::fs::write(scratch.path().join(PUBLIC_KEY), key)
                    .context("writing the public key for cosign")?;
                Ok(Self::OfTheCommit(scratch))
            }
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::OfTheCommit(scratch) => scratch.path(),
            Self::Given(dir) => dir,
        }
    }
}

fn check_signature(output: &str, source: &Source, digest: &Digest) -> Result<()> {
    let payloads: Vec<SignaturePayload> =
        serde_json::from_str(output).context("it is not the expected JSON")?;
    let version = source.tag.version().to_string();
    let says_version = |payload: &SignaturePayload| {
        payload.optional.as_ref().and_then(|optional| optional.get("version")).and_then(Value::as_str)
            == Some(&version)
    };
    ensure!(!payloads.is_empty(), "there is no signature");
    for payload in &payloads {
        ensure!(
            &payload.critical.image.digest == digest,
            "a signature is of `{}`",
            payload.critical.image.digest
        );
        ensure!(says_version(payload), "a signature does not say `version={version}`");
    }
    Ok(())
}

/// The predicate of the one attestation that cosign accepted.
fn only_predicate(output: &str, predicate_type: &str, digest: &Digest) -> Result<Value> {
    let mut envelopes = output.lines().filter(|line| !line.trim().is_empty());
    let (Some(envelope), None) = (envelopes.next(), envelopes.next()) else {
        bail!("there is more than one attestation of `{predicate_type}`, or none");
    };
    let envelope: Envelope = serde_json::from_str(envelope).context("it is not a DSSE envelope")?;
    ensure!(
        envelope.payload_type == "application/vnd.in-toto+json",
        "the payload is `{}`",
        envelope.payload_type
    );
    let payload = STANDARD.decode(&envelope.payload).context("the payload is not base64")?;
    let statement: Statement =
        serde_json::from_slice(&payload).context("the payload is not an in-toto statement")?;
    ensure!(statement.predicate_type == predicate_type, "the predicate is a `{}`", statement.predicate_type);
    let names_image =
        |subject: &Subject| subject.digest.get("sha256").map(String::as_str) == Some(digest.hex());
    ensure!(
        statement.subject.len() == 1 && statement.subject.iter().all(names_image),
        "its subject is not `{digest}`"
    );
    Ok(statement.predicate)
}

#[cfg(test)]
mod tests {
    use super::{check_signature, only_predicate};
    use crate::reference::Digest;
    use crate::release::source::Source;
    use crate::tool::git::Commit;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::json;

    fn envelope(predicate_type: &str, digest: &Digest) -> String {
        let statement = json!({
            "predicateType": predicate_type, "subject": [{"name": "x", "digest": {"sha256": digest.hex()}}],
            "predicate": {"x": 1},
        });
        let payload = STANDARD.encode(statement.to_string());
        json!({"payloadType": "application/vnd.in-toto+json", "payload": payload, "signatures": []})
            .to_string()
    }

    #[test]
    fn exactly_one_attestation_of_the_right_type_and_subject() {
        let digest = Digest::of(b"image");
        let right = envelope("type", &digest);
        assert_eq!(only_predicate(&right, "type", &digest).unwrap(), json!({"x": 1}));
        assert!(only_predicate("", "type", &digest).is_err());
        assert!(only_predicate(&format!("{right}\n{right}"), "type", &digest).is_err());
        assert!(only_predicate(&envelope("other", &digest), "type", &digest).is_err());
        assert!(only_predicate(&envelope("type", &Digest::of(b"other")), "type", &digest).is_err());
    }

    #[test]
    fn every_signature_is_of_this_digest_and_version() {
        let digest = Digest::of(b"image");
        let source = Source {
            tag: "v1.2.3".parse().unwrap(),
            commit: Commit::parse(&"a".repeat(40)).unwrap(),
            time: 0,
        };
        let payload = |digest: &Digest, version: &str| json!({"critical": {"image": {"docker-manifest-digest": digest}}, "optional": {"version": version}});
        let check = |payloads: serde_json::Value| check_signature(&payloads.to_string(), &source, &digest);
        assert!(check(json!([payload(&digest, "1.2.3")])).is_ok());
        assert!(check(json!([])).is_err());
        assert!(check(json!([payload(&digest, "1.2.2")])).is_err());
        assert!(check(json!([payload(&Digest::of(b"other"), "1.2.3")])).is_err());
        assert!(check(json!([payload(&digest, "1.2.3"), payload(&digest, "1.2.2")])).is_err());
    }
}
