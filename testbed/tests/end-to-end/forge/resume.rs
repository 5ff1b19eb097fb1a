//! A release that was killed: the same command continues from the state in the registry and on the forge.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use testbed::forge_client::State;
use testbed::proxy::{Fault, ObservedRequest, Proxy};

use super::project::Project;
use super::snapshot::Snapshot;
use crate::harness::run::Xtask;
use crate::harness::test;

/// What is killed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Victim {
    /// The release and everything that it started, as when the machine goes down.
    All,
    /// Only the release itself. What it started continues beside the next run.
    Itself,
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
    // It had built and pushed the image before it was killed, because the line of `smoke` has the image's digest.
    ensure!(said.contains(digest.as_str()), "the first run made another image than {digest}:\n{said}");
    let after = Snapshot::of(project)?;
    ensure!(after.tags[tag] == digest.as_str() && after.tags["latest"] == digest.as_str(), "{after:#?}");
    ensure!(!after.image_tags().iter().any(|tag| tag.starts_with("candidate")), "{:?}", after.image_tags());
    ensure!(!after.page(tag)?.draft, "the page is a draft");
    project.ensure_signed_once(&digest)?;
    project.clean_up()
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn a_release_killed_in_the_smoke_test_ends_with_the_digest_of_a_rehearsal() -> Result<()> {
    test(|| {
        let project = Project::ready()?;
        kill_and_resume(&project, "v0.1.0", "smoke", Victim::Itself)?;
        let rehearsal = Xtask::new(&project.checkout, &["rehearse", "v0.1.0"]).run()?.success()?;
        assert_eq!(rehearsal.digest()?.as_str(), project.digest("v0.1.0")?);
        Ok(())
    })
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn a_release_killed_while_signing_or_attesting_is_resumed() -> Result<()> {
    test(|| {
        let project = Project::ready()?;
        kill_and_resume(&project, "v0.1.0", "sign", Victim::All)?;
        kill_and_resume(&project, "v0.1.1", "store", Victim::Itself)
    })
}

#[test]
fn a_release_killed_while_publishing_is_resumed() -> Result<()> {
    test(|| {
        let project = Project::ready()?;
        kill_and_resume(&project, "v0.1.0", "tag", Victim::All)?;
        kill_and_resume(&project, "v0.1.1", "page", Victim::All)
    })
}

/// Releases `tag` at HEAD, stops it as soon as `step` begins, and releases again. The stopped run must say `said` about
/// the next run, and that must be true.
fn stop_and_resume(project: &Project, tag: &str, step: &str, said: &str) -> Result<()> {
    project.push_tag(tag)?;
    let mut running = project.laptop(&["release", tag]).start()?;
    running.until_step(step)?;
    running.signal(Signal::SIGTERM)?;
    let stopped = running.wait()?;
    ensure!(stopped.code == 143, "it ended with {}:\n{}", stopped.code, stopped.stderr);
    ensure!(stopped.stderr.contains(said), "it does not say `{said}`:\n{}", stopped.stderr);
    let is_public = Snapshot::of(project)?.tags.contains_key(tag);
    ensure!(is_public == said.contains("is public"), "it says `{said}`, and public is {is_public}");
    project.laptop(&["release", tag]).run()?.success()?;
    project.clean_up()
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn a_stopped_release_says_what_the_next_run_will_do() -> Result<()> {
    test(|| {
        let project = Project::ready()?;
        stop_and_resume(&project, "v0.1.0", "smoke", "this run pushed no version tag: the next run")?;
        stop_and_resume(&project, "v0.1.1", "page", "the version tag is public and names the verified image")
    })
}

/// A project that reaches the forge through a proxy, with v0.2.0 released and v0.1.1 to release. The forge would then
/// show the page of v0.1.1 as its latest, so the page of v0.2.0 is hidden and shown again.
fn backport_to_release() -> Result<(Project, Proxy)> {
    let project = Project::new()?;
    let proxy = project.go_by_proxy()?;
    let newer = project.commit("feat: the new line")?;
    let backport = project.commit("fix: for the old line")?;
    project.push_main()?;
    // The order matters: the forge shows the page of the newest commit as its latest. If two are equally new, it shows
    // the page of the tag that came last.
    let push = |tag: &str, commit: &str| -> Result<()> {
        project.set_status(commit, State::Success)?;
        project.checkout.git(&["tag", tag, commit])?;
        project.push_tags()
    };
    push("v0.2.0", &newer)?;
    project.laptop(&["release", "v0.2.0"]).run()?.success()?;
    push("v0.1.1", &backport)?;
    Ok((project, proxy))
}

/// Whether the request changes a page. Preflight tests the right to do that with the number 0, which no page has.
fn changes_a_page(request: &ObservedRequest) -> bool {
    let is_page = request.path.contains("/releases/") && !request.path.ends_with("/releases/0");
    request.method == "PATCH" && is_page
}

fn is_hidden(project: &Project) -> Result<bool> {
    Ok(project.repository.release("v0.2.0")?.context("the page is gone")?.draft)
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn ctrl_c_while_the_highest_page_is_hidden_shows_it_again() -> Result<()> {
    test(|| {
        let (project, proxy) = backport_to_release()?;
        // The forge hides the page, and its answer is held back.
        let (changes, (release, held)) = (AtomicUsize::new(0), Fault::held());
        proxy.set_rule(move |request| {
            let is_change = changes_a_page(request);
            let is_second = is_change && changes.fetch_add(1, Ordering::SeqCst) == 1;
            if is_second { held.clone() } else { Fault::Pass }
        });
        let mut running = project.laptop(&["release", "v0.1.1"]).start()?;
        running.until("the hidden page", |_| Ok(is_hidden(&project)?.then_some(())))?;
        running.signal(Signal::SIGINT)?;
        let ended = running.wait()?;
        drop(release);
        ensure!(ended.code == 130, "exit code {}:\n{}", ended.code, ended.stderr);
        ensure!(!is_hidden(&project)?, "the page of v0.2.0 is still hidden:\n{}", ended.stderr);
        project.clean_up()
    })
}

/// An ordinary release does not have this step, so the matrix of docs/reliability.md does not cover it.
#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn a_release_killed_while_the_highest_page_is_hidden_shows_it_when_resumed() -> Result<()> {
    test(|| {
        let (project, proxy) = backport_to_release()?;

        // The first change shows the run's own page, the second hides the other page. The third, which would show
        // it again, never arrives.
        let changes = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&changes);
        proxy.set_rule(move |request| {
            let is_change = changes_a_page(request);
            let is_third = is_change && counted.fetch_add(1, Ordering::SeqCst) == 2;
            if is_third { Fault::Hang } else { Fault::Pass }
        });
        let mut running = project.laptop(&["release", "v0.1.1"]).start()?;
        // Waits for the third change: a curl that was left running would send it once the proxy lets everything
        // pass again.
        running.until("the third change", |_| Ok((changes.load(Ordering::SeqCst) > 2).then_some(())))?;
        running.signal(Signal::SIGKILL)?;
        running.wait()?;
        proxy.pass();
        ensure!(is_hidden(&project)?, "the page of v0.2.0 is not hidden");

        project.laptop(&["release", "v0.1.1"]).run()?.success()?;
        let after = Snapshot::of(&project)?;
        ensure!(after.pages.len() == 2 && after.pages.iter().all(|page| !page.draft), "{after:#?}");
        ensure!(project.latest_page()? == "v0.2.0", "the forge shows another page as its latest");
        ensure!(after.tags["latest"] == after.tags["v0.2.0"], "{after:#?}");
        project.clean_up()
    })
}
