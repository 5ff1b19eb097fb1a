//! Where the download of a file of a page may be redirected.

use std::fs;

use anyhow::{Context as _, Result};
use xshell::cmd;
use xtask::forge::forgejo::Forgejo;
use xtask::inputs::config::Config;
use xtask::inputs::run::Run;
use xtask::process::Runner;
use xtask::process::environment::Environment;
use xtask::process::secret::Secret;
use xtask::process::temp_dir::TempDir;
use xtask::tool::git::Git;

use super::forge::{FILE, file, forge};
use super::gates::MANIFEST;
use super::server::{Answer, Server, curl, empty};

fn to(location: &str) -> Answer {
    (303, vec![("Location", location.to_owned())], Vec::new())
}

fn form() -> Answer {
    (200, Vec::new(), b"<form>".to_vec())
}

#[test]
fn a_sign_in_form_is_not_taken_for_a_file() -> Result<()> {
    let server = Server::start(|asked, _| match (&asked.authorization, asked.what == FILE) {
        (Some(_), true) => (200, Vec::new(), b"sums".to_vec()),
        (None, true) => (303, vec![("Location", "/user/login?redirect_to=x".to_owned())], Vec::new()),
        _ => (200, Vec::new(), b"<form>".to_vec()),
    })?;
    let token = Some(Secret::new("token-of-alice"));
    assert_eq!(file(&forge(&server, &[], token)?)?, Some(b"sums".to_vec()));
    let error = file(&forge(&server, &[], None)?).err().context("the form is taken for the file")?;
    assert!(format!("{error:#}").contains("cannot be read anonymously"), "{error:#}");
    Ok(())
}

#[test]
fn a_token_that_the_forge_does_not_accept_for_files_is_an_error() -> Result<()> {
    const RENAMED: &str = "/acme/dave/releases/download/v1.0.0/SHA256SUMS";
    let expired = Server::start(|asked, _| if asked.what == FILE { to("/user/login") } else { form() })?;
    // Redirects are followed anonymously, so after another one even a valid token does not help.
    let renamed = Server::start(|asked, _| match (&asked.authorization, &*asked.what) {
        (Some(_), FILE) => to(RENAMED),
        (None, FILE) => to("/user/login"),
        (_, what) if what.ends_with(RENAMED) => to("/user/login"),
        _ => form(),
    })?;
    for server in [expired, renamed] {
        let found = file(&forge(&server, &[], Some(Secret::new("token-of-alice")))?);
        let error = format!("{:#}", found.err().context("the form is taken for the file")?);
        assert!(error.contains("to sign in") && error.contains("`FORGEJO_TOKEN`"), "{error}");
        assert!(!error.contains("anonymously"), "{error}");
    }
    Ok(())
}

#[test]
fn a_download_over_plain_http_inside_may_be_redirected_over_it() -> Result<()> {
    const FORGE: &str = "https://forge.example.org";
    let inside = Server::start(|asked, _| match &*asked.what {
        FILE => to("/storage/x"),
        "GET /storage/x" => (200, Vec::new(), b"sums".to_vec()),
        _ => empty(404),
    })?;
    let config = Config::from_manifest(MANIFEST)?;
    let run = Run::of(
        &Environment::from_pairs([
            ("GITHUB_SERVER_URL", FORGE.to_owned()),
            ("GITHUB_REPOSITORY", "acme/carol".to_owned()),
            ("GITHUB_API_URL", format!("http://{}/api/v1", inside.address)),
        ]),
        &config,
    )?;
    let (scratch, runner) = (TempDir::new()?, Runner::new(&Environment::from_process()));
    let sh = runner.shell()?;
    runner.call(cmd!(sh, "git init --quiet")).dir(scratch.path()).run()?;
    fs::write(scratch.path().join("x"), "x")?;
    let git = Git::discover(&runner, scratch.path())?;
    let forge = Forgejo::new(curl(), &git, &config, None, run.as_ref());
    assert_eq!(file(&forge)?, Some(b"sums".to_vec()));
    Ok(())
}
