//! What cosign keeps beside an image, in its legacy format (docs/decisions/0001-legacy-cosign-format.md): the tags, the types
//! of the attestations, and the manifest that holds them.

mod manifest;
mod signed;

use crate::oci::reference::Digest;

pub use manifest::{MEDIA_TYPE, config, manifest};
pub use signed::Signed;

/// The predicate type of a provenance, as the statement has it. cosign is given it whole as well: its short name re-marshals
/// the predicate when it is used to sign, and cosign 3.1 then signs even an empty one (docs/facts.md#short-predicate-type).
pub const PROVENANCE_PREDICATE: &str = "https://slsa.dev/provenance/v1";

/// The predicate type of an SBOM, as the statement has it.
pub const SBOM_PREDICATE: &str = "https://cyclonedx.org/bom";

/// What cosign attests.
pub struct Attestations {
    /// The SLSA provenance predicate, as JSON.
    pub provenance: Vec<u8>,
    /// The `CycloneDX` SBOM, as JSON.
    pub sbom: Vec<u8>,
}

/// The two kinds of things that are attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Signatures, under the tag `sha256-<hex>.sig`.
    Signatures,
    /// Attestations, under the tag `sha256-<hex>.att`.
    Attestations,
}

impl Kind {
    /// The tag that holds them, of the image `digest`.
    #[must_use]
    pub fn tag(self, digest: &Digest) -> String {
        let suffix = match self {
            Self::Signatures => "sig",
            Self::Attestations => "att",
        };
        format!("{}.{suffix}", prefix(digest))
    }

    /// How `cosign save` marks them in a directory's index.
    #[must_use]
    pub fn mark(self) -> &'static str {
        match self {
            Self::Signatures => "dev.cosignproject.cosign/sigs",
            Self::Attestations => "dev.cosignproject.cosign/atts",
        }
    }
}

/// The tags among `tags` that hold something else about `digest`: a newer cosign's bundles, or an SBOM that nobody signed.
#[must_use]
pub fn other_tags(tags: &[String], digest: &Digest) -> Vec<String> {
    let ours = [Kind::Signatures, Kind::Attestations].map(|kind| kind.tag(digest));
    let prefix = prefix(digest);
    tags.iter().filter(|tag| tag.starts_with(&prefix) && !ours.contains(tag)).cloned().collect()
}

/// What the tags of everything that is attached to `digest` begin with.
fn prefix(digest: &Digest) -> String {
    format!("sha256-{}", digest.hex())
}

#[cfg(test)]
mod tests {
    use super::{Kind, other_tags};
    use crate::oci::reference::Digest;

    #[test]
    fn what_else_is_attached_to_a_digest_is_told_by_its_tag() {
        let digest = Digest::of(b"image");
        let name = format!("sha256-{}", digest.hex());
        let tags = [
            "v1.0.0".to_owned(),
            Kind::Signatures.tag(&digest),
            Kind::Attestations.tag(&digest),
            name.clone(),
            format!("{name}.sbom"),
            format!("sha256-{}", Digest::of(b"other").hex()),
        ];
        assert_eq!(tags[1..3], [format!("{name}.sig"), format!("{name}.att")]);
        assert_eq!(other_tags(&tags, &digest), [name.clone(), format!("{name}.sbom")]);
        assert_eq!(other_tags(&tags[..3], &digest), [""; 0]);
    }
}
