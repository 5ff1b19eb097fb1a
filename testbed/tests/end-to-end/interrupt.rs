//! Ctrl-C and SIGTERM in the middle of a run: the exit code says so, and nothing is left.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;

use crate::harness::checkout::Checkout;
use crate::harness::processes;
use crate::harness::run::{Running, Xtask};
use crate::harness::{test, wait_for};

/// A build that takes longer than any test. No other process has this number.
const LONG_BUILD: &str = "sleep 86423";

/// How long an engine may take to make a requested container, with room to spare.
const LATE: Duration = Duration::from_secs(2);

/// Sends `signal` and checks the end.
fn ensure_ends(checkout: &Checkout, running: Running, signal: Signal, code: i32) -> Result<()> {
    running.signal(signal)?;
    let finished = running.wait()?;
    ensure!(finished.code == code, "exit code {}, expected {code}:\n{}", finished.code, finished.stderr);
    let why = format!("stopped by {signal}");
    ensure!(finished.stderr.contains(&why), "it does not say `{why}`:\n{}", finished.stderr);
    ensure!(finished.stdout.is_empty(), "standard output is for results:\n{}", finished.stdout);
    let pages = checkout.pages()?;
    ensure!(pages.iter().all(|name| name == "cosign.pub"), "pages: {pages:?}");
    checkout.ensure_nothing_is_left()
}

/// Commits a service that never answers. As the first process of its container, it does not react to SIGTERM either.
fn never_answers(checkout: &Checkout) -> Result<()> {
    let silent = "ENTRYPOINT [\"node\", \"-e\", \"setInterval(() => {}, 1000)\"]";
    checkout.replace("Dockerfile", "ENTRYPOINT [\"node\", \"/app/src/server.js\"]", silent)?;
    checkout.commit("a service that does not answer")
}

/// Whether a process of the run has all of `words` among its arguments.
fn runs(checkout: &Checkout, words: &[&str]) -> Result<Option<()>> {
    let found = processes::of(checkout)?
        .iter()
        .any(|process| words.iter().all(|word| process.arguments.contains(word)));
    Ok(found.then_some(()))
}

#[test]
fn ctrl_c_during_the_build() -> Result<()> {
    test(|| {
        let checkout = Checkout::new()?;
        checkout.replace("Dockerfile", "COPY service/src", &format!("RUN {LONG_BUILD}\nCOPY service/src"))?;
        checkout.commit("a long build")?;
        let builds = || -> Result<bool> {
            Ok(processes::all()?.iter().any(|process| process.arguments.trim_end() == LONG_BUILD))
        };
        let mut running = Xtask::new(&checkout, &["rehearse"]).start()?;
        running.until("the build is under way", |_| Ok(builds()?.then_some(())))?;
        ensure_ends(&checkout, running, Signal::SIGINT, 130)?;
        wait_for("the end of the build in the engine", || Ok((!builds()?).then_some(())))
    })
}

#[test]
fn ctrl_c_while_the_container_is_queried() -> Result<()> {
    test(|| {
        let checkout = Checkout::new()?;
        never_answers(&checkout)?;
        let mut running = Xtask::new(&checkout, &["rehearse"]).start()?;
        running.until("the container runs", |_| {
            Ok(checkout.containers()?.iter().any(|(_, state)| state == "running").then_some(()))
        })?;
        ensure_ends(&checkout, running, Signal::SIGINT, 130)
    })
}

#[test]
fn sigterm_while_the_container_starts() -> Result<()> {
    test(|| {
        let checkout = Checkout::new()?;
        // On a busy machine, docker may take longer to list a container than a healthy one exists.
        never_answers(&checkout)?;
        let mut running = Xtask::new(&checkout, &["rehearse"]).start()?;
        running.until("the container exists", |_| Ok((!checkout.containers()?.is_empty()).then_some(())))?;
        ensure_ends(&checkout, running, Signal::SIGTERM, 143)
    })
}

#[test]
fn sigterm_before_the_engine_has_made_the_container() -> Result<()> {
    test(|| {
        let checkout = Checkout::new()?;
        let mut running = Xtask::new(&checkout, &["rehearse"]).start()?;
        running.until("`docker run`", |_| runs(&checkout, &["docker run ", "-smoke-"]))?;
        ensure_ends(&checkout, running, Signal::SIGTERM, 143)?;
        // The engine may continue a request whose client is gone, so nothing may turn up later either.
        let window = Instant::now() + LATE;
        while Instant::now() < window {
            checkout.ensure_nothing_is_left()?;
        }
        Ok(())
    })
}

#[test]
fn sigterm_while_signing() -> Result<()> {
    test(|| {
        let checkout = Checkout::new()?;
        let mut running = Xtask::new(&checkout, &["rehearse"]).start()?;
        running.until("`cosign sign`", |_| runs(&checkout, &["cosign sign ", "env://"]))?;
        ensure_ends(&checkout, running, Signal::SIGTERM, 143)
    })
}
