//! Two runs of one release at once: both succeed, and the result is one release.

use anyhow::{Result, ensure};

use super::project::Project;
use super::snapshot::Snapshot;
use crate::harness::test;

const TAG: &str = "v0.1.0";

/// Starts a second run when the first one begins `step`, and lets both end.
fn run_twice(step: &str) -> Result<()> {
    let project = Project::ready()?;
    let watcher = project.watch()?;
    project.push_tag(TAG)?;
    let mut first = project.laptop(&["release", TAG]).start()?;
    first.until_step(step)?;
    let second = project.laptop(&["release", TAG]).start()?;
    let (first, second) = (first.wait()?.success()?, second.wait()?.success()?);
    let digest = first.digest()?;
    ensure!(second.digest()? == digest, "two digests:\n{}{}", first.stdout, second.stdout);
    watcher.finish(&[TAG])?;

    let after = Snapshot::of(&project)?;
    ensure!(after.tags[TAG] == digest.as_str() && after.tags["latest"] == digest.as_str(), "{after:#?}");
    ensure!(after.image_tags() == ["latest", TAG], "{:?}", after.image_tags());
    ensure!(!after.page(TAG)?.draft, "the page is a draft");
    project.ensure_signed_once(&digest)?;
    project.laptop(&["verify", TAG]).run()?.success()?;
    project.checkout.ensure_nothing_is_left()
}

#[test]
fn two_runs_from_the_start_end_in_one_release() -> Result<()> {
    test(|| run_twice("release"))
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn a_second_run_during_signing_ends_in_one_release() -> Result<()> {
    test(|| run_twice("sign"))
}
