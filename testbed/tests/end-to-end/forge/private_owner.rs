//! What nobody may read anonymously: it is released with the login, which is said, and verified with `--login` alone.

use anyhow::{Result, ensure};
use serde_json::json;
use testbed::forge_client::Client;

use super::project::Project;
use crate::harness::{environment, test};

const TAG: &str = "v0.1.0";

/// A claim could not be checked.
const UNCHECKED: i32 = 4;

/// Hides the project's owner, and with it all that belongs to it.
fn hide(project: &Project) -> Result<()> {
    let name = project.user.name();
    let body = json!({ "login_name": name, "source_id": 0, "visibility": "private" });
    let admin = Client::from_environment(&environment())?;
    let response = admin.api("PATCH", &format!("/admin/users/{name}"), Some(&body))?;
    ensure!(response.status == 200, response.unexpected());
    Ok(())
}

#[test]
fn a_private_owners_release_is_made_and_verified_with_a_login() -> Result<()> {
    test(|| {
        let project = Project::ready()?;
        hide(&project)?;
        project.push_tag(TAG)?;
        let released = project.laptop(&["release", TAG]).run()?.success()?;
        ensure!(released.stderr.contains("cannot be read anonymously"), "{}", released.stderr);

        // All the secrets are there, and none is used.
        let run = project.laptop(&["verify", TAG]).run()?;
        ensure!(run.code == UNCHECKED, "exit code {}:\n{}{}", run.code, run.stdout, run.stderr);
        ensure!(run.stdout.contains("add `--login`"), "{}", run.stdout);
        ensure!(!run.stdout.contains("FALSE"), "{}", run.stdout);

        project.laptop(&["verify", TAG, "--login"]).run()?.success()?;
        Ok(())
    })
}
