//! An image that is copied to another registry keeps its signature and attestations, with either cosign.

use anyhow::{Context as _, Result, ensure};
use xtask::process::temp_dir::TempDir;

use crate::harness::checkout::text;
use crate::harness::shared::{Shared, rehearsal};
use crate::harness::{call, export, test};

#[test]
fn an_image_copied_by_cosign_save_and_load_passes_the_printed_commands() -> Result<()> {
    test(|| {
        let Shared { run, checkout, .. } = rehearsal()?;
        let pinned = run.pinned()?;
        let (name, digest) = pinned.split_once('@').context("no digest")?;
        for cosign in ["TESTBED_COSIGN_2", "TESTBED_COSIGN_3"] {
            let (scratch, program) = (TempDir::new()?, export(cosign)?);
            let dir = scratch.path().join("image");
            let elsewhere = format!("{name}-{}", cosign.to_lowercase());
            call(&program, &["save", "--dir", text(&dir)?, &pinned])?.run()?;
            call(&program, &["load", "--dir", text(&dir)?, &elsewhere])?.run()?;
            let loaded = format!("{elsewhere}@{digest}");
            for command in run.commands()?.lines() {
                let command = command.replace(&pinned, &loaded);
                ensure!(command.contains(&loaded), "the command does not name the image: {command}");
                let words: Vec<_> = command.split(' ').skip(1).collect();
                for checking in ["TESTBED_COSIGN_2", "TESTBED_COSIGN_3"] {
                    let checked = call(export(checking)?, &words)?.dir(checkout.top()).output()?.success();
                    checked.with_context(|| format!("carried by {cosign}, checked by {checking}"))?;
                }
            }
        }
        Ok(())
    })
}
