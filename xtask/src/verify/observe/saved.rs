//! The `index.json` of a directory that `cosign save` wrote, which `cosign load` may publish: it says which manifest is
//! the image, and which are its signatures and attestations. It is read as cosign reads it, or refused.

use anyhow::{Result, bail, ensure};
use serde::Deserialize;

use crate::oci::exact;
use crate::oci::reference::Digest;

/// What the directory holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Saved {
    pub(super) image: Digest,
    /// The manifest with the image's signatures.
    pub(super) signatures: Option<Digest>,
    /// The manifest with its attestations.
    pub(super) attestations: Option<Digest>,
}

/// As cosign 2 and cosign 3 write it (docs/facts.md#saved-directories).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Index {
    schema_version: u64,
    #[serde(rename = "mediaType")]
    _media_type: String,
    manifests: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Entry {
    #[serde(rename = "mediaType")]
    _media_type: String,
    #[serde(rename = "size")]
    _size: u64,
    digest: Digest,
    annotations: Annotations,
    #[serde(rename = "artifactType")]
    _artifact_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Annotations {
    kind: Kind,
}

#[derive(Deserialize, PartialEq, Eq)]
enum Kind {
    #[serde(rename = "dev.cosignproject.cosign/imageIndex", alias = "dev.cosignproject.cosign/image")]
    Image,
    #[serde(rename = "dev.cosignproject.cosign/sigs")]
    Signatures,
    #[serde(rename = "dev.cosignproject.cosign/atts")]
    Attestations,
}

impl Saved {
    /// Reads the file's bytes.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        let Index { schema_version, manifests, .. } = exact::parse(bytes)?;
        ensure!(schema_version == 2, "it is of version {schema_version}: expected 2");
        let only = |kind, what| {
            let mut found = manifests.iter().filter(|entry| entry.annotations.kind == kind);
            let first = found.next().map(|entry| entry.digest.clone());
            ensure!(found.next().is_none(), "it lists more than one manifest of {what}");
            Ok(first)
        };
        let Some(image) = only(Kind::Image, "an image")? else { bail!("it lists no image") };
        Ok(Self {
            image,
            signatures: only(Kind::Signatures, "signatures")?,
            attestations: only(Kind::Attestations, "attestations")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Saved;
    use serde_json::{Value, json};

    fn digest(number: u8) -> String {
        format!("sha256:{}", format!("{number:02x}").repeat(32))
    }

    fn entry(number: u8, kind: &str) -> Value {
        json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "size": 558,
            "digest": digest(number),
            "annotations": { "kind": format!("dev.cosignproject.cosign/{kind}") },
        })
    }

    fn read(manifests: &[Value]) -> Result<Saved, String> {
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": manifests,
        });
        Saved::parse(index.to_string().as_bytes()).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn directories_saved_by_cosign_2_and_3_are_read() {
        let mut all = vec![entry(1, "imageIndex"), entry(2, "sigs"), entry(3, "atts")];
        let [image, signatures, attestations] = [1, 2, 3].map(|number| digest(number).parse().unwrap());
        let whole = Saved { image, signatures: Some(signatures), attestations: Some(attestations) };
        assert_eq!(read(&all).as_ref(), Ok(&whole));
        for entry in &mut all[1..] {
            entry["artifactType"] = "application/vnd.oci.image.config.v1+json".into();
        }
        assert_eq!(read(&all), Ok(whole));
        assert_eq!(read(&[entry(1, "image")]).unwrap().signatures, None);
    }

    #[test]
    fn an_index_that_cosign_could_read_differently_is_refused() {
        let (image, signatures) = (entry(1, "imageIndex"), entry(2, "sigs"));
        let with = |key: &str, value: Value| {
            let mut entry = signatures.clone();
            entry[key] = value;
            entry
        };
        let other = json!({ "kind": "dev.cosignproject.cosign/image" });
        let more = json!({ "kind": "dev.cosignproject.cosign/sigs", "more": "" });
        for (wrong, words) in [
            (vec![image.clone(), with("Annotations", other.clone())], "twice, perhaps in another spelling"),
            (vec![image.clone(), with("platform", json!({}))], "unknown field `platform`"),
            (vec![image.clone(), with("annotations", more)], "unknown field `more`"),
            (vec![image.clone(), entry(2, "sbom")], "unknown variant"),
            (vec![image.clone(), with("annotations", other)], "more than one manifest of an image"),
            (
                vec![image.clone(), signatures.clone(), entry(3, "sigs")],
                "more than one manifest of signatures",
            ),
            (vec![image, entry(2, "atts"), entry(3, "atts")], "more than one manifest of attestations"),
            (vec![signatures], "it lists no image"),
        ] {
            let error = read(&wrong).unwrap_err();
            assert!(error.contains(words), "{words}: {error}");
        }
    }
}
