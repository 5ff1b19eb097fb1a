//! A cosign that is not listed gets nothing. A script in place of cosign records everything that it sees.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use xtask::oci::reference::Digest;
use xtask::process::environment::Environment;
use xtask::process::temp_dir::TempDir;

use crate::canary::{change, release, serve};

/// The output of a release with these `cosign-digests`, and what the script saw.
fn with_pins(pins: &[&Digest], script: &str) -> Result<(String, Option<String>)> {
    let (host, scratch) = (serve()?, TempDir::new()?);
    let (root, top) = (Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), scratch.path().join("checkout"));
    fs::create_dir_all(top.join("service"))?;
    for file in ["Dockerfile", "service/package.json", "service/package-lock.json"] {
        fs::copy(root.join(file), top.join(file))?;
    }
    let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
    let forge = manifest.lines().find(|line| line.starts_with("forge = ")).context("no forge is named")?;
    let pins: Vec<_> = pins.iter().map(|pin| format!("\"{pin}\"")).collect();
    let lines = format!("forge = \"http://{host}\"\ncosign-digests = [{}]", pins.join(", "));
    change(&root, &top, "Cargo.toml", forge, &lines)?;
    let (bin, seen) = (scratch.path().join("bin"), scratch.path().join("seen"));
    fs::create_dir(&bin)?;
    fs::write(bin.join("cosign"), script)?;
    fs::set_permissions(bin.join("cosign"), fs::Permissions::from_mode(0o755))?;
    let path = format!("{}:{}", bin.display(), Environment::from_process().get("PATH")?.unwrap_or_default());
    // The script writes its notes below `HOME`, a variable that children inherit.
    fs::create_dir(&seen)?;
    let output = release(&top)?.env("PATH", path).env("HOME", seen.to_str().context("no UTF-8")?).output()?;
    ensure!(output.status.code() == Some(3), "exit code {:?}: {}", output.status.code(), output.stderr);
    let notes = seen.join("notes");
    let seen = notes.exists().then(|| fs::read_to_string(&notes)).transpose()?;
    Ok((output.stderr, seen))
}

const SCRIPT: &str = "#!/bin/sh\n(echo \"started as $0\"; env) >> \"$HOME/notes\"\n\
    case \"$1\" in version) echo 'GitVersion: v3.1.3' ;; public-key) echo key ;; esac\n";

#[test]
fn a_cosign_that_is_not_listed_is_not_started() -> Result<()> {
    let (said, seen) = with_pins(&[&Digest::of(b"another")], SCRIPT)?;
    ensure!(said.contains("- cosign: ") && said.contains("not among `cosign-digests`"), "{said}");
    ensure!(!said.contains("- signing key:"), "one problem is named twice: {said}");
    ensure!(seen.is_none(), "it was started: {seen:?}");
    Ok(())
}

#[test]
fn a_listed_cosign_is_started_from_a_private_copy_and_gets_the_key() -> Result<()> {
    let (said, seen) = with_pins(&[&Digest::of(b"another"), &Digest::of(SCRIPT.as_bytes())], SCRIPT)?;
    ensure!(!said.contains("- cosign: "), "{said}");
    let seen = seen.context("it was not started")?;
    ensure!(seen.contains("COSIGN_PRIVATE_KEY=no-COSIGN_PRIVATE_KEY"), "{seen}");
    ensure!(seen.contains("started as /") && !seen.contains("/bin/cosign\n"), "{seen}");
    Ok(())
}

#[test]
fn a_cosign_that_cannot_sign_a_statement_does_not_get_the_key() -> Result<()> {
    let old = SCRIPT.replace("v3.1.3", "v2.6.1");
    let script = format!(
        "{old}case \"$1\" in sign-blob) echo 'Error: unknown flag: --tlog-upload' >&2; exit 1 ;; esac\n"
    );
    let (said, seen) = with_pins(&[], &script)?;
    let words = ["- cosign: this cosign (v2.6.1) cannot sign a statement", "install cosign 2.5 or 3.1"];
    ensure!(words.iter().all(|words| said.contains(words)), "{said}");
    let seen = seen.context("it was not started")?;
    ensure!(!seen.contains("COSIGN_PRIVATE_KEY"), "it got the key: {seen}");
    Ok(())
}
