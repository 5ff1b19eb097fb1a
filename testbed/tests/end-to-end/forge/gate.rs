//! Only a commit that the forge shows as green is released.

use anyhow::Result;
use testbed::forge_client::State;

use super::project::Project;
use super::snapshot::Snapshot;
use crate::harness::test;

#[test]
fn a_commit_is_refused_until_its_status_on_the_forge_is_green() -> Result<()> {
    test(|| {
        let project = Project::new()?;
        project.push_main()?;
        project.push_tag("v0.1.0")?;
        let head = project.head()?;
        let release = ["release", "v0.1.0"];
        project.refused(&release, &["the forge has no status for the commit", "`ci-status = \"off\"`"])?;
        project.set_status(&head, State::Failure)?;
        project.refused(
            &release,
            &["`ci / ci (push)` is failure", "run that again on the forge, then the release"],
        )?;
        // A second status that is green does not outweigh the red one.
        project.repository.set_status(&head, "lint", State::Success)?;
        project.refused(&release, &["`ci / ci (push)` is failure"])?;
        Snapshot::of(&project)?.ensure_empty()?;

        // A red status is found even if there are more statuses than fit on a page: it is the oldest, so it is on
        // the last page.
        for number in 0..31 {
            project.repository.set_status(&head, &format!("job {number}"), State::Success)?;
        }
        project.refused(&release, &["`ci / ci (push)` is failure"])?;

        // A pending status is waited for.
        project.set_status(&head, State::Waiting)?;
        let mut waiting = project.laptop(&release).start()?;
        waiting.until("it waits", |run| {
            Ok(run.said()?.contains("waiting for `ci / ci (push)`").then_some(()))
        })?;
        project.set_status(&head, State::Success)?;
        waiting.wait()?.success()?;
        assert_eq!(Snapshot::of(&project)?.image_tags(), ["latest", "v0.1.0"]);
        Ok(())
    })
}
