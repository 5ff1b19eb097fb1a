//! The claim that a test result is attested, and says of the image what its provenance and its commit say.

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::evidence::attached::TEST_RESULT_PREDICATE;
use crate::evidence::attestation::Attestation;
use crate::evidence::claims;
use crate::evidence::provenance::{BuildType, Provenance, SMOKE, Smoked};
use crate::evidence::test_result;
use crate::inputs::release::Release;
use crate::oci::reference::Digest;
use crate::verify::claim::{Claim, Seen, Unseen};
use crate::verify::observe::{Answer, ImageSeen};

use super::image::attested;

/// Judges it; `None` beside a provenance of a build type that knows of no test result. `about` says whether an attestation is about
/// what it has to be about.
pub(super) fn judge(
    release: &Release<'_>,
    seen: &ImageSeen,
    digest: &Digest,
    build_type: Option<BuildType>,
    provenance: &Seen<Value>,
    about: &dyn Fn(&Attestation) -> Result<()>,
) -> Option<Claim> {
    if build_type.is_some_and(|build_type| !build_type.has_test_result()) {
        return None;
    }
    // Whether there has to be one, only the provenance says.
    if build_type.is_none() && matches!(seen.test_result, Ok(Answer::Rejected(_))) {
        return Some(Claim::unseen(claims::SMOKE, &Unseen::Follows(claims::PROVENANCE)));
    }
    let (claim, found) = attested(claims::SMOKE, &seen.test_result, TEST_RESULT_PREDICATE, digest, about);
    let Ok(found) = found else { return Some(claim) };
    let said = provenance
        .as_ref()
        .map_err(Clone::clone)
        .and_then(|predicate| smoked(release, predicate).ok_or(Unseen::Follows(claims::PROVENANCE_FORM)));
    Some(Claim::judge(claims::SMOKE, &said, |smoked| {
        let expected = test_result::predicate(release, smoked)?;
        ensure!(found == expected, "it is {found}: expected {expected}, by the provenance and the commit");
        Ok(format!("exactly one by the key, of this digest; {}", smoked.sentences()))
    }))
}

/// What the provenance says of it; nothing where it is not of the form that says so.
fn smoked(release: &Release<'_>, provenance: &Value) -> Option<Smoked> {
    let read = Provenance::read(provenance).ok()?;
    read.build_definition.internal_parameters.get(SMOKE)?;
    read.smoked(&release.platforms()).ok()
}
