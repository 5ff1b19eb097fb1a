//! The commands around a release that need only cosign from the testbed: `notes` and `keygen`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Context as _, Result, ensure};
use xtask::inputs::keys::PublicKey;

use crate::bad_input::{REFUSED, ensure_refused};
use crate::harness::checkout::{Checkout, text};
use crate::harness::run::Xtask;
use crate::harness::shared::{Shared, rehearsal};
use crate::harness::{call, export, test};

#[test]
fn the_page_begins_with_the_notes() -> Result<()> {
    test(|| {
        let Shared { checkout, run, .. } = rehearsal()?;
        let notes = Xtask::new(checkout, &["notes"]).run()?.success()?;
        let page = checkout.page(run)?;
        ensure!(notes.stdout.len() > 20 && page.starts_with(&notes.stdout), "{}\n{page}", notes.stdout);
        Ok(())
    })
}

#[test]
fn the_notes_of_a_tag_list_the_commits_since_the_previous_tag() -> Result<()> {
    test(|| {
        let checkout = Checkout::new()?;
        checkout.git(&["tag", "v1.0.0"])?;
        checkout.write("service/a.txt", "a")?;
        checkout.commit("feat: <b>a</b>")?;
        checkout.git(&["tag", "v1.1.0"])?;
        let notes = Xtask::new(&checkout, &["notes", "v1.1.0"]).run()?.success()?.stdout;
        let commit = checkout.git(&["rev-parse", "--short=12", "HEAD"])?;
        let kind = "**Minor release.** No commit names anything to do before upgrading.";
        let expected = format!("## Changes\n\n{kind}\n\n### New\n\n- `<b>a</b>` ([{commit}](");
        ensure!(notes.starts_with(&expected) && notes.ends_with("/compare/v1.0.0...v1.1.0)\n"), "{notes}");
        ensure_refused(&checkout, Xtask::new(&checkout, &["notes", "v2.0.0"]), REFUSED, &["no tag `v2.0.0`"])
    })
}

#[test]
fn keygen_writes_a_working_key_pair_and_prints_no_secret() -> Result<()> {
    test(|| {
        // Replaces the placeholder that the repository comes with.
        let checkout = Checkout::new()?;
        let keys = checkout.beside("keys");
        let run = Xtask::new(&checkout, &["keygen", text(&keys)?]).run()?.success()?;

        let read = |name: &str| {
            let path = keys.join(name);
            fs::read_to_string(&path).with_context(|| format!("reading `{}`", path.display()))
        };
        let (private, password, public) =
            (read("cosign.key")?, read("cosign.password")?, read("cosign.pub")?);
        ensure!(password.len() == 64 && !password.ends_with('\n'), "{} characters", password.len());
        for (path, mode) in [("", 0o700), ("cosign.key", 0o600), ("cosign.password", 0o600)] {
            let found = fs::metadata(keys.join(path))?.permissions().mode() & 0o777;
            ensure!(found == mode, "`{path}` has mode {found:o}");
        }
        let committed = fs::read_to_string(checkout.top().join("cosign.pub"))?;
        ensure!(committed == public, "the repository has another key:\n{committed}{public}");
        ensure!(
            run.field("fingerprint")? == PublicKey::parse(public.as_bytes())?.fingerprint().as_str(),
            "{}",
            run.stdout
        );
        for said in [&run.stdout, &run.stderr] {
            ensure!(!said.contains(&password) && !said.contains("PRIVATE KEY-----"), "{said}");
        }
        let derive = call(export("TESTBED_COSIGN_2")?, &["public-key", "--key", "env://COSIGN_PRIVATE_KEY"])?;
        let derive = derive.env("COSIGN_PRIVATE_KEY", &private).env("COSIGN_PASSWORD", &password);
        ensure!(derive.read()?.trim() == public.trim(), "the public key does not belong to the private key");
        checkout.ensure_nothing_is_left()
    })
}

#[test]
fn keygen_overwrites_nothing_and_puts_no_private_key_into_the_repository() -> Result<()> {
    test(|| {
        let checkout = Checkout::new()?;
        let keygen = |directory: &str, words: &[&str]| {
            ensure_refused(&checkout, Xtask::new(&checkout, &["keygen", directory]), REFUSED, words)
        };
        let keys = checkout.beside("keys");
        checkout.write("cosign.pub", "somebody's key")?;
        keygen(text(&keys)?, &["there is a `cosign.pub`", "docs/keys.md", "`git rm cosign.pub`"])?;
        fs::remove_file(checkout.top().join("cosign.pub"))?;
        keygen("keys", &["`keys` would be in the repository", "outside of it"])?;
        fs::create_dir(&keys)?;
        keygen(text(&keys)?, &["is there already"])?;
        ensure!(!checkout.top().join("cosign.pub").exists(), "a public key was written");
        Ok(())
    })
}
