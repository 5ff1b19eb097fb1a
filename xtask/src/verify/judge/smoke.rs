//! The claim that a test result is attested, and agrees with the provenance and the commit.

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::evidence::attached::TEST_RESULT_PREDICATE;
use crate::evidence::attestation::Attestation;
use crate::evidence::claims;
use crate::evidence::provenance::{BuildType, Provenance, SMOKE, Smoked};
use crate::evidence::test_result;
use crate::inputs::release::Release;
use crate::oci::reference::Digest;
use crate::verify::claim::{Claim, Observed, Unavailable};
use crate::verify::observe::{Answer, ObservedImage};

use super::image::attested;

/// Judges the test result; `None` if the provenance's build type has none. `about` checks that an attestation is about
/// the right subjects.
pub(super) fn judge(
    release: &Release<'_>,
    seen: &ObservedImage,
    digest: &Digest,
    build_type: Option<BuildType>,
    provenance: &Observed<Value>,
    about: &dyn Fn(&Attestation) -> Result<()>,
) -> Option<Claim> {
    if build_type.is_some_and(|build_type| !build_type.has_test_result()) {
        return None;
    }
    // Only the provenance says whether there has to be one.
    if build_type.is_none() && matches!(seen.test_result, Ok(Answer::Rejected(_))) {
        return Some(Claim::unavailable(claims::SMOKE, &Unavailable::DependsOn(claims::PROVENANCE)));
    }
    let (claim, found) = attested(claims::SMOKE, &seen.test_result, TEST_RESULT_PREDICATE, digest, about);
    let Ok(found) = found else { return Some(claim) };
    let said = provenance.as_ref().map_err(Clone::clone).and_then(|predicate| {
        smoked(release, predicate).ok_or(Unavailable::DependsOn(claims::PROVENANCE_FORM))
    });
    Some(Claim::judge(claims::SMOKE, &said, |smoked| {
        let expected = test_result::predicate(release, smoked)?;
        ensure!(found == expected, "it is {found}: expected {expected}, by the provenance and the commit");
        Ok(format!("exactly one by the key, of this digest; {}", smoked.sentences()))
    }))
}

/// The provenance's own record of the test; `None` if it has none that can be read.
fn smoked(release: &Release<'_>, provenance: &Value) -> Option<Smoked> {
    let read = Provenance::read(provenance).ok()?;
    read.build_definition.internal_parameters.get(SMOKE)?;
    read.smoked(&release.platforms()).ok()
}
