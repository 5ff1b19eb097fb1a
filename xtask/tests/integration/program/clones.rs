//! What `verify` takes from a clone that does not know the forge's default branch.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};
use xtask::process::scratch::Scratch;

use super::server::{git, repository, said, verify};
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
    let scratch = Scratch::new()?;
    let host = server.address.to_string();
    let dir = repository(&scratch, "own", &host, &format!("{host}/acme/carol"))?;
    // This tag has no key, and is no release of this tool.
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
    // Its origin is no address of the forge, so it still knows no default branch.
    report(&other, "v0.2.0", &unknown)
}
