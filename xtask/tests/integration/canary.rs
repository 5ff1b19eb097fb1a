//! A release runs no program that the commit names. Here, a commit has settings that make npm run one of its files,
//! and it is released by an `xtask` that is not its own. `release` gets as far as preflight, which refuses.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use xshell::cmd;
use xtask::process::environment::Environment;
use xtask::process::temp_dir::TempDir;
use xtask::process::{Call, Runner};

use crate::plain_git;
use crate::servers::server::{Server, empty};

/// An empty registry and forge. It runs for as long as the tests run.
pub(crate) fn serve() -> Result<String> {
    Ok(Server::start(|_, _| empty(404))?.address.to_string())
}

pub(crate) fn change(root: &Path, top: &Path, file: &str, from: &str, to: &str) -> Result<()> {
    let text = fs::read_to_string(root.join(file)).with_context(|| format!("reading `{file}`"))?;
    ensure!(text.contains(from), "`{file}` has no `{from}`");
    Ok(fs::write(top.join(file), text.replacen(from, to, 1))?)
}

/// A release of the content of `top`, as its first commit and tag.
pub(crate) fn release(top: &Path) -> Result<Call> {
    let runner = Runner::new(&Environment::from_process());
    let (sh, xtask) = (runner.shell()?, env!("CARGO_BIN_EXE_xtask"));
    for words in
        [&["init", "--quiet"][..], &["add", "."], &["commit", "--quiet", "--message=one"], &["tag", "v0.1.0"]]
    {
        plain_git::call(top, words)?.run()?;
    }
    let mut call = runner.call(cmd!(sh, "{xtask} release v0.1.0")).dir(top);
    for name in ["REGISTRY_TOKEN", "FORGEJO_TOKEN", "COSIGN_PRIVATE_KEY", "COSIGN_PASSWORD"] {
        call = call.env(name, format!("no-{name}"));
    }
    Ok(call)
}

/// With a dependency from git, npm starts `git`, so the dependency is refused. Without one, the release gets as far
/// as preflight.
#[test]
fn a_program_that_is_named_in_the_commits_npm_settings_is_not_run() -> Result<()> {
    let host = serve()?;
    let git = "\"devDependencies\": {\"a\": \"git+https://127.0.0.1:1/a.git\"},";
    for (dependency, expected) in [
        (git, "asks for `git+https://127.0.0.1:1/a.git` of `a`: it is a git repository"),
        ("", "- forge token: with `FORGEJO_TOKEN`, the forge answers 404"),
    ] {
        let scratch = TempDir::new()?;
        let (root, top) = (Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), scratch.path().join("checkout"));
        let (canary, program) = (scratch.path().join("canary"), top.join("service/program"));
        fs::create_dir_all(top.join("service"))?;
        fs::copy(root.join("Dockerfile"), top.join("Dockerfile"))?;
        let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
        let forge =
            manifest.lines().find(|line| line.starts_with("forge = ")).context("no forge is named")?;
        change(&root, &top, "Cargo.toml", forge, &format!("forge = \"http://{host}\""))?;
        let from = "\"dependencies\": {";
        for file in ["service/package.json", "service/package-lock.json"] {
            change(&root, &top, file, from, &format!("{dependency} {from}"))?;
        }
        fs::write(top.join("service/.npmrc"), "git=./program\nscript-shell=./program\n")?;
        fs::write(&program, format!("#!/bin/sh\ntouch '{}'\nexit 1\n", canary.display()))?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;

        let output = release(&top)?.output()?;
        ensure!(output.status.code() == Some(3), "exit code {:?}: {}", output.status.code(), output.stderr);
        ensure!(output.stderr.contains(expected), "unexpected output: {}", output.stderr);
        ensure!(!canary.exists(), "the commit's program ran: {}", output.stderr);
    }
    Ok(())
}
