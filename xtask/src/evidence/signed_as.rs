//! Which release a signature says that an image is: the same in a payload of the legacy format and in a bundle's statement.

use crate::evidence::provenance::BuildType;
use crate::inputs::source::Source;
use crate::inputs::version::ReleaseTag;
use crate::tool::git::Commit;

/// The annotation with the version: the tag without its `v`.
pub const VERSION: &str = "version";
/// The annotation with the commit behind the tag, all 40 digits of it. Signatures beside a provenance of the first build type
/// have none (docs/decisions/0027-signatures-name-the-commit.md).
pub const COMMIT: &str = "commit";

/// A release, as a signature names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedAs<'a> {
    tag: &'a ReleaseTag,
    commit: Option<&'a Commit>,
}

impl<'a> SignedAs<'a> {
    /// The release of `source`, whose provenance is of `build_type`.
    #[must_use]
    pub fn of(source: &'a Source, build_type: BuildType) -> Self {
        Self { tag: &source.tag, commit: build_type.has_signed_commit().then_some(&source.commit) }
    }

    /// What is annotated, in the order of the names.
    #[must_use]
    pub fn annotations(self) -> Vec<(&'static str, String)> {
        let commit = self.commit.map(|commit| (COMMIT, commit.to_string()));
        commit.into_iter().chain([(VERSION, self.tag.version().to_string())]).collect()
    }
}
