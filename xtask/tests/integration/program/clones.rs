//! What `verify` takes from a clone that does not know the forge's default branch.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};
use xtask::process::temp_dir::TempDir;

use super::server::{configure, git, repository, said, verify};
use crate::servers::server::{Server, empty};

/// Commits the key with this content, and tags the commit.
fn release(dir: &Path, key: &str, tag: &str) -> Result<()> {
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----\n");
    fs::write(dir.join("cosign.pub"), pem)?;
    git(dir, &["add", "."])?;
    git(dir, &["commit", "--quiet", "--message=a key"])?;
    git(dir, &["tag", tag])
}

#[test]
fn a_released_commit_does_not_vouch_for_itself() -> Result<()> {
    // The registry has both versions.
    let server = Server::start(|asked, _| match asked.what.contains("/tags/list") {
        true => (200, Vec::new(), br#"{"tags": ["v0.1.1", "v0.2.0"]}"#.to_vec()),
        false => empty(404),
    })?;
    let scratch = TempDir::new()?;
    let host = server.address.to_string();
    let dir = repository(&scratch, "own", &host, &format!("{host}/acme/carol"))?;
    // The commit of `v0.1.0` has no key, so it is not a release of this tool.
    release(&dir, "AAAABBBB", "v0.1.1")?;
    let report = |dir: &Path, tag: &str, expected: &[&str]| {
        let report = said(&verify(dir, &[tag], &[])?);
        for words in expected {
            ensure!(report.contains(words), "{tag}: no `{words}` in:\n{report}");
        }
        Ok(())
    };
    let first = "ok     key.continuity       no release before has a key\n";
    report(&dir, "v0.1.1", &["ok     key.history ", first, "not asked            source.branch\n"])?;

    git(&dir, &["checkout", "--quiet", "--orphan", "evil"])?;
    release(&dir, "CCCCDDDD", "v0.2.0")?;
    report(&dir, "v0.2.0", &["FALSE  key.continuity ", "the key of v0.1.1, is not in `keys/history.toml`"])?;

    // Nor does another tag at the same commit.
    git(&dir, &["tag", "v0.1.9"])?;
    report(&dir, "v0.2.0", &["FALSE  key.continuity ", "the key of v0.1.1, is not in"])?;

    let other = scratch.path().join("clone");
    let (from, to) = (dir.display().to_string(), other.display().to_string());
    git(&dir, &["clone", "--quiet", "--single-branch", "--branch", "v0.2.0", &from, &to])?;
    let unknown =
        ["?      key.history ", "`git remote set-head origin --auto`", "source.branch, tag.signed\n"];
    report(&other, "v0.2.0", &unknown)?;
    git(&other, &["fetch", "--quiet", "origin", "+refs/heads/*:refs/remotes/origin/*"])?;
    git(&other, &["remote", "set-head", "origin", "--auto"])?;
    // Its origin is not an address of the forge, so it still knows no default branch.
    report(&other, "v0.2.0", &unknown)
}

#[test]
fn after_a_move_the_new_forge_decides_whether_the_clone_is_behind() -> Result<()> {
    let (old, scratch) = (Server::start(|_, _| empty(404))?, TempDir::new()?);
    let (image, head) = (format!("{}/acme/carol", old.address), "a".repeat(40));
    let dir = repository(&scratch, "own", &old.address.to_string(), &image)?;
    release(&dir, "AAAABBBB", "v0.1.1")?;
    // It reports another commit than the clone's. The old one has no branch.
    let new = Server::start(move |asked, _| match asked.what.ends_with("/branches/main") {
        true => (200, Vec::new(), format!("{{\"commit\": {{\"id\": \"{head}\"}}}}").into_bytes()),
        false => empty(404),
    })?;
    configure(&dir, &new.address.to_string(), &image)?;
    git(&dir, &["remote", "add", "origin", &format!("http://{}/acme/carol", new.address)])?;
    git(&dir, &["update-ref", "refs/remotes/origin/main", "HEAD"])?;
    git(&dir, &["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main"])?;
    let report = said(&verify(&dir, &["v0.1.1"], &[])?);
    ensure!(report.contains("`main` is elsewhere on the forge; run `git fetch origin`"), "{report}");
    let is_asked =
        |server: &Server| anyhow::Ok(server.log()?.iter().any(|asked| asked.what.contains("/branches/")));
    ensure!(is_asked(&new)? && !is_asked(&old)?, "{:?}", old.log()?);
    Ok(())
}

#[test]
fn for_a_renamed_default_branch_the_hint_prunes_and_sets_the_head_again() -> Result<()> {
    // The forge has the repository, and no branch of that name.
    let forge = Server::start(|asked, _| match asked.what.ends_with("/repos/acme/carol") {
        true => (200, Vec::new(), b"{}".to_vec()),
        false => empty(404),
    })?;
    let (scratch, host) = (TempDir::new()?, forge.address.to_string());
    let dir = repository(&scratch, "own", &host, &format!("{host}/acme/carol"))?;
    release(&dir, "AAAABBBB", "v0.1.1")?;
    git(&dir, &["remote", "add", "origin", &format!("http://{host}/acme/carol")])?;
    git(&dir, &["update-ref", "refs/remotes/origin/main", "HEAD"])?;
    git(&dir, &["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main"])?;
    let report = said(&verify(&dir, &["v0.1.1"], &[])?);
    let words = "`main` is no longer on the forge; run `git fetch --prune origin && git remote set-head origin --auto`";
    ensure!(report.contains(words), "{report}");
    Ok(())
}
