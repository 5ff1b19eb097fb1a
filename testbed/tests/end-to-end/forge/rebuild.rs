//! `verify --rebuild`: anyone with a clone builds the released commit again and gets the released digest, in whatever
//! directory and with whatever umask.

use anyhow::{Context as _, Result, ensure};

use super::released::{TAG, released};
use crate::harness::checkout::Checkout;
use crate::harness::run::{Finished, Xtask};
use crate::harness::test;

/// The verdict on the digest, such as `ok`, and why.
fn verdict(run: &Finished) -> Result<(&str, &str)> {
    let mut claims = run.stdout.lines().filter_map(|line| line.split_once(' '));
    let claim =
        claims.find_map(|(mark, rest)| Some((mark, rest.trim_start().strip_prefix("rebuild ")?.trim())));
    claim.with_context(|| format!("nothing is said about the rebuild:\n{}{}", run.stdout, run.stderr))
}

fn ensure_same_digest(run: &Finished) -> Result<()> {
    let (mark, why) = verdict(run)?;
    ensure!(run.code == 0 && mark == "ok", "exit code {}, {mark}: {why}\n{}", run.code, run.stdout);
    Ok(())
}

#[test]
fn in_another_directory_with_another_umask() -> Result<()> {
    test(|| {
        let elsewhere = clone_of_the_release()?;
        let rebuild = Xtask::new(&elsewhere, &["verify", TAG, "--rebuild"]).before("umask 077");
        ensure_same_digest(&rebuild.run()?)
    })
}

fn clone_of_the_release() -> Result<Checkout> {
    Checkout::of(&released()?.project.repository.url())
}

/// What the other tests rely on when the digest is the same.
#[test]
fn another_commit_gives_another_digest() -> Result<()> {
    test(|| {
        let checkout = &clone_of_the_release()?;
        checkout.replace("service/src/server.js", "\n", "\n\n")?;
        checkout.commit("chore: one byte more")?;
        checkout.git(&["tag", "--force", TAG])?;
        let run = Xtask::new(checkout, &["verify", TAG, "--rebuild"]).run()?;
        let (mark, why) = verdict(&run)?;
        assert!(
            run.code == 1 && mark == "FALSE" && why.contains("the commit gives `sha256:"),
            "{mark} {why}"
        );
        Ok(())
    })
}
