//! The claims about a release, by their ids in reports, documents and scripts. The meaning of an id never changes.

/// The image is complete.
pub const IMAGE_PRESENT: &str = "image.present";
/// It has the released platforms.
pub const IMAGE_PLATFORMS: &str = "image.platforms";
/// Its labels and annotations name the release.
pub const IMAGE_LABELS: &str = "image.labels";
/// Its layers match the configs.
pub const IMAGE_CONTENT: &str = "image.content";
/// It is based on the base image that the commit pins.
pub const IMAGE_BASE: &str = "image.base";
/// Every binary is for its platform.
pub const IMAGE_MACHINE: &str = "image.machine";
/// The index is signed.
pub const SIGNATURE: &str = "signature";
/// Each platform's manifest is signed.
pub const SIGNATURE_PLATFORMS: &str = "signature.platforms";
/// Nothing else is attached.
pub const ATTACHMENTS: &str = "attachments";
/// There is exactly one attestation of a provenance.
pub const PROVENANCE: &str = "provenance";
/// It has the form of its build type.
pub const PROVENANCE_FORM: &str = "provenance.form";
/// It names the tagged commit.
pub const PROVENANCE_SOURCE: &str = "provenance.source";
/// It names the pins of the commit.
pub const PROVENANCE_INPUTS: &str = "provenance.inputs";
/// It names this repository's builder.
pub const PROVENANCE_BUILDER: &str = "provenance.builder";
/// Its times are possible.
pub const PROVENANCE_TIME: &str = "provenance.time";
/// It names the contents of the index.
pub const PROVENANCE_PRODUCTS: &str = "provenance.products";
/// The forge has a record of the run that it names. Judged if it names a workflow run and the forge reports runs.
pub const PROVENANCE_RUN: &str = "provenance.run";
/// There is exactly one attestation of an SBOM.
pub const SBOM: &str = "sbom";
/// It lists the contents of the image.
pub const SBOM_COMPONENTS: &str = "sbom.components";
/// There is exactly one attestation of a test result, and it agrees with the provenance.
pub const SMOKE: &str = "smoke";
/// The version tag names the image.
pub const TAG_IMAGE: &str = "tag.image";
/// The git tag is on the forge, at the commit.
pub const TAG_GIT: &str = "tag.git";
/// The commit is in the history of a branch from which releases are allowed.
pub const SOURCE_BRANCH: &str = "source.branch";
/// A listed maintainer signed the git tag. Judged if the configuration requires it.
pub const TAG_SIGNED: &str = "tag.signed";
/// The key is the one that the project's key history names for this version.
pub const KEY_HISTORY: &str = "key.history";
/// The key is that of the previous release, or was endorsed since.
pub const KEY_CONTINUITY: &str = "key.continuity";
/// There is a release page.
pub const PAGE_STATE: &str = "page.state";
/// It names the image.
pub const PAGE_IMAGE: &str = "page.image";
/// Its commands are the ones that were run.
pub const PAGE_COMMANDS: &str = "page.commands";
/// It has the release's evidence as files.
pub const PAGE_ASSETS: &str = "page.assets";
/// `latest` points to the highest stable version.
pub const LATEST: &str = "latest";
/// A build of the commit gives the same content. Judged with `verify --rebuild`.
pub const REBUILD: &str = "rebuild";
/// The given key is vouched for. Judged with `verify --key`.
pub const KEY: &str = "key";
/// The commit says how it is released. Judged with `verify --all`, if the commit does not.
pub const CONFIGURATION: &str = "configuration";

/// The claims about an image. A test compares the list with what is judged.
pub const OF_IMAGE: [&str; 19] = [
    IMAGE_PRESENT,
    IMAGE_PLATFORMS,
    IMAGE_LABELS,
    IMAGE_CONTENT,
    IMAGE_BASE,
    IMAGE_MACHINE,
    SIGNATURE,
    SIGNATURE_PLATFORMS,
    ATTACHMENTS,
    PROVENANCE,
    PROVENANCE_FORM,
    PROVENANCE_SOURCE,
    PROVENANCE_INPUTS,
    PROVENANCE_BUILDER,
    PROVENANCE_TIME,
    PROVENANCE_PRODUCTS,
    SBOM,
    SBOM_COMPONENTS,
    SMOKE,
];

/// The claims about what is public under the release's names.
pub const OF_NAMES: [&str; 7] =
    [TAG_IMAGE, TAG_GIT, PAGE_STATE, PAGE_IMAGE, PAGE_COMMANDS, PAGE_ASSETS, LATEST];

/// The claims about the tagged commit, which are judged from a clone.
pub const OF_SOURCE: [&str; 2] = [SOURCE_BRANCH, TAG_SIGNED];

/// The claims about the key that verifies the signatures, which are judged from a clone.
pub const OF_KEYS: [&str; 2] = [KEY_HISTORY, KEY_CONTINUITY];

/// The object of a claim about an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// The image itself, and everything that belongs to none of the others.
    Image,
    /// Its signatures.
    Signature,
    /// Its provenance, and the test result, which repeats a part of it.
    Provenance,
    /// Its SBOM.
    Sbom,
}

/// The object of the claim `id`.
#[must_use]
pub fn about(id: &str) -> About {
    match id.split('.').next() {
        Some(SIGNATURE) => About::Signature,
        Some(PROVENANCE | SMOKE) => About::Provenance,
        Some(SBOM) => About::Sbom,
        _ => About::Image,
    }
}

#[cfg(test)]
mod tests {
    use super::{About, OF_IMAGE, OF_NAMES, about};

    #[test]
    fn each_claim_is_about_one_thing() {
        let count = |what| OF_IMAGE.iter().filter(|id| about(id) == what).count();
        let counts = [About::Image, About::Signature, About::Provenance, About::Sbom].map(count);
        assert_eq!(counts, [7, 2, 8, 2]);
        assert!(OF_NAMES.iter().all(|id| about(id) == About::Image));
    }
}
