//! `cargo xtask check`: the rules that a pull request must keep so that its commit can be released. Reads the work tree
//! and needs no tool but git and cargo.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

use crate::commands::{policies, testbed};
use crate::inputs::config::Config;
use crate::inputs::{Inputs, PUBLIC_KEY, is_placeholder, pin};
use crate::process::Runner;
use crate::process::environment::Environment;
use crate::process::problem::Problem;
use crate::release::preflight::problems_found;
use crate::tool::git::Git;

/// Checks the repository around the current directory.
///
/// # Errors
/// A [`crate::process::failure::Refusal`] that lists every broken rule.
pub fn run(environment: &Environment) -> Result<()> {
    let runner = Runner::new(environment);
    let git = Git::here(&runner)?;
    check(git.root())?;
    eprintln!("all checks passed");
    Ok(())
}

/// Checks the repository at `root`.
///
/// # Errors
/// As [`run`].
pub fn check(root: &Path) -> Result<()> {
    let results = [
        ("inputs", inputs(root)),
        ("public key", public_key(root)),
        ("workflows", workflows(root)),
        ("policies", policies::check(root)),
        ("renovate", renovate(root)),
    ];
    let broken = results
        .into_iter()
        .filter_map(|(rule, result)| Some(Problem::new(rule, format!("{:#}", result.err()?))));
    let broken: Vec<_> = broken.collect();
    if broken.is_empty() { Ok(()) } else { Err(problems_found("the repository breaks these rules", &broken)) }
}

/// Configuration, Dockerfile and lockfile, which are held against each other.
fn inputs(root: &Path) -> Result<()> {
    let config = Config::of_work_tree(root)?;
    ensure!(
        testbed::is_in(root) || config.source_url() != pin::HOME,
        "`forge` and `repository` in `Cargo.toml` are those of this tool's own repository; set them to yours"
    );
    let inputs = Inputs::read(&config, &|paths| paths.iter().map(|path| file(root, path)).collect())?;
    for note in &inputs.notes {
        eprintln!("note: {note}");
    }
    inputs.ensure_kept()
}

fn file(root: &Path, path: &str) -> Result<Option<Vec<u8>>> {
    match fs::read(root.join(path)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading `{path}`")),
    }
}

fn public_key(root: &Path) -> Result<()> {
    let pem = fs::read_to_string(root.join(PUBLIC_KEY))
        .context("reading `cosign.pub`; make it with `cargo xtask keygen DIR`")?;
    let lines: Vec<_> = pem.trim().lines().collect();
    let framed = lines.first() == Some(&"-----BEGIN PUBLIC KEY-----")
        && lines.last() == Some(&"-----END PUBLIC KEY-----");
    ensure!(framed, "`cosign.pub` is not one public key in PEM; make one with `cargo xtask keygen DIR`");
    if is_placeholder(pem.as_bytes()) {
        ensure!(
            testbed::is_in(root),
            "`{PUBLIC_KEY}` is the placeholder of this tool's own repository, and nobody can sign by it; make yours with \
             `cargo xtask keygen DIR`"
        );
        eprintln!(
            "note: `{PUBLIC_KEY}` is the placeholder that this project comes with, and nobody can sign by it: make a key pair \
             with `cargo xtask keygen DIR` before the first release"
        );
    }
    Ok(())
}

/// Without a YAML grammar, so only what stands on a line of its own.
fn workflows(root: &Path) -> Result<()> {
    let directory = root.join(".forgejo/workflows");
    for entry in fs::read_dir(&directory).context("reading `.forgejo/workflows`")? {
        let path = entry.context("reading `.forgejo/workflows`")?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).with_context(|| format!("reading `{name}`"))?;
        check_workflow(&text).with_context(|| format!("`.forgejo/workflows/{name}`"))?;
    }
    let release = fs::read_to_string(directory.join("release.yml"))
        .context("reading `.forgejo/workflows/release.yml`")?;
    // Forgejo's default for pushes is to cancel: a tag that is pushed again would end a release half-way. And a group for
    // all tags loses releases on Gitea, which cancels whatever waits in it when a newer run comes.
    ensure!(
        release.contains("group: 'release-${{ github.ref }}'")
            && release.contains("cancel-in-progress: false"),
        "`release.yml` must have `concurrency` with `group: 'release-${{{{ github.ref }}}}'` and `cancel-in-progress: false`"
    );
    Ok(())
}

