//! What a commit says of its own release counts only where the forge's default branch says the same.

use anyhow::Result;
use testbed::forge_client::State;

use super::project::Project;
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
        let branches = format!(
            "`branches` is `[\"evil\"]` in the tagged commit, and `[\"main\"]` at {main}, the head of the forge's default \
             branch `main`"
        );
        let words = [&branches, "`ci-status` is `\"off\"`", "change it on `main` first"];
        project.refused(&["release", "v0.1.0"], &words)?;

        // Merged, it is main's own word, whatever it is worth.
        project.push_main()?;
        project.set_status(&project.head()?, State::Success)?;
        project.laptop(&["release", "v0.1.0"]).run()?.success()?;
        Ok(())
    })
}
