//! What can be wrong in the repository or on the command line. Each time `xtask` says what is wrong and what to do, and
//! changes nothing.

use anyhow::{Result, ensure};

use crate::harness::checkout::{Checkout, text};
use crate::harness::run::{Finished, Xtask};
use crate::harness::{read, test};

/// The command line was wrong.
const USAGE: i32 = 2;

/// A rule or the machine forbids it.
pub(crate) const REFUSED: i32 = 3;

/// Runs `xtask`, which must fail with `code` and change nothing. Its message must have `words`, which say what was
/// found, what was expected and what to do.
pub(crate) fn ensure_refused(checkout: &Checkout, run: Xtask<'_>, code: i32, words: &[&str]) -> Result<()> {
    let pages = checkout.pages()?;
    let Finished { code: found, stdout, stderr, .. } = run.run()?;
    ensure!(found == code, "exit code {found}, expected {code}:\n{stdout}{stderr}");
    let message = stderr.split_once("xtask: ").map_or("", |(_, message)| message);
    for word in words {
        ensure!(message.contains(word), "the message does not say `{word}`:\n{stderr}");
    }
    ensure!(stdout.is_empty(), "standard output is for results:\n{stdout}");
    let is_page = |name: &&String| !name.ends_with(".pub");
    let after = checkout.pages()?;
    ensure!(
        after.iter().filter(is_page).eq(pages.iter().filter(is_page)),
        "pages were {pages:?} and are {after:?}"
    );
    let repositories = checkout.repositories()?;
    ensure!(repositories.is_empty(), "something was pushed: {repositories:?}");
    checkout.ensure_nothing_is_left()
}

/// Expects a refusal with `words` of a clone in which `change` was committed.
fn ensure_commit_is_refused(change: impl FnOnce(&Checkout) -> Result<()>, words: &[&str]) -> Result<()> {
    let checkout = Checkout::new()?;
    change(&checkout)?;
    checkout.commit("a change that must be refused")?;
    ensure_refused(&checkout, Xtask::new(&checkout, &["rehearse"]), REFUSED, words)
}

#[test]
fn a_build_secret_that_is_not_set_is_refused() -> Result<()> {
    test(|| {
        let checkout = Checkout::new()?;
        checkout.read_a_secret("E2E_BUILD_SECRET")?;
        let words = ["not set: `E2E_BUILD_SECRET`", "`build-secrets`", "set each in the environment"];
        ensure_refused(&checkout, Xtask::new(&checkout, &["rehearse"]), REFUSED, &words)
    })
}

#[test]
fn a_tag_that_is_not_a_version_is_rejected() -> Result<()> {
    test(|| {
        let checkout = Checkout::new()?;
        for tag in ["vfoo1", "v1.2", "v01.2.3", "1.2.3"] {
            // Even if such a tag exists, it is not a version.
            checkout.git(&["tag", tag])?;
        }
        for tag in ["v1.2", "v01.2.3"] {
            let words = [&format!("`{tag}` is not a release tag"), "SemVer", "`v1.2.3`"];
            ensure_refused(&checkout, Xtask::new(&checkout, &["rehearse", tag]), USAGE, &words)?;
        }
        let words = ["`vfoo2` is not a release tag", "no commit has that name", "`v1.2.3`"];
        ensure_refused(&checkout, Xtask::new(&checkout, &["rehearse", "vfoo2"]), USAGE, &words)
    })
}

#[test]
fn a_tag_with_build_metadata_is_rejected() -> Result<()> {
    test(|| {
        let checkout = Checkout::new()?;
        checkout.git(&["tag", "v1.2.3+build"])?;
        let run = Xtask::new(&checkout, &["rehearse", "v1.2.3+build"]);
        ensure_refused(&checkout, run, USAGE, &["`v1.2.3+build`", "build metadata `+build`", "`v1.2.3`"])
    })
}

#[test]
fn a_tag_that_does_not_exist_is_refused() -> Result<()> {
    test(|| {
        let checkout = Checkout::new()?;
        let run = Xtask::new(&checkout, &["rehearse", "v9.9.9"]);
        ensure_refused(
            &checkout,
            run,
            REFUSED,
            &["no tag `v9.9.9`", "`git tag v9.9.9`", "`git fetch --tags`"],
        )
    })
}

