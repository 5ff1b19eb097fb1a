//! Secrets that do not work. Each is refused by name, with what to create instead, and no secret is printed.

use anyhow::{Context as _, Result, ensure};
use testbed::forge_client::State;
use xtask::process::secret::Secret;
use xtask::process::temp_dir::random_hex;

use super::echo::Echo;
use super::project::{Project, new_key};
use crate::harness::{call, test};

const RELEASE: [&str; 2] = ["release", "v0.1.0"];

/// A project that could be released if its secrets were right.
fn tagged() -> Result<Project> {
    let project = Project::ready()?;
    project.push_tag("v0.1.0")?;
    Ok(project)
}

#[test]
fn the_automatic_token_is_refused_as_registry_credential() -> Result<()> {
    test(|| {
        let project = tagged()?;
        let token = project.user.new_token(&["write:repository"])?;
        // These variables imitate a run, because a workflow's own token is only valid during its run.
        let run = project
            .laptop(&RELEASE)
            .env("GITHUB_RUN_ID", "1")
            .env("GITHUB_RUN_NUMBER", "1")
            .env("FORGEJO_TOKEN", token.expose())
            .env("REGISTRY_TOKEN", token.expose());
        let why = ["automatic token of the run", "refuses every package"];
        let instead = ["make a token with `write:package`", "the secret `REGISTRY_TOKEN`"];
        project.ensure_refused(run, &[why, instead].concat())?;
        Ok(())
    })
}

#[test]
fn a_registry_token_that_may_not_write_packages_is_refused() -> Result<()> {
    test(|| {
        let project = tagged()?;
        for scope in ["read:package", "write:repository"] {
            let token = project.user.new_token(&[scope])?;
            let run = project.laptop(&RELEASE).env("REGISTRY_TOKEN", token.expose());
            project.ensure_refused(run, &["`REGISTRY_TOKEN`", "write packages"])?;
        }
        Ok(())
    })
}

#[test]
fn a_token_that_may_not_write_pages_is_refused_before_anything_is_built() -> Result<()> {
    test(|| {
        let project = tagged()?;
        let token = project.user.new_token(&["read:repository"])?;
        let run = project.laptop(&RELEASE).env("FORGEJO_TOKEN", token.expose());
        project
            .ensure_refused(run, &["`FORGEJO_TOKEN`", "may not write release pages", "`write:repository`"])?;
        Ok(())
    })
}

/// As long as a real token.
fn bad_token() -> Result<String> {
    Ok(format!("{}{}", random_hex()?, &random_hex()?[..8]))
}

/// Checks that `said` contains neither `token` nor any form in which a header has it.
fn ensure_hidden(project: &Project, token: &str, said: &str) -> Result<()> {
    let user = project.user.name();
    ensure!(!said.contains(token), "the token was printed:\n{said}");
    for plain in [token.to_owned(), format!("{user}:{token}"), format!("x:{token}")] {
        let encoded = call("base64", &["--wrap=0"])?.stdin(plain).read()?;
        ensure!(!said.contains(encoded.trim_end_matches('=')), "the token was printed in base64:\n{said}");
    }
    Ok(())
}

#[test]
fn a_bad_token_is_refused_and_not_printed() -> Result<()> {
    test(|| {
        let project = tagged()?;
        for name in ["FORGEJO_TOKEN", "REGISTRY_TOKEN"] {
            let bad = bad_token()?;
            let said = project.ensure_refused(project.laptop(&RELEASE).env(name, bad.clone()), &[])?;
            ensure_hidden(&project, &bad, &said).context(name)?;
        }
        Ok(())
    })
}

#[test]
fn a_bad_token_is_not_printed_even_if_the_server_sends_it_back() -> Result<()> {
    test(|| {
        let (project, echo) = (Project::ready()?, Echo::start()?);
        project.push_tag("v0.1.0")?;
        let bad = bad_token()?;
        let api = format!("http://{}/api/v1", echo.host());
        let run = project
            .laptop(&RELEASE)
            .env("GITHUB_SERVER_URL", project.forge.clone())
            .env("GITHUB_REPOSITORY", project.repository.full_name())
            .env("GITHUB_API_URL", api)
            .env("FORGEJO_TOKEN", bad.clone());
        let said = project.ensure_refused(run, &["access token does not exist [sha: ", "***"])?;
        ensure_hidden(&project, &bad, &said).context("FORGEJO_TOKEN")?;

        let image = format!("title = \"carol\"\nimage = \"{}/acme/carol\"", echo.host());
        project.checkout.replace("Cargo.toml", "title = \"carol\"", &image)?;
        project.checkout.commit("chore: a registry that sends back what it is given")?;
        project.push_main()?;
        project.set_status(&project.head()?, State::Success)?;
        project.push_tag("v0.1.1")?;
        let run = project.laptop(&["release", "v0.1.1"]).env("REGISTRY_TOKEN", bad.clone());
        let said = project.ensure_refused(run, &["access token does not exist [sha: ", "***"])?;
        ensure_hidden(&project, &bad, &said).context("REGISTRY_TOKEN")
    })
}

#[test]
fn a_wrong_key_password_and_another_key_are_refused() -> Result<()> {
    test(|| {
        let project = tagged()?;
        let wrong = project.laptop(&RELEASE).env("COSIGN_PASSWORD", random_hex()?);
        let words = ["`COSIGN_PRIVATE_KEY` cannot be read with `COSIGN_PASSWORD`", "set both secrets again"];
        project.ensure_refused(wrong, &words)?;

        let password = Secret::new(random_hex()?);
        let key = new_key(&project.checkout, "other", &password)?;
        let other = project.laptop(&RELEASE).env("COSIGN_PRIVATE_KEY", key.expose());
        let other = other.env("COSIGN_PASSWORD", password.expose());
        let words = [
            "has the public half",
            "`cosign.pub` of the commit is",
            "tag the next version at a commit that has the new key",
        ];
        project.ensure_refused(other, &words)?;
        Ok(())
    })
}
