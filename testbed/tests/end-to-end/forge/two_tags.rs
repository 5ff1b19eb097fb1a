//! Two tags in one push.

use anyhow::{Result, ensure};
use testbed::forge_client::State;

use super::project::Project;
use super::releasing::WORKFLOW;
use super::snapshot::Snapshot;
use crate::harness::test;

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn two_tags_in_one_push_are_both_released_and_latest_is_the_higher_one() -> Result<()> {
    test(|| {
        let project = Project::new()?;
        project.tag("v0.3.0")?;
        let lower = project.head()?;
        let higher = project.commit("fix: what v0.3.0 forgot")?;
        project.tag("v0.3.1")?;
        project.push_main()?;
        for commit in [&lower, &higher] {
            project.set_status(commit, State::Success)?;
        }
        project.switch_workflows_on()?;
        let watcher = project.watch()?;
        project.push_tags()?;
        // They may run in any order, or side by side.
        for tag in ["v0.3.0", "v0.3.1"] {
            project.wait_for_green_run(tag)?;
        }
        watcher.finish(&["v0.3.0", "v0.3.1"])?;
        let runs = project.repository.runs()?;
        ensure!(runs.len() == 2 && runs.iter().all(|run| run.workflow == WORKFLOW), "{runs:?}");

        let after = Snapshot::of(&project)?;
        assert_eq!(after.image_tags(), ["latest", "v0.3.0", "v0.3.1"]);
        assert_eq!(after.tags["latest"], after.tags["v0.3.1"]);
        assert_ne!(after.tags["v0.3.0"], after.tags["v0.3.1"]);
        assert_eq!(project.latest_page()?, "v0.3.1");
        for (tag, commit) in [("v0.3.0", &lower), ("v0.3.1", &higher)] {
            assert!(after.page(tag)?.body.contains(commit), "the page of {tag} does not name {commit}");
        }
        Ok(())
    })
}
