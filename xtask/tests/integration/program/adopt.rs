//! `init` in a repository that does not have this tool yet, or where there is none.

use std::fs;

use anyhow::{Result, ensure};
use xtask::process::temp_dir::TempDir;

use super::server::{git, said, xtask};

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
