//! An attestation: an in-toto statement about an image, in a DSSE envelope. There is one form per build type. It
//! applies to the provenance of that build type and to the attestations of the same release
//! (docs/decisions/0028-statements-of-our-own.md).

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::evidence::envelope::open;
use crate::evidence::provenance::BuildType;
use crate::oci::exact;
use crate::oci::reference::{Digest, Image};
use crate::process::shown::named;

/// The type of a current statement (<https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md>).
const STATEMENT: &str = "https://in-toto.io/Statement/v1";

/// The type that cosign writes, which the statements of older releases have.
const OLDER_STATEMENT: &str = "https://in-toto.io/Statement/v0.1";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Statement {
    #[serde(rename = "_type")]
    statement_type: String,
    subject: Vec<Subject>,
    predicate_type: String,
    /// Parsed separately.
    #[serde(skip_deserializing)]
    predicate: Value,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    name: String,
    digest: BTreeMap<String, String>,
}

impl Subject {
    fn new(name: String, digest: &Digest) -> Self {
        Self { name, digest: BTreeMap::from([("sha256".to_owned(), digest.hex().to_owned())]) }
    }

    /// Its digest, which must be the only one.
    fn digest(&self) -> Result<Digest> {
        let hex = self.digest.get("sha256").filter(|_| self.digest.len() == 1);
        let hex = hex.with_context(|| {
            format!("its subject `{}` does not have exactly one digest, of SHA-256", self.name)
        })?;
        format!("sha256:{hex}").parse()
    }
}

/// The statement to sign: `predicate` is about the index `digest` of `image` and the manifests of its platforms.
///
/// # Errors
/// When the predicate is not JSON.
pub fn statement(
    predicate_type: &str,
    predicate: &[u8],
    image: &Image,
    digest: &Digest,
    platforms: &[(String, Digest)],
) -> Result<Vec<u8>> {
    let image = image.to_string();
    let manifest =
        |(platform, digest): &(String, Digest)| Subject::new(format!("{image} {platform}"), digest);
    let manifests: Vec<_> = platforms.iter().map(manifest).collect();
    let statement = Statement {
        statement_type: STATEMENT.to_owned(),
        subject: [Subject::new(image.clone(), digest)].into_iter().chain(manifests).collect(),
        predicate_type: predicate_type.to_owned(),
        predicate: exact::value(predicate).context("reading a predicate before it is signed")?,
    };
    serde_json::to_vec(&statement).context("writing a statement")
}

/// A signed statement about one image.
#[derive(Debug)]
pub struct Attestation {
    statement_type: String,
    predicate_type: String,
    /// The digest of the image, followed by those of its platforms' manifests.
    subjects: Vec<Digest>,
    /// The predicate about the image.
    pub predicate: Value,
}

impl Attestation {
    /// Reads the envelope `bytes`. It must have exactly one signature and the given `predicate_type`, and its first
    /// subject must be `digest`. Only cosign can tell whether the signature is valid, and
    /// [`Attestation::check_subjects`] checks the other subjects.
    ///
    /// # Errors
    /// When it is anything else, or has an unknown or duplicate field.
    pub fn read(bytes: &[u8], predicate_type: &str, digest: &Digest) -> Result<Self> {
        let attestation = Self::of_payload(&open(bytes)?.payload, digest)?;
        ensure!(
            attestation.predicate_type == predicate_type,
            "the predicate is a `{}`",
            attestation.predicate_type
        );
        Ok(attestation)
    }

    /// Reads the payload of an envelope, as [`Attestation::read`] does, with a predicate of any type.
    ///
    /// # Errors
    /// When it is not a statement about `digest`, or has an unknown or duplicate field.
    pub fn of_payload(payload: &[u8], digest: &Digest) -> Result<Self> {
        let (statement, predicate) =
            exact::parse_without(payload, "predicate").context("the payload is not an in-toto statement")?;
        let Statement { statement_type, subject, predicate_type, .. } = statement;
        ensure!(
            [STATEMENT, OLDER_STATEMENT].contains(&statement_type.as_str()),
            "it is a `{statement_type}`"
        );
        let subjects = subject.iter().map(Subject::digest).collect::<Result<Vec<_>>>()?;
        ensure!(subjects.first() == Some(digest), "its first subject is not `{digest}`");
        Ok(Self { statement_type, predicate_type, subjects, predicate })
    }

    /// The type of its predicate.
    #[must_use]
    pub fn predicate_type(&self) -> &str {
        &self.predicate_type
    }

    /// Checks the subjects by the `build_type` of the release's provenance. For the first build type the image is the
    /// only subject. For later ones the manifests of its `platforms` follow, in the order of the index.
    ///
    /// # Errors
    /// When there are other subjects, or the statement has another type.
    pub fn check_subjects(&self, build_type: BuildType, platforms: &[Digest]) -> Result<()> {
        let manifests = &self.subjects[1..];
        if !build_type.has_own_statements() {
            ensure!(manifests.is_empty(), "it has {} subjects: expected one", self.subjects.len());
            return Ok(());
        }
        ensure!(
            self.statement_type == STATEMENT,
            "it is a `{}`: expected `{STATEMENT}`",
            self.statement_type
        );
        let missing = platforms.iter().find(|platform| !manifests.contains(platform));
        ensure!(
            missing.is_none(),
            "it is not about the manifest `{}`, which is in the image",
            missing.map_or("", Digest::as_str)
        );
        ensure!(
            manifests == platforms,
            "besides the image, it is about {}: expected {}",
            named(manifests),
            named(platforms)
        );
        Ok(())
    }
}

