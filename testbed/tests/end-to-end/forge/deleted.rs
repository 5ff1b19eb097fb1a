//! A git tag that somebody deletes to stop a release while its files are uploaded.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, ensure};
use testbed::proxy::Fault;

use super::project::Project;
use crate::harness::{test, wait_for};

const TAG: &str = "v0.1.0";
const FAILED: i32 = 1;

#[test]
fn a_deleted_git_tag_is_not_created_again_and_its_draft_shows_no_commands() -> Result<()> {
    test(|| {
        let project = Project::new()?;
        let proxy = project.go_by_proxy()?;
        project.push_tagged(TAG)?;

        let (repository, top) = (project.repository.clone(), project.checkout.top().to_owned());
        let is_deleted = AtomicBool::new(false);
        proxy.set_rule(move |request| {
            let uploads = request.method == "POST" && request.path.contains("/assets");
            if uploads && !is_deleted.swap(true, Ordering::SeqCst) {
                repository.push(&top, &[&format!(":refs/tags/{TAG}")]).expect("the tag is deleted");
            }
            Fault::Pass
        });
        let run = project.laptop(&["release", TAG]).run()?;
        ensure!(run.code == FAILED, "exit code {}:\n{}", run.code, run.stderr);
        for said in ["the page stays a draft", "is not on the forge", "the version tag is public"] {
            ensure!(run.stderr.contains(said), "it does not say `{said}`:\n{}", run.stderr);
        }
        let page = || project.repository.release(TAG)?.context("there is no draft");
        ensure!(page()?.draft, "the page is public");
        proxy.pass();

        // Pushing the tag again makes the forge show the draft.
        project.push_tags()?;
        wait_for("the page to follow its tag", || Ok((!page()?.draft).then_some(())))?;
        let body = page()?.body;
        ensure!(body.contains("not complete yet") && !body.contains("cosign"), "the page says:\n{body}");

        project.laptop(&["release", TAG]).run()?.success()?;
        let body = page()?.body;
        ensure!(
            !body.contains("not complete yet") && body.contains("cosign verify"),
            "the page says:\n{body}"
        );
        project.clean_up()
    })
}