fn check_workflow(text: &str) -> Result<()> {
    for line in text.lines().map(|line| line.trim().trim_start_matches("- ")) {
        let Some(action) = line.strip_prefix("uses:").map(str::trim) else { continue };
        let pin =
            action.split_once('@').map_or("", |(_, pin)| pin.split_whitespace().next().unwrap_or_default());
        if pin.len() != 40 || !pin.chars().all(|c| c.is_ascii_hexdigit()) {
            bail!(
                "`{line}` names no commit: anyone who can move its tag can run code beside our secrets; pin it by the 40 \
                digits of a commit"
            );
        }
    }
    ensure!(text.contains("timeout-minutes:"), "no job has `timeout-minutes`");
    for step in steps(text) {
        let has_secret = step.iter().any(|line| line.contains("secrets."));
        let cargo = step.iter().find(|line| line.split_whitespace().any(|word| word == "cargo"));
        if let Some(line) = cargo.filter(|_| has_secret) {
            bail!(
                "the step of `{}` has secrets, which cargo and all that it compiles can read: build `xtask` in a step before \
                 it, and run `exec target/debug/xtask release` there",
                line.trim()
            );
        }
    }
    Ok(())
}

/// The lines of each step, without comments.
fn steps(text: &str) -> Vec<Vec<&str>> {
    let mut steps = vec![Vec::new()];
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let begins = ["- name:", "- run:", "- uses:", "- env:", "- id:", "- if:"];
        if begins.iter().any(|key| line.trim_start().starts_with(key)) {
            steps.push(Vec::new());
        }
        if let Some(step) = steps.last_mut() {
            step.push(line);
        }
    }
    steps
}

fn renovate(root: &Path) -> Result<()> {
    let text = fs::read(root.join("renovate.json")).context("reading `renovate.json`")?;
    serde_json::from_slice::<serde_json::Value>(&text).context("reading `renovate.json` as JSON").map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::check_workflow;

    #[test]
    fn an_action_is_pinned_by_commit() {
        let job =
            |uses: &str| format!("jobs:\n  x:\n    timeout-minutes: 5\n    steps:\n      - uses: {uses}\n");
        assert!(
            check_workflow(&job(&format!("https://forge.example.org/a/b@{} # v4", "a".repeat(40)))).is_ok()
        );
        for bad in ["a/b@v4", "a/b", "a/b@main", &format!("a/b@{}", "a".repeat(39))] {
            assert!(check_workflow(&job(bad)).is_err(), "{bad}");
        }
        assert!(check_workflow("jobs:\n  x:\n    steps: []\n").is_err(), "a job without a limit");
    }

    #[test]
    fn a_step_that_has_secrets_runs_no_cargo() {
        let job = |build: &str, release: &str| {
            let env = "        env:\n          KEY: ${{ secrets.KEY }}\n";
            format!(
                "jobs:\n  x:\n    timeout-minutes: 5\n    steps:\n      - name: build\n        run: {build}\n      \
                 - name: release\n        # In place of cargo:\n        run: {release}\n{env}"
            )
        };
        assert!(check_workflow(&job("cargo build", "exec target/debug/xtask release")).is_ok());
        for bad in ["cargo xtask release", "|\n          cargo build\n          target/debug/xtask release"] {
            let error = check_workflow(&job("true", bad)).unwrap_err().to_string();
            assert!(error.contains("exec target/debug/xtask release"), "{error}");
        }
        let first = "      - run: cargo build\n        env:\n          KEY: ${{ secrets.KEY }}\n";
        assert!(
            check_workflow(&format!("jobs:\n  x:\n    timeout-minutes: 5\n    steps:\n{first}")).is_err()
        );
    }
}
