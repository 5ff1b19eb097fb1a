//! A pushed tag is all that a verified release needs. A tag that must not be released turns its run red.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use testbed::forge_client::State;

use super::project::Project;
use super::released::{Released, TAG, released};
use super::snapshot::Snapshot;
use super::{image, page};
use crate::evidence;
use crate::harness::test;

/// The lock on the engine's copies of the image. One test pulls what the other removes.
static COPIES: Mutex<()> = Mutex::new(());

#[test]
fn a_pushed_tag_becomes_a_release() -> Result<()> {
    test(|| {
        let Released { project, after, .. } = released()?;
        assert_eq!(after.image_tags(), ["latest", TAG], "no candidate is left");
        assert_eq!(after.tags["latest"], after.tags[TAG]);
        let page = after.page(TAG)?;
        assert!(!page.draft && !page.prerelease);
        assert!(page.body.starts_with("## Changes\n\nThe first release.\n\n## Image\n"), "{}", page.body);
        assert_eq!(project.latest_page()?, TAG);
        Ok(())
    })
}

#[test]
fn the_commands_of_the_page_work_unchanged_with_both_major_versions_of_cosign() -> Result<()> {
    test(|| {
        let commands = page::commands(&released()?.after.page(TAG)?.body)?;
        let programs: Vec<_> = commands.iter().filter_map(|line| line.split(' ').next()).collect();
        let expected = ["docker", "curl", "cosign", "cosign", "cosign", "curl", "cosign", "sha256sum"];
        assert_eq!(programs, expected, "{commands:#?}");
        let _copies = COPIES.lock().unwrap_or_else(PoisonError::into_inner);
        page::paste(&commands, "TESTBED_COSIGN_2")?;
        page::paste(&commands, "TESTBED_COSIGN_3")
    })
}

#[test]
fn the_image_is_pulled_by_tag_and_answers() -> Result<()> {
    test(|| {
        let project = &released()?.project;
        let _copies = COPIES.lock().unwrap_or_else(PoisonError::into_inner);
        image::forget(project)?;
        image::try_out(&project.image(TAG)?, "0.1.0", &project.head()?)
    })
}

#[test]
fn every_claim_of_the_release_holds() -> Result<()> {
    test(|| {
        let project = &released()?.project;
        // Without secrets, as anyone with a clone can.
        let verify = crate::harness::run::Xtask::new(&project.checkout, &["verify", TAG]).run()?.success()?;
        let (_, claims) = verify.stdout.split_once("\n\n").context("verify lists no claims")?;
        ensure!(claims.lines().count() > 10, "too few claims:\n{claims}");
        // The clone was not made from the forge, so it cannot tell what is merged there.
        let other: Vec<_> = claims.lines().filter(|line| !line.starts_with("ok ")).collect();
        ensure!(other == ["-      not asked            source.branch"], "{other:#?}");
        Ok(())
    })
}

#[test]
fn the_provenance_names_the_workflow_and_its_run() -> Result<()> {
    test(|| {
        let Released { project, run, again: (again, _), .. } = released()?;
        let provenance = evidence::provenance(&project.checkout, again)?;
        let url = project.repository.url();
        let workflow =
            json!({ "ref": "refs/tags/v0.1.0", "repository": url, "path": ".forgejo/workflows/release.yml" });
        let definition = &provenance["buildDefinition"];
        assert_eq!(definition["externalParameters"]["workflow"], workflow, "{provenance:#}");
        let invocation = provenance["runDetails"]["metadata"]["invocationId"].as_str().unwrap_or_default();
        assert_eq!(invocation, format!("{url}/actions/runs/{}/attempts/1", run.number));
        Ok(())
    })
}

#[test]
fn a_second_release_from_a_laptop_changes_nothing_and_says_so() -> Result<()> {
    test(|| {
        let Released { after, again: (again, since), .. } = released()?;
        assert!(
            again.stdout.starts_with("finished before, nothing was changed: v0.1.0 at "),
            "{}",
            again.stdout
        );
        assert_eq!(since, after);
        assert_eq!(again.digest()?.as_str(), after.tags[TAG]);
        Ok(())
    })
}

#[test]
fn an_out_of_sync_lockfile_turns_the_run_red_and_publishes_nothing() -> Result<()> {
    test(|| {
        let project = Project::new()?;
        let (from, to) = ("\"dependencies\": {", "\"dependencies\": {\"left-pad\": \"1.3.0\",");
        project.checkout.replace("service/package.json", from, to)?;
        project.checkout.commit("feat: a dependency that the lockfile does not have")?;
        project.push_main()?;
        project.set_status(&project.head()?, State::Success)?;
        project.switch_workflows_on()?;
        project.push_tag(TAG)?;
        let (run, log) = project.wait_for_run(TAG)?;
        assert_eq!(run.state, State::Failure, "{log}");
        for words in ["out of sync", "left-pad", "`npm install --package-lock-only`"] {
            assert!(log.contains(words), "the log does not say `{words}`:\n{log}");
        }
        Snapshot::of(&project)?.ensure_empty()
    })
}
