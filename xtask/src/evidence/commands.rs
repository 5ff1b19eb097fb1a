//! The commands with which anyone can check an image, as the page prints them and the release itself runs them.

use crate::evidence::assets::{SIGNATURE, SUMS};
use crate::evidence::attached::TEST_RESULT_PREDICATE;
use crate::inputs::release::Release;
use crate::oci::reference::Digest;
use crate::tool::cosign::{SBOM_TYPE, VerifyCommand};

/// The commands for the signature, the provenance and the SBOM of `digest`, in this order.
#[must_use]
pub fn verify_commands(release: &Release<'_>, digest: &Digest) -> [VerifyCommand; 3] {
    let (key, image) = (release.key_name, release.image);
    [
        VerifyCommand::signature(key, release.source.tag.version(), image, &[digest]),
        VerifyCommand::attestation(key, "slsaprovenance1", image, digest),
        VerifyCommand::attestation(key, SBOM_TYPE, image, digest),
    ]
}

/// The command for the test result of `digest`. A page does not print it, because the provenance also says how the
/// image was tested.
#[must_use]
pub fn test_result_command(release: &Release<'_>, digest: &Digest) -> VerifyCommand {
    VerifyCommand::attestation(release.key_name, TEST_RESULT_PREDICATE, release.image, digest)
}

/// The command for the signature over the digests of the page's files.
#[must_use]
pub fn sums_command(release: &Release<'_>) -> VerifyCommand {
    VerifyCommand::blob(release.key_name, SIGNATURE, SUMS)
}
