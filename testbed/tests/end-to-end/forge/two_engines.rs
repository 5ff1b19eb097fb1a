//! One release on two engines that compress layers in different ways: the same content, and one version tag.

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;

use super::project::Project;
use super::rebuild::verdict;
use super::snapshot::Snapshot;
use crate::harness::run::{Finished, Xtask};
use crate::harness::{environment, test};

/// If set, the first run is killed at every step and not only at some of them.
const EVERY_STEP: &str = "TESTBED_EVERY_STEP";

/// What everyone sees of a finished release of `tag`: every name leads to one digest. Returns that digest.
fn ensure_one_release(project: &Project, tag: &str) -> Result<String> {
    let after = Snapshot::of(project)?;
    let digest = project.digest(tag)?;
    ensure!(after.tags[tag] == digest && after.tags["latest"] == digest, "{after:#?}");
    ensure!(!after.image_tags().iter().any(|tag| tag.starts_with("candidate")), "{:?}", after.image_tags());
    ensure!(!after.page(tag)?.draft, "the page is a draft");
    let verified = project.laptop(&["verify", tag]).run()?.success()?;
    ensure!(verified.stdout.contains(&digest), "{}", verified.stdout);
    Ok(digest)
}

/// Releases `tag` on the second engine, kills it as soon as `step` begins, and releases it on the first.
fn begin_on_one_and_finish_on_the_other(project: &Project, tag: &str, step: &str) -> Result<Finished> {
    project.push_tag(tag)?;
    let mut running = project.laptop(&["release", tag]).on_the_second_engine()?.start()?;
    running.until_step(step)?;
    running.signal(Signal::SIGKILL)?;
    let killed = running.wait()?;
    ensure!(killed.code == -9, "it ended by itself with {}:\n{}", killed.code, killed.stderr);
    project.clean_up()?;
    let finished = project.laptop(&["release", tag]).run()?.success()?;
    let digest = ensure_one_release(project, tag)?;
    ensure!(finished.digest()?.as_str() == digest, "it printed another digest:\n{}", finished.stdout);
    Ok(finished)
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn a_release_that_was_killed_on_one_engine_is_finished_on_the_other() -> Result<()> {
    test(|| {
        let project = Project::ready()?;
        let steps = match environment().get(EVERY_STEP)? {
            Some(_) => {
                &["build", "smoke", "contents", "sign", "attest", "store", "verify", "tag", "page", "latest"]
                    [..]
            }
            None => &["smoke", "store", "page"],
        };
        for (number, step) in steps.iter().enumerate() {
            begin_on_one_and_finish_on_the_other(&project, &format!("v0.1.{number}"), step)?;
        }
        Ok(())
    })
}

#[test]
fn two_runs_at_once_on_two_engines_end_in_one_release() -> Result<()> {
    test(|| {
        let project = Project::ready()?;
        for (tag, step) in [("v0.1.0", "release"), ("v0.1.1", "sign")] {
            project.push_tag(tag)?;
            let mut first = project.laptop(&["release", tag]).start()?;
            first.until_step(step)?;
            let second = project.laptop(&["release", tag]).on_the_second_engine()?.start()?;
            let (first, second) = (first.wait()?.success()?, second.wait()?.success()?);
            let digest = ensure_one_release(&project, tag)?;
            for run in [first, second] {
                ensure!(run.digest()?.as_str() == digest, "it ended at another digest:\n{}", run.stdout);
            }
        }
        project.checkout.ensure_nothing_is_left()
    })
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn a_rebuild_on_the_other_engine_holds_and_reports_the_other_compression() -> Result<()> {
    test(|| {
        let project = Project::for_both_platforms()?.pushed()?;
        project.push_tag("v0.1.0")?;
        project.laptop(&["release", "v0.1.0"]).run()?.success()?;
        let rebuild = Xtask::new(&project.checkout, &["verify", "v0.1.0", "--rebuild"]);
        let run = rebuild.on_the_second_engine()?.run()?.success()?;
        let (mark, why) = verdict(&run)?;
        ensure!(mark == "ok" && why.contains("compressed in another way"), "{}", run.stdout);

        // If the second engine has set the tag, a release on the first engine keeps its digest.
        project.push_tag("v0.1.1")?;
        let released = project.laptop(&["release", "v0.1.1"]).on_the_second_engine()?.run()?.success()?;
        let again = project.laptop(&["release", "v0.1.1"]).run()?.success()?;
        ensure!(again.stdout.contains("finished before, nothing was changed"), "{}", again.stdout);
        ensure!(again.digest()? == released.digest()?, "{}{}", released.stdout, again.stdout);
        Ok(())
    })
}
