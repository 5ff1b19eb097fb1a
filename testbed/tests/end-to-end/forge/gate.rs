//! Only a commit that the forge shows as green is released.

use anyhow::Result;
use testbed::forge_client::State;

use super::project::Project;
use super::snapshot::Snapshot;
use crate::harness::test;

#[test]
fn a_commit_without_a_green_state_is_refused_until_it_has_one() -> Result<()> {
    test(|| {
        let project = Project::new()?;
        project.push_main()?;
        project.push_tag("v0.1.0")?;
        let head = project.head()?;
        let release = ["release", "v0.1.0"];
        project.refused(&release, &["the forge has no status for the commit", "`ci-status = \"off\"`"])?;
        project.set_status(&head, State::Waiting)?;
        project.refused(&release, &["`ci / ci (push)` is pending", "wait for it or mend it"])?;
        project.set_status(&head, State::Failure)?;
        project.refused(&release, &["`ci / ci (push)` is failure", "wait for it or mend it"])?;
        // One that is green beside one that is not changes nothing.
        project.repository.set_status(&head, "lint", State::Success)?;
        project.refused(&release, &["`ci / ci (push)` is failure"])?;
        Snapshot::of(&project)?.ensure_empty()?;

        project.set_status(&head, State::Success)?;
        project.laptop(&release).run()?.success()?;
        assert_eq!(Snapshot::of(&project)?.image_tags(), ["latest", "v0.1.0"]);
        Ok(())
    })
}
