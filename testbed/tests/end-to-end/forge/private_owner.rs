//! An image that nobody can read anonymously. It is released only if the configuration says that it is private, and
//! verified only with `--login`.
use xtask::http::Method;

use anyhow::{Result, ensure};
use serde_json::json;
use testbed::forge_client::{Client, State};

use super::project::Project;
use crate::harness::{environment, test};

const TAG: &str = "v0.1.0";

/// A claim could not be checked.
const UNCHECKED: i32 = 4;

/// Nothing public was changed.
const REFUSED: i32 = 3;

/// Hides the project's owner, and with it everything that the owner has.
fn hide(project: &Project) -> Result<()> {
    let name = project.user.name();
    let body = json!({ "login_name": name, "source_id": 0, "visibility": "private" });
    let admin = Client::from_environment(&environment())?;
    let response = admin.api(Method::Patch, &format!("/admin/users/{name}"), Some(&body))?;
    ensure!(response.status == 200, response.unexpected());
    Ok(())
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn a_private_image_is_released_only_if_configured_and_verified_with_a_login() -> Result<()> {
    test(|| {
        let project = Project::ready()?;
        hide(&project)?;
        project.push_tag("v0.0.1")?;
        let words = ["cannot be read without a login", "`visibility = \"private\"`"];
        let refused = project.laptop(&["release", "v0.0.1"]).run()?;
        ensure!(refused.code == REFUSED, "exit code {}:\n{}", refused.code, refused.stderr);
        ensure!(words.iter().all(|word| refused.stderr.contains(word)), "{}", refused.stderr);

        project.checkout.replace("Cargo.toml", "\ntitle = ", "\nvisibility = \"private\"\ntitle = ")?;
        project.checkout.git(&["commit", "--quiet", "--all", "--message", "the image is private"])?;
        project.push_main()?;
        project.set_status(&project.head()?, State::Success)?;
        project.push_tag(TAG)?;
        let released = project.laptop(&["release", TAG]).run()?.success()?;
        ensure!(released.stderr.contains("cannot be read anonymously"), "{}", released.stderr);

        // All secrets are set, and none of them is used.
        let run = project.laptop(&["verify", TAG]).run()?;
        ensure!(run.code == UNCHECKED, "exit code {}:\n{}{}", run.code, run.stdout, run.stderr);
        ensure!(run.stdout.contains("add `--login`"), "{}", run.stdout);
        ensure!(!run.stdout.contains("FALSE"), "{}", run.stdout);

        project.laptop(&["verify", TAG, "--login"]).run()?.success()?;
        Ok(())
    })
}
