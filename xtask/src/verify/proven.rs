//! The proof that a release goes by: an image all of whose claims hold.

use std::fmt;

use crate::evidence::provenance::{BuildType, Smoked};
use crate::oci::reference::Digest;

/// An image that verifies as the release at hand. Only the gates of [`crate::verify`] make one, and only with one can a version
/// tag be put on an image: code that publishes without proof does not compile.
#[derive(Clone, Debug)]
pub struct Proven {
    digest: Digest,
    smoked: Smoked,
    build_type: BuildType,
}

/// Why there is no proof: a claim about the image was checked, and is not true.
#[derive(Debug)]
pub struct Disproved(String);

impl Disproved {
    /// `message` says what is false.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Disproved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Disproved {}

impl Proven {
    /// Where every claim about `digest` holds.
    pub(super) fn new(digest: &Digest, smoked: Smoked, build_type: BuildType) -> Self {
        Self { digest: digest.clone(), smoked, build_type }
    }

    /// Without proof, for the build that shows that the test of the fault kit can fail.
    #[cfg(feature = "broken-resume")]
    pub(crate) fn without_proof(digest: &Digest) -> Self {
        Self { digest: digest.clone(), smoked: Smoked::default(), build_type: BuildType::NEWEST }
    }

    /// The digest of its index.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// How it was tried, as its provenance says: that of another run, where that run was faster.
    #[must_use]
    pub fn smoked(&self) -> &Smoked {
        &self.smoked
    }

    /// Of which type its provenance is, which decides what else its release has.
    #[must_use]
    pub fn build_type(&self) -> BuildType {
        self.build_type
    }
}