#[test]
fn an_unknown_flag_is_rejected() -> Result<()> {
    test(|| {
        let checkout = Checkout::new()?;
        let run = Xtask::new(&checkout, &["rehearse", "--unknown"]);
        let Finished { code, stderr, .. } = run.run()?;
        assert_eq!(code, USAGE, "{stderr}");
        assert!(stderr.contains("--unknown") && stderr.contains("Usage"), "{stderr}");
        checkout.ensure_nothing_is_left()
    })
}

#[test]
fn a_shallow_clone_is_refused() -> Result<()> {
    test(|| {
        let checkout = Checkout::new()?;
        let whole = checkout.beside("whole");
        std::fs::rename(checkout.top(), &whole)?;
        let source = format!("file://{}", text(&whole)?);
        read("git", &["clone", "--quiet", "--depth=1", &source, text(checkout.top())?])?;
        let words = ["shallow", "whole history", "`git fetch --unshallow --tags`"];
        ensure_refused(&checkout, Xtask::new(&checkout, &["rehearse"]), REFUSED, &words)
    })
}

#[test]
fn a_dependency_that_is_missing_from_the_lockfile_is_refused() -> Result<()> {
    test(|| {
        let add = |checkout: &Checkout| {
            checkout.replace(
                "service/package.json",
                "\"dependencies\": {",
                "\"dependencies\": {\"left-pad\": \"1.3.0\",",
            )
        };
        ensure_commit_is_refused(add, &["out of sync", "left-pad", "`npm install --package-lock-only`"])
    })
}

#[test]
fn a_changed_range_is_refused_even_if_the_locked_version_satisfies_it() -> Result<()> {
    test(|| {
        let widen = |checkout: &Checkout| {
            checkout.replace("service/package.json", "\"fastify\": \"", "\"fastify\": \">=1 || ")
        };
        ensure_commit_is_refused(widen, &["out of sync", "`fastify`", "`npm install --package-lock-only`"])
    })
}

#[test]
fn a_lockfile_that_lists_a_dependency_without_its_entry_is_refused() -> Result<()> {
    test(|| {
        let add = |checkout: &Checkout| {
            for file in ["service/package.json", "service/package-lock.json"] {
                checkout.replace(
                    file,
                    "\"dependencies\": {",
                    "\"dependencies\": {\"left-pad\": \"1.3.0\",",
                )?;
            }
            Ok(())
        };
        ensure_commit_is_refused(add, &["no entry for `left-pad`", "`npm install --package-lock-only`"])
    })
}

#[test]
fn a_base_image_without_a_digest_is_refused() -> Result<()> {
    test(|| {
        let unpin = |checkout: &Checkout| {
            let dockerfile = String::from_utf8(checkout.committed("Dockerfile")?)?;
            let unpinned: Vec<_> = dockerfile
                .lines()
                .map(|line| if line.starts_with("FROM node") { "FROM node:22-slim" } else { line })
                .collect();
            checkout.write("Dockerfile", &(unpinned.join("\n") + "\n"))
        };
        ensure_commit_is_refused(
            unpin,
            &["`FROM node:22-slim` names no digest", "@sha256:", "imagetools inspect"],
        )
    })
}

#[test]
fn a_download_that_only_the_builder_sees_is_refused() -> Result<()> {
    test(|| {
        let add = |checkout: &Checkout| {
            let line = "AS dependencies\nARG WHERE=https:\nADD ${WHERE}//files.example.org/x /x\n";
            checkout.replace("Dockerfile", "AS dependencies\n", line)
        };
        let words =
            ["asks for `https://files.example.org/x`", "the builder denied it", "ADD --checksum=sha256:"];
        ensure_commit_is_refused(add, &words)
    })
}

#[test]
fn a_final_stage_instruction_that_builders_store_differently_is_refused() -> Result<()> {
    test(|| {
        for line in ["HEALTHCHECK CMD true", "EXPOSE 3000", "ARG VERSION"] {
            let append = |checkout: &Checkout| {
                let dockerfile = String::from_utf8(checkout.committed("Dockerfile")?)?;
                checkout.write("Dockerfile", &format!("{dockerfile}{line}\n"))
            };
            ensure_commit_is_refused(append, &[line, "final stage", "differ"])?;
        }
        Ok(())
    })
}
