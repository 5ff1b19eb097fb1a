//! Whether the attestations of an image are still those of the run that made it.

use anyhow::{Result, bail, ensure};
use serde_json::Value;

use super::image::accepted;
use crate::evidence::attached::{Attestations, PROVENANCE_PREDICATE, SBOM_PREDICATE, TEST_RESULT_PREDICATE};
use crate::evidence::statement::only_predicate;
use crate::oci::reference::Digest;
use crate::verify::claim::Observed;
use crate::verify::observe::{Answer, ObservedImage};

/// Whether the attestations are the ones that were just made. Another run of the same release may have replaced them
/// with its own. The provenance then names that run. It was judged as ours would be, and so was the test result,
/// which differs if that run's machine can run other platforms.
pub(in crate::verify) fn check_unchanged(
    seen: &ObservedImage,
    digest: &Digest,
    made: &Attestations,
) -> Result<()> {
    let predicate = |seen: &Observed<Answer>, predicate_type: &str| match seen {
        Ok(answer) => only_predicate(accepted(answer)?, predicate_type, digest),
        Err(unseen) => bail!("{unseen}"),
    };
    let sbom = predicate(&seen.sbom, SBOM_PREDICATE)?;
    ensure!(sbom == serde_json::from_slice::<Value>(&made.sbom)?, "the SBOM came back changed");
    let provenance = predicate(&seen.provenance, PROVENANCE_PREDICATE)?;
    let test_result = predicate(&seen.test_result, TEST_RESULT_PREDICATE)?;
    check_stated(
        [&provenance, &test_result],
        [&serde_json::from_slice(&made.provenance)?, &serde_json::from_slice(&made.test_result)?],
    )
}

/// Compares the provenance and the test result that were found with those that were made.
fn check_stated(found: [&Value; 2], made: [&Value; 2]) -> Result<()> {
    let run = |[provenance, _]: [&Value; 2]| provenance["runDetails"]["metadata"]["invocationId"].clone();
    if run(found) != run(made) {
        return Ok(());
    }
    ensure!(found[0] == made[0], "the provenance came back changed");
    ensure!(found[1] == made[1], "the test result came back changed");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_stated;
    use serde_json::json;

    #[test]
    fn attestations_come_back_unchanged_unless_they_are_of_another_run() {
        let provenance = |run: &str, finished: &str| json!({"runDetails": {"metadata": {"invocationId": run, "finishedOn": finished}}});
        let (one, other) = (json!({"result": "PASSED"}), json!({"result": "PASSED", "configuration": []}));
        let ours = provenance("urn:1", "2026-11-23T18:09:00Z");
        for (run, finished, test_result, is_fine) in [
            ("urn:1", "2026-11-23T18:09:00Z", &one, true),
            ("urn:1", "2026-11-23T18:10:00Z", &one, false),
            ("urn:1", "2026-11-23T18:09:00Z", &other, false),
            ("urn:2", "2026-11-23T18:10:00Z", &one, true),
            ("urn:2", "2026-11-23T18:10:00Z", &other, true),
        ] {
            let found = provenance(run, finished);
            let checked = check_stated([&found, test_result], [&ours, &one]);
            assert_eq!(checked.is_ok(), is_fine, "{run} {finished} {test_result}");
        }
    }
}
