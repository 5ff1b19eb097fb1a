//! An image whose content does not match its platform or the lockfile is refused before anything is signed.

use anyhow::{Result, ensure};

use crate::bad_input::REFUSED;
use crate::harness::checkout::Checkout;
use crate::harness::run::Xtask;
use crate::harness::{export, image, test};

/// A line in the stage that prepares the service. For every platform, that stage runs on the building machine's own.
const STAGE: &str = "COPY service/src ./src\n";

/// Rehearses a commit of `checkout` whose Dockerfile has `line` after [`STAGE`]. The rehearsal must refuse it with
/// these `words`, and leave nothing in the registry but an unsigned candidate.
fn ensure_refused(checkout: &Checkout, line: &str, words: &[&str]) -> Result<()> {
    checkout.replace("Dockerfile", STAGE, &format!("{STAGE}{line}\n"))?;
    checkout.commit("an image that must not leave")?;
    let run = Xtask::new(checkout, &["rehearse"]).run()?;
    ensure!(run.code == REFUSED, "exit code {}:\n{}{}", run.code, run.stdout, run.stderr);
    for word in words {
        ensure!(run.stderr.contains(word), "the message does not say `{word}`:\n{}", run.stderr);
    }
    let (registry, repositories) = (export("TESTBED_REGISTRY")?, checkout.repositories()?);
    ensure!(!repositories.is_empty(), "no candidate was pushed");
    for repository in repositories {
        let tags = image::tags(&format!("{registry}/{repository}"))?;
        ensure!(tags.iter().all(|tag| tag.starts_with("candidate-")), "in the registry: {tags:?}");
    }
    checkout.ensure_nothing_is_left()
}

#[test]
fn a_binary_for_another_platform_is_refused() -> Result<()> {
    test(|| {
        let other = if cfg!(target_arch = "x86_64") { "linux/arm64" } else { "linux/amd64" };
        ensure_refused(
            &Checkout::for_both_platforms()?,
            "RUN mkdir -p node_modules/native/build && cp /bin/true node_modules/native/build/addon.node && \
             printf '{\"name\":\"native\",\"version\":\"1.0.0\"}' > node_modules/native/package.json",
            &[
                &format!("the image for `{other}`"),
                "has binaries that cannot run there",
                "addon.node",
                "npm package `native",
                "docs/services.md#native-modules",
            ],
        )
    })
}

#[test]
fn a_package_that_the_lockfile_does_not_install_is_refused() -> Result<()> {
    test(|| {
        ensure_refused(
            &Checkout::new()?,
            "RUN mkdir -p node_modules/extra && \
             printf '{\"name\":\"extra\",\"version\":\"1.0.0\"}' > node_modules/extra/package.json",
            &["does not have the packages that the lockfile installs", "extra", "--omit=dev"],
        )
    })
}
