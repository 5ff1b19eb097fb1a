//! The release that a signature names. It is the same in a payload of the legacy format and in a bundle's statement.

use crate::evidence::provenance::BuildType;
use crate::inputs::source::Source;
use crate::inputs::version::ReleaseTag;
use crate::tool::git::Commit;

/// The annotation with the version: the tag without its `v`.
pub const VERSION: &str = "version";
/// The annotation with the commit of the tag, all 40 digits of it. Signatures of a release whose provenance has the
/// first build type do not have it (docs/decisions/0027-signatures-name-the-commit.md).
pub const COMMIT: &str = "commit";

/// A release, as a signature names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedAs<'a> {
    tag: &'a ReleaseTag,
    commit: Option<&'a Commit>,
}

impl<'a> SignedAs<'a> {
    /// The release of `source`, whose provenance has the type `build_type`.
    #[must_use]
    pub fn of(source: &'a Source, build_type: BuildType) -> Self {
        Self { tag: &source.tag, commit: build_type.has_signed_commit().then_some(&source.commit) }
    }

    /// The annotations, in the order of their names.
    #[must_use]
    pub fn annotations(self) -> Vec<(&'static str, String)> {
        let commit = self.commit.map(|commit| (COMMIT, commit.to_string()));
        commit.into_iter().chain([(VERSION, self.tag.version().to_string())]).collect()
    }
}
