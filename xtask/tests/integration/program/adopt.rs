//! `init` in a repository that does not have this tool yet, or not all of it, or where there is none.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use xtask::process::temp_dir::TempDir;

use super::server::{git, repository, said, xtask};

const MANIFEST: &str = "[workspace]\nmembers = [\"other\"]\n";

#[test]
fn init_beside_an_existing_manifest_lists_everything_that_it_lacks() -> Result<()> {
    let scratch = TempDir::new()?;
    let dir = scratch.path();
    git(dir, &["init", "--quiet", "--initial-branch=adopt"])?;
    for (file, text) in [
        ("Cargo.toml", MANIFEST),
        ("package.json", r#"{"scripts": {"start": "node x.js"}}"#),
        ("package-lock.json", r#"{"lockfileVersion": 3}"#),
        ("x.js", ""),
    ] {
        fs::write(dir.join(file), text)?;
    }
    git(dir, &["add", "."])?;
    git(dir, &["commit", "--quiet", "--message=one"])?;
    git(dir, &["update-ref", "refs/remotes/origin/trunk", "HEAD"])?;
    git(dir, &["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk"])?;
    let flags = ["--forge", "https://forge.example.org", "--repository", "acme/app", "--port", "3000"];
    let output = xtask(dir, &[&["init", "."][..], &flags].concat(), &[])?;
    let said = said(&output);
    ensure!(output.status.code() == Some(1), "{said}");
    for words in [
        "`branches = [\"trunk\"]` is the default branch of `origin`",
        "package.json has no `scripts.test`",
        "`members = [\"xtask\"]`",
        "[workspace.metadata.release]\nforge = \"https://forge.example.org\"\nrepository = \"acme/app\"\n",
        "branches = [\"trunk\"]",
        "[profile.dev.package.sha2]",
        "`cargo generate-lockfile` and `cargo xtask policies`",
    ] {
        ensure!(said.contains(words), "no `{words}` in:\n{said}");
    }
    assert_eq!(fs::read_to_string(dir.join("Cargo.toml"))?, MANIFEST);
    ensure!(!dir.join("Cargo.lock").exists(), "it would lack the tool");
    Ok(())
}

#[test]
fn git_init_is_suggested_only_outside_a_repository() -> Result<()> {
    let scratch = TempDir::new()?;
    let dir = scratch.path();
    fs::create_dir(dir.join("plain"))?;
    git(dir, &["init", "--quiet", "--bare", "bare"])?;
    for (directory, code, words) in [
        ("nowhere", 2, "`nowhere` is not a readable directory; make it with `git init nowhere`"),
        ("plain", 2, "`plain` is not in a git repository; run `git init` there first"),
        ("bare", 1, "work tree"),
    ] {
        let output = xtask(dir, &["init", directory], &[])?;
        let said = said(&output);
        ensure!(output.status.code() == Some(code) && said.contains(words), "{directory}: {said}");
    }
    Ok(())
}

#[test]
fn what_would_never_reach_the_forge_or_releases_nothing_is_named() -> Result<()> {
    let scratch = TempDir::new()?;
    let dir = repository(&scratch, "own", "127.0.0.1:1", "127.0.0.1:1/acme/carol")?;
    fs::create_dir_all(dir.join("service/src"))?;
    fs::write(dir.join("service/src/server.js"), "")?;
    git(&dir, &["add", "service"])?;
    let workflow = dir.join(".forgejo/workflows/release.yml");
    fs::create_dir_all(workflow.parent().context("it is in a folder")?)?;
    fs::write(&workflow, "jobs:\n  x:\n    steps:\n      - run: docker push x\n")?;
    fs::write(dir.join(".gitignore"), "docs/\n*.lock\n")?;
    fs::write(dir.join("Cargo.lock"), "")?;
    let first = said(&xtask(&dir, &["init", "."], &[])?);
    for words in [
        "git ignores `docs/verifying.md`, `Cargo.lock`",
        "no step of `release.yml` runs `xtask release`",
        "push no version tag before",
    ] {
        ensure!(first.contains(words), "no `{words}` in:\n{first}");
    }
    ensure!(!first.contains("`git tag v"), "{first}");
    let check = || anyhow::Ok(said(&xtask(&dir, &["check"], &[])?));
    let refused = check()?;
    for words in [
        "docs/verifying.md: error[file-ignored]",
        "Cargo.lock: error[file-ignored]",
        "error[workflow-release]",
    ] {
        ensure!(refused.contains(words), "no `{words}` in:\n{refused}");
    }
    ensure!(!refused.contains("[cargo-lock]"), "{refused}");

    git(&dir, &["add", "--force", "docs/verifying.md"])?;
    fs::remove_file(dir.join("Cargo.lock"))?;
    fs::remove_file(&workflow)?;
    let second = said(&xtask(&dir, &["init", ".", "--update"], &[])?);
    ensure!(workflow.exists(), "{second}");
    let left = check()?;
    ensure!(left.contains("Cargo.lock: error[cargo-lock]"), "{left}");
    ensure!(!left.contains("[file-ignored]") && !left.contains("[workflow-release]"), "{left}");
    Ok(())
}
