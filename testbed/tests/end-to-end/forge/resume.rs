//! A release that was killed: the same command goes on from what the registry and the forge show.

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;

use super::project::Project;
use super::snapshot::Snapshot;
use crate::harness::run::Xtask;
use crate::harness::test;

/// What dies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Victim {
    /// The release and all that it started, as when the machine goes down.
    All,
    /// The release alone: what it started goes on beside the next run.
    Alone,
}

/// Releases `tag` at HEAD, kills it as soon as `step` begins, and releases it again.
fn kill_and_resume(project: &Project, tag: &str, step: &str, victim: Victim) -> Result<()> {
    project.push_tag(tag)?;
    let mut running = project.laptop(&["release", tag]).start()?;
    let said = running.until_step(step)?;
    running.signal(Signal::SIGKILL)?;
    let killed = running.wait()?;
    ensure!(killed.code == -9, "it ended by itself with {}:\n{}", killed.code, killed.stderr);
    if victim == Victim::All {
        project.clean_up()?;
    }

    let resumed = project.laptop(&["release", tag]).run()?.success()?;
    let digest = resumed.digest()?;
    // It was built and pushed before it was killed: the line of `smoke` has the image by digest.
    ensure!(said.contains(digest.as_str()), "the first run made another image than {digest}:\n{said}");
    let after = Snapshot::of(project)?;
    ensure!(after.tags[tag] == digest.as_str() && after.tags["latest"] == digest.as_str(), "{after:#?}");
    ensure!(!after.image_tags().iter().any(|tag| tag.starts_with("candidate")), "{:?}", after.image_tags());
    ensure!(!after.page(tag)?.draft, "the page is a draft");
    project.ensure_signed_once(&digest)?;
    project.clean_up()
}

#[test]
fn killed_while_the_image_is_tried_it_ends_in_the_digest_of_a_rehearsal() -> Result<()> {
    test(|| {
        let project = Project::ready()?;
        kill_and_resume(&project, "v0.1.0", "smoke", Victim::Alone)?;
        let rehearsal = Xtask::new(&project.checkout, &["rehearse", "v0.1.0"]).run()?.success()?;
        assert_eq!(rehearsal.digest()?.as_str(), project.digest("v0.1.0")?);
        Ok(())
    })
}

#[test]
fn killed_while_it_signs_and_attests() -> Result<()> {
    test(|| {
        let project = Project::ready()?;
        kill_and_resume(&project, "v0.1.0", "sign", Victim::All)?;
        kill_and_resume(&project, "v0.1.1", "store", Victim::Alone)
    })
}

#[test]
fn killed_while_it_publishes() -> Result<()> {
    test(|| {
        let project = Project::ready()?;
        kill_and_resume(&project, "v0.1.0", "tag", Victim::All)?;
        kill_and_resume(&project, "v0.1.1", "page", Victim::All)
    })
}
