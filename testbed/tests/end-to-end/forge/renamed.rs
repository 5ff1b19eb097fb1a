//! A release that was made before its owner was renamed. The forge and its registry redirect the old name to the new
//! one.

use anyhow::{Result, ensure};
use serde_json::json;
use testbed::forge_client::Client;
use xtask::http::Method;

use super::project::Project;
use crate::harness::{environment, test};

const TAG: &str = "v0.1.0";

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn a_release_from_before_its_owner_was_renamed_still_verifies() -> Result<()> {
    test(|| {
        let project = Project::ready()?;
        project.push_tag(TAG)?;
        project.laptop(&["release", TAG]).run()?.success()?;
        let old = project.user.name();
        let new = format!("{old}-now");
        let admin = Client::from_environment(&environment())?;
        let body = json!({ "new_username": new });
        let response = admin.api(Method::Post, &format!("/admin/users/{old}/rename"), Some(&body))?;
        ensure!(response.status == 204, response.unexpected());

        // First anonymously, and then with a login, which is for the old name.
        for login in [&[][..], &["--login"]] {
            project.laptop(&[&["verify", TAG], login].concat()).run()?.success()?;
        }
        Ok(())
    })
}
