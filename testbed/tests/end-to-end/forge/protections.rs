//! `doctor` names the protections that the forge lacks. The commands that it prints create them, and so does
//! `doctor --fix`.
use xtask::http::Method;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use testbed::forge_client::Client;

use super::approvals::require_two;
use super::project::Project;
use crate::harness::path::without_cosign;
use crate::harness::{call, environment, test};

/// The command that `doctor` prints for a missing rule of that kind.
fn printed<'a>(stdout: &'a str, kind: &str) -> Result<&'a str> {
    let line = stdout.lines().find(|line| line.starts_with("problem  protections") && line.contains(kind));
    let line = line.with_context(|| format!("no problem with `{kind}`:\n{stdout}"))?;
    let start = line.find("`printf ").context("the problem has no command")? + 1;
    let length = line[start..].find('`').context("the command has no end")?;
    Ok(&line[start..start + length])
}

#[test]
fn the_commands_that_doctor_prints_protect_tags_and_branches() -> Result<()> {
    test(|| {
        let project = Project::ready()?;
        let found = project.laptop(&["doctor"]).run()?.stdout;
        for kind in ["tag_protections", "branch_protections"] {
            let command = printed(&found, kind)?.replace("NAME", project.user.name());
            let token = &project.secrets.forge_token;
            call("sh", &["-c", &command])?.secret_env("FORGEJO_TOKEN", token).run()?;
        }
        let found = project.laptop(&["doctor"]).run()?.stdout;
        for line in [
            "ok       protections  tags by `v*`, `main` by `main`",
            "ok       docker       the builder fetches only what a source policy allows",
            "ok       base image   each exists for every platform",
            "ok       build secrets none configured",
            "ok       signing key  belongs to `cosign.pub`",
            &format!("ok       registry     accepts pushes to `{}`", project.repository.image()),
        ] {
            ensure!(found.contains(line), "no `{line}` in:\n{found}");
        }
        let path = without_cosign(&project.checkout.beside("bin"))?;
        let without = project.laptop(&["doctor"]).env("PATH", path).run()?.stdout;
        ensure!(without.contains("?        signing key  not looked at"), "{without}");
        let writers =
            format!("everybody among `{}` who may push a branch can read the secrets", project.user.name());
        ensure!(found.contains(&writers), "no `{writers}` in:\n{found}");
        let nobody = project.laptop(&["doctor"]).env("FORGEJO_TOKEN", "").run()?.stdout;
        ensure!(nobody.contains("?        protections  not asked"), "{nobody}");
        Ok(())
    })
}

#[test]
fn doctor_fix_creates_the_missing_rules_and_no_others() -> Result<()> {
    test(|| {
        let project = Project::ready()?;
        let name = project.user.name();
        let nobody = project.laptop(&["doctor", "--fix", name]).env("FORGEJO_TOKEN", "").run()?;
        let words = "the forge did not list its protection rules, so none was created";
        ensure!(nobody.code == 3 && nobody.stderr.contains(words), "{}", nobody.last_words());
        let fixed = project.laptop(&["doctor", "--fix", name]).run()?.stdout;
        for line in [
            "made     protections  tags `v*`: only the named maintainers may push them",
            "made     protections  branch `main`: nobody may push to it, changes are merged",
            "ok       protections  tags by `v*`, `main` by `main`",
        ] {
            ensure!(fixed.contains(line), "no `{line}`:\n{fixed}");
        }
        let again = project.laptop(&["doctor", "--fix", name]).run()?.stdout;
        ensure!(!again.contains("made "), "{again}");
        Ok(())
    })
}

#[test]
fn a_rule_for_any_tag_covers_approvals() -> Result<()> {
    test(|| {
        let project = Project::ready()?;
        require_two(&project)?;
        let client = Client::from_environment(&environment())?;
        let path = format!("/repos/{}/tag_protections", project.repository.full_name());
        let rule = json!({ "name_pattern": "*", "whitelist_usernames": [client.new_user("e2e")?.name()] });
        let made = client.api(Method::Post, &path, Some(&rule))?;
        ensure!(made.status == 201, made.unexpected());
        let found = project.laptop(&["doctor", "--fix", project.user.name()]).run()?.stdout;
        ensure!(
            found.contains("tags by `*`, approvals by `*`") && !found.contains("made     protections  tags"),
            "{found}"
        );
        let pushed = project.repository.push(project.checkout.top(), &["HEAD:refs/tags/approved/v0.1.0"]);
        ensure!(pushed.is_err(), "the owner, who is not named, has pushed an approval");
        Ok(())
    })
}

#[test]
fn after_doctor_fix_an_owner_who_is_not_named_cannot_push_approvals() -> Result<()> {
    test(|| {
        let project = Project::ready()?;
        require_two(&project)?;
        let other = Client::from_environment(&environment())?.new_user("e2e")?;
        let fixed = project.laptop(&["doctor", "--fix", other.name()]).run()?.stdout;
        for line in [
            "made     protections  tags `approved/*`: only the named maintainers may push them",
            "ok       protections  tags by `v*`, approvals by `approved/*`, `main` by `main`",
        ] {
            ensure!(fixed.contains(line), "no `{line}`:\n{fixed}");
        }
        let push =
            |tag: &str| project.repository.push(project.checkout.top(), &[&format!("HEAD:refs/tags/{tag}")]);
        push("other/v0.1.0")?;
        ensure!(push("approved/v0.1.0").is_err(), "the owner, who is not named, has pushed an approval");
        Ok(())
    })
}
