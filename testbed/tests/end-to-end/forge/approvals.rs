//! If main requires two signers, a release needs a second person's tag, `approved/v0.1.0`. Pushing that tag starts
//! nothing.

use anyhow::{Context as _, Result};
use testbed::forge_client::State;

use super::project::Project;
use super::signed_tags::{new_signer, sign};
use crate::harness::run::{Finished, Xtask};
use crate::harness::test;

const TAG: &str = "v0.1.0";
const APPROVAL: &str = "approved/v0.1.0";

/// Makes the configuration in the work tree require two signers.
pub(super) fn require_two(project: &Project) -> Result<()> {
    let (from, more) = ("branches = [\"main\"]", "\ntags = \"signed\"\ntag-signers = 2");
    project.checkout.replace("Cargo.toml", from, &format!("{from}{more}"))
}

#[test]
fn a_release_that_needs_two_signers_is_refused_with_only_one() -> Result<()> {
    test(|| {
        let project = Project::new()?;
        require_two(&project)?;
        let mut allowed = new_signer(&project, "alice")? + &new_signer(&project, "bob")?;
        allowed += &new_signer(&project, "alice-2")?.replacen("alice-2@", "alice@", 1);
        project.checkout.write("keys/allowed_signers", &allowed)?;
        project.checkout.commit("release: two signers")?;
        let project = project.pushed()?;
        let release = ["release", TAG];
        let push = || project.repository.push(project.checkout.top(), &["--force", "--tags"]);

        sign(&project, "alice", TAG)?;
        push()?;
        let command = "git push --force origin approved/v0.1.0`; then run this release again";
        project.refused(&release, &["there is no such tag here", command])?;
        sign(&project, "alice", APPROVAL)?;
        push()?;
        project.refused(&release, &["is not signed by a second person", "its key SHA256:"])?;
        sign(&project, "alice-2", APPROVAL)?;
        push()?;
        project.refused(&release, &["`alice@example.org` signed `v0.1.0` as well, with another key"])?;

        // Signed in this clone, but not yet on the forge.
        sign(&project, "bob", APPROVAL)?;
        project.refused(
            &release,
            &["`approved/v0.1.0` is signed here", "it is another tag at the same commit"],
        )?;
        push()?;
        project.laptop(&release).run()?.success()?;

        let url = project.repository.url();
        let verify = || Xtask::new(&project.checkout, &["verify", TAG, "--source", &url]).run();
        let verified = verify()?.success()?.stdout;
        for words in [
            "signed by `alice@example.org` with the key SHA256:",
            ", and approved by `bob@example.org` with the key SHA256:",
        ] {
            assert!(verified.contains(words), "{verified}");
        }
        project.repository.push(project.checkout.top(), &[&format!(":refs/tags/{APPROVAL}")])?;
        let Finished { code, stdout, .. } = verify()?;
        assert!(code == 1 && stdout.contains("FALSE  tag.signed"), "{code}: {stdout}");
        Ok(())
    })
}

#[test]
fn an_approval_starts_no_workflow() -> Result<()> {
    test(|| {
        const WORKFLOW: &str = ".forgejo/workflows/release.yml";
        let project = Project::new()?;
        let workflow = std::fs::read_to_string(project.checkout.top().join(WORKFLOW))?;
        let (trigger, _) = workflow.split_once("\njobs:\n").context("the workflow has no jobs")?;
        let nothing = "jobs:\n  release:\n    runs-on: docker\n    steps:\n      - run: 'true'\n";
        project.checkout.write(WORKFLOW, &format!("{trigger}\n{nothing}"))?;
        project.checkout.commit("ci: the same trigger, and nothing to do")?;
        project.push_main()?;
        project.switch_workflows_on()?;
        project.push_tag(APPROVAL)?;
        project.push_tag(TAG)?;
        let (run, log) = project.wait_for_run(TAG)?;
        assert_eq!(run.state, State::Success, "{log}");
        let started: Vec<_> = project.repository.runs()?.into_iter().map(|run| run.reference).collect();
        assert_eq!(started, [TAG]);
        Ok(())
    })
}
