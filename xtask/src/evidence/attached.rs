//! What cosign stores next to an image in its legacy format (docs/decisions/0001-legacy-cosign-format.md): the tags,
//! the types of the attestations, and the manifest that holds them.

mod manifest;
mod signed;

use std::fmt;

use crate::evidence::rebuild;
use crate::oci::reference::{Digest, Tag};

pub use manifest::{Layer, config, layers, manifest};
pub use signed::Signed;

/// The predicate type of a provenance, as in the statement. cosign gets the full type too. If its short name is used to
/// sign, cosign re-marshals the predicate, and cosign 3.1 then even signs an empty one
/// (docs/facts.md#short-predicate-type).
pub const PROVENANCE_PREDICATE: &str = "https://slsa.dev/provenance/v1";

/// The predicate type of an SBOM, as in the statement.
pub const SBOM_PREDICATE: &str = "https://cyclonedx.org/bom";

/// The predicate type of a test result (<https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md>).
pub const TEST_RESULT_PREDICATE: &str = "https://in-toto.io/attestation/test-result/v0.1";

/// The attestations of a release about an image, in the order in which they are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attested {
    /// How it was built.
    Provenance,
    /// What is in it.
    Sbom,
    /// How it was tested.
    TestResult,
}

impl Attested {
    /// All attestations, each once. There is no other list of them.
    pub const ALL: [Self; 3] = [Self::Provenance, Self::Sbom, Self::TestResult];

    /// The predicate type of its statement.
    #[must_use]
    pub fn predicate_type(self) -> &'static str {
        match self {
            Self::Provenance => PROVENANCE_PREDICATE,
            Self::Sbom => SBOM_PREDICATE,
            Self::TestResult => TEST_RESULT_PREDICATE,
        }
    }
}

impl fmt::Display for Attested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Provenance => "provenance",
            Self::Sbom => "SBOM",
            Self::TestResult => "test result",
        })
    }
}

/// The predicates of a release's attestations.
pub struct Attestations {
    /// The SLSA provenance predicate, as JSON.
    pub provenance: Vec<u8>,
    /// The `CycloneDX` SBOM, as JSON.
    pub sbom: Vec<u8>,
    /// The in-toto test result, as JSON.
    pub test_result: Vec<u8>,
}

impl Attestations {
    /// One of the predicates.
    #[must_use]
    pub fn predicate(&self, attested: Attested) -> &[u8] {
        match attested {
            Attested::Provenance => &self.provenance,
            Attested::Sbom => &self.sbom,
            Attested::TestResult => &self.test_result,
        }
    }
}

/// The two kinds of attached objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Signatures, under the tag `sha256-<hex>.sig`.
    Signatures,
    /// Attestations, under the tag `sha256-<hex>.att`.
    Attestations,
}

impl Kind {
    /// The tag that holds the objects of this kind for the image `digest`.
    #[must_use]
    pub fn tag(self, digest: &Digest) -> Tag {
        Tag::of(digest, self.ending())
    }

    /// The digest of the image whose objects of this kind are under the tag `name`; `None` for any other tag.
    #[must_use]
    pub fn digest_of(self, name: &str) -> Option<Digest> {
        let digits = name.strip_prefix("sha256-")?.strip_suffix(self.ending())?;
        format!("sha256:{digits}").parse().ok()
    }

    fn ending(self) -> &'static str {
        match self {
            Self::Signatures => ".sig",
            Self::Attestations => ".att",
        }
    }
}

/// The tags among `tags` that hold something else about `digest`: a newer cosign's bundles, or an unsigned SBOM.
#[must_use]
pub fn other_tags(tags: &[String], digest: &Digest) -> Vec<String> {
    let ours = [Kind::Signatures, Kind::Attestations].map(|kind| kind.tag(digest).to_string());
    let prefix = Tag::of(digest, "");
    // Statements about a rebuild do not count: neither the release nor a verifier of images relies on them.
    let is_other = |tag: &&String| {
        tag.starts_with(prefix.as_str()) && !ours.contains(tag) && rebuild::digits(tag, digest).is_none()
    };
    tags.iter().filter(is_other).cloned().collect()
}

/// The tags under which programs look for what is attached to a platform's image, besides its signatures: bundles,
/// attestations, and an unsigned SBOM. A release stores nothing there.
#[must_use]
pub fn foreign_tags(platform: &Digest) -> [Tag; 3] {
    [Tag::of(platform, ""), Kind::Attestations.tag(platform), Tag::of(platform, ".sbom")]
}

#[cfg(test)]
mod tests {
    use super::{Kind, other_tags};
    use crate::oci::reference::Digest;

    #[test]
    fn other_objects_attached_to_a_digest_are_recognized_by_their_tags() {
        let digest = Digest::of(b"image");
        let name = format!("sha256-{}", digest.hex());
        let tags = [
            "v1.0.0".to_owned(),
            Kind::Signatures.tag(&digest).to_string(),
            Kind::Attestations.tag(&digest).to_string(),
            name.clone(),
            format!("{name}.sbom"),
            format!("sha256-{}", Digest::of(b"other").hex()),
            crate::evidence::rebuild::tag(&digest, &Digest::of(b"key")).to_string(),
        ];
        assert_eq!(tags[1..3], [format!("{name}.sig"), format!("{name}.att")]);
        let attested: Vec<_> = tags.iter().filter_map(|tag| Kind::Attestations.digest_of(tag)).collect();
        assert_eq!(attested, std::slice::from_ref(&digest));
        assert_eq!(Kind::Signatures.digest_of("sha256-aa.sig"), None);
        assert_eq!(other_tags(&tags, &digest), [name.clone(), format!("{name}.sbom")]);
        assert_eq!(other_tags(&tags[..3], &digest), [""; 0]);
    }
}
