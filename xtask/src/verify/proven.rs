//! The proof that a release depends on: an image whose claims all hold.

use std::collections::BTreeSet;
use std::fmt;

use crate::evidence::provenance::{BuildType, Smoked};
use crate::oci::reference::Digest;

use super::claim::Claim;

/// An image that verifies as the present release. Only the gates of [`crate::verify`] create one, and a version tag can
/// be put only on such an image: code that publishes without proof does not compile.
#[derive(Clone, Debug)]
pub struct Proven {
    digest: Digest,
    smoked: Smoked,
    build_type: BuildType,
    envelopes: BTreeSet<Digest>,
}

/// Why there is no proof: a claim about the image was checked and is not true.
#[derive(Debug)]
pub struct Disproved {
    message: String,
    is_between_formats: bool,
}

impl Disproved {
    /// `message` says what is false.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_between_formats: false }
    }

    /// As [`Disproved::new`]; `claims` are all claims that were judged.
    pub(super) fn of(claims: &[Claim], message: String) -> Self {
        Self { message, is_between_formats: super::is_between_formats(claims) }
    }

    /// Whether `attachments` is the only claim that does not hold, as while another run has stored only one of its
    /// two formats.
    #[must_use]
    pub fn is_between_formats(&self) -> bool {
        self.is_between_formats
    }
}

impl fmt::Display for Disproved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Disproved {}

impl Proven {
    /// Must be called only if every claim about `digest` holds.
    pub(super) fn new(
        digest: &Digest,
        smoked: Smoked,
        build_type: BuildType,
        envelopes: BTreeSet<Digest>,
    ) -> Self {
        Self { digest: digest.clone(), smoked, build_type, envelopes }
    }

    /// Without proof, for the build that shows that the fault kit's test can fail.
    #[cfg(feature = "broken-resume")]
    pub(crate) fn without_proof(digest: &Digest) -> Self {
        Self::new(digest, Smoked::default(), BuildType::NEWEST, BTreeSet::new())
    }

    /// The digest of the image's index.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// How it was tested, according to its provenance. If another run was faster, that is the other run's provenance.
    #[must_use]
    pub fn smoked(&self) -> &Smoked {
        &self.smoked
    }

    /// The build type of its provenance, which decides what else its release has.
    #[must_use]
    pub fn build_type(&self) -> BuildType {
        self.build_type
    }

    /// Whether these, and no others, are the attestations that were judged. What is attached can be replaced at any
    /// time by anyone who may push.
    #[must_use]
    pub fn is_judged<'a>(&self, envelopes: impl IntoIterator<Item = &'a [u8]>) -> bool {
        envelopes.into_iter().map(Digest::of).collect::<BTreeSet<_>>() == self.envelopes
    }
}

#[cfg(test)]
mod tests {
    use super::Proven;
    use crate::evidence::provenance::{BuildType, Smoked};
    use crate::oci::reference::Digest;

    #[test]
    fn is_judged_accepts_exactly_the_attestations_that_were_judged() {
        let [a, b, c] = [&b"a"[..], b"b", b"c"];
        let judged = [a, b].map(Digest::of).into();
        let proven = Proven::new(&Digest::of(b"x"), Smoked::default(), BuildType::NEWEST, judged);
        assert!(proven.is_judged([a, b]) && proven.is_judged([b, a]));
        for other in [vec![a], vec![a, b, c], vec![a, c], vec![]] {
            assert!(!proven.is_judged(other.clone()), "{other:?}");
        }
    }
}
