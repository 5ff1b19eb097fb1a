//! What a commit says about its own release counts only if the forge's default branch says the same.

use anyhow::Result;

use super::project::Project;
use crate::harness::checkout::Checkout;
use crate::harness::test;

#[test]
fn a_branch_that_allows_itself_is_refused_until_main_allows_it() -> Result<()> {
    test(|| {
        let project = Project::ready()?;
        let main = project.head()?;
        let evil = "branches = [\"evil\"]\nci-status = \"off\"";
        project.checkout.replace("Cargo.toml", "branches = [\"main\"]", evil)?;
        project.checkout.commit("chore: nobody has read this")?;
        project.repository.push(project.checkout.top(), &["HEAD:refs/heads/evil"])?;
        project.push_tag("v0.1.0")?;
        let release = ["release", "v0.1.0"];
        let branches = |head: &str| {
            format!(
                "`branches` is `[\"evil\"]` in the tagged commit, and `[\"main\"]` at {head}, the head of the"
            )
        };
        let words = [&branches(&main), "`ci-status` is `\"off\"`", "change it on `main` first"];
        project.refused(&release, &words)?;

        // Another person's commit on main, which this clone does not have, is read from the forge.
        let other = Checkout::of(&project.repository.url())?;
        other.write("CHANGES", "somebody else's\n")?;
        other.commit("chore: somebody else's")?;
        project.repository.push(other.top(), &["HEAD:refs/heads/main"])?;
        project.refused(&release, &[&branches(&other.git(&["rev-parse", "HEAD"])?)])?;

        // Once it is merged, main says the same, so the release is allowed.
        project.checkout.git(&["fetch", "--quiet", &project.repository.url(), "main"])?;
        project.checkout.git(&["merge", "--quiet", "--no-edit", "FETCH_HEAD"])?;
        project.push_main()?;
        project.laptop(&release).run()?.success()?;
        Ok(())
    })
}