/// The predicate in the envelope `bytes`, with the checks of [`Attestation::read`].
///
/// # Errors
/// As [`Attestation::read`].
pub fn predicate(bytes: &[u8], predicate_type: &str, digest: &Digest) -> Result<Value> {
    Ok(Attestation::read(bytes, predicate_type, digest)?.predicate)
}

#[cfg(test)]
mod tests {
    use super::{Attestation, OLDER_STATEMENT, statement};
    use crate::evidence::envelope::seal;
    use crate::evidence::provenance::BuildType;
    use crate::oci::reference::Digest;
    use serde_json::{Value, json};

    const TYPE: &str = "https://slsa.dev/provenance/v1";

    /// A current statement about an image with two platforms.
    fn current() -> Value {
        let platforms = [("linux/amd64", "amd"), ("linux/arm64", "arm")];
        let platforms = platforms.map(|(name, text)| (name.to_owned(), Digest::of(text.as_bytes())));
        let image = "forge.example.org/acme/carol".parse().unwrap();
        let bytes = statement(TYPE, br#"{"x": 1}"#, &image, &Digest::of(b"image"), &platforms).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    fn read(statement: &Value) -> anyhow::Result<Attestation> {
        Attestation::read(&seal(statement.to_string().as_bytes(), "MEUC"), TYPE, &Digest::of(b"image"))
    }

    #[test]
    fn a_statement_names_the_image_and_each_platform() {
        let subject = |name: &str, of: &str| json!({"name": name, "digest": {"sha256": Digest::of(of.as_bytes()).hex()}});
        let expected = json!({
            "_type": "https://in-toto.io/Statement/v1", "predicateType": TYPE, "predicate": {"x": 1},
            "subject": [
                subject("forge.example.org/acme/carol", "image"),
                subject("forge.example.org/acme/carol linux/amd64", "amd"),
                subject("forge.example.org/acme/carol linux/arm64", "arm"),
            ],
        });
        assert_eq!(current(), expected);
    }

    #[test]
    fn each_build_type_has_its_own_subjects_and_no_others() {
        let (amd, arm) = (Digest::of(b"amd"), Digest::of(b"arm"));
        let holds = |statement: &Value, build_type: BuildType| {
            read(statement).unwrap().check_subjects(build_type, &[amd.clone(), arm.clone()]).is_ok()
        };
        let with = |change: fn(&mut Value)| {
            let mut changed = current();
            change(&mut changed);
            changed
        };
        assert!(holds(&current(), BuildType::V2) && !holds(&current(), BuildType::V1));
        let older = with(|statement| {
            statement["_type"] = OLDER_STATEMENT.into();
            statement["subject"].as_array_mut().unwrap().truncate(1);
        });
        assert!(holds(&older, BuildType::V1) && !holds(&older, BuildType::V2));
        let changes: [fn(&mut Value); 5] = [
            |statement| statement["_type"] = OLDER_STATEMENT.into(),
            |statement| statement["subject"].as_array_mut().unwrap().truncate(2),
            |statement| statement["subject"].as_array_mut().unwrap().swap(1, 2),
            |statement| statement["subject"][1]["digest"]["sha256"] = Digest::of(b"other").hex().into(),
            |statement| {
                let first = statement["subject"][0].clone();
                statement["subject"].as_array_mut().unwrap().push(first);
            },
        ];
        for change in changes {
            let wrong = with(change);
            assert!(!holds(&wrong, BuildType::V2), "{wrong}");
        }
    }

    #[test]
    fn anything_else_in_the_statement_is_refused() {
        let hex = Digest::of(b"image").hex().to_owned();
        let subject = |digest: Value| json!({"name": "x", "digest": digest});
        for (field, value) in [
            ("_type", json!("https://example.org/Statement/v1")),
            ("predicateType", json!("https://cyclonedx.org/bom")),
            ("subject", json!([])),
            ("subject", json!([subject(json!({"sha256": Digest::of(b"other").hex()}))])),
            ("subject", json!([subject(json!({"sha256": hex, "sha512": "x"}))])),
            (
                "subject",
                json!([
                    subject(json!({"sha256": Digest::of(b"amd").hex()})),
                    subject(json!({"sha256": hex}))
                ]),
            ),
            ("subject", json!([subject(json!({"sha256": hex})), subject(json!({"sha512": hex}))])),
            ("subject", json!([{"name": "x", "digest": {"sha256": hex}, "uri": "x"}])),
            ("extra", json!(1)),
        ] {
            let mut wrong = current();
            wrong[field] = value.clone();
            assert!(read(&wrong).is_err(), "{field}: {value}");
        }
    }
}
