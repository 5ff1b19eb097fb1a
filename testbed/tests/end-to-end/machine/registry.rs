//! A registry that is killed and restarted while an image is pushed to it, and one that stops answering.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use testbed::proxy::{Exchange, Fault, Proxy, RequestSeen};
use testbed::spare::Spare;

use super::scene::Scene;
use crate::harness::{environment, test};

#[test]
fn the_registry_is_killed_between_blob_and_manifest() -> Result<()> {
    test(|| {
        let mut registry = Spare::registry(&environment(), None)?;
        let proxy = Proxy::start(registry.address().parse()?)?;
        let mut scene = Scene::new()?;
        scene.push_to(registry.address(), &proxy.address().to_string())?;
        scene.push()?;

        let (killed, pid) = (Arc::new(AtomicBool::new(false)), registry.pid());
        let first = Arc::clone(&killed);
        proxy.set_rule(move |request| {
            let is_it = request.method == "PUT" && request.path.contains("/manifests/");
            if is_it && !first.swap(true, Ordering::SeqCst) {
                // An error means that it is already gone, which the test sees below.
                kill(pid, Signal::SIGKILL).ok();
                return Fault::CutBefore;
            }
            Fault::Pass
        });
        let mut running = scene.release().start()?;
        running.until("the first manifest", |_| Ok(killed.load(Ordering::SeqCst).then_some(())))?;
        registry.start_again()?;
        let run = running.wait()?.success().context("the builder pushes again what was lost")?;
        let log = proxy.take().exchanges;
        let manifest = log.iter().position(|one| one.fault == "cut before").context("nothing was cut off")?;
        let is_blob =
            |one: &Exchange| one.request.method == "PUT" && one.request.path.contains("/blobs/uploads/");
        ensure!(log[..manifest].iter().any(is_blob), "no blob came before the manifest: {log:?}");
        scene.ensure_released(&run)?;
        scene.ensure_finishes()
    })
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn the_registry_hangs_in_the_push() -> Result<()> {
    test(|| {
        // Preflight opens an upload but puts nothing into it.
        let is_blob = |request: &RequestSeen| {
            matches!(&*request.method, "PUT" | "PATCH") && request.path.contains("/blobs/uploads/")
        };
        hangs(is_blob, &["step `build`", "`docker buildx build "])
    })
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn the_registry_hangs_in_the_pull() -> Result<()> {
    test(|| {
        let (is_pushed, is_read) = (AtomicBool::new(false), AtomicBool::new(false));
        let is_pull = move |request: &RequestSeen| {
            let is = |method, what| request.method == method && request.path.contains(what);
            let pushed = is_pushed.fetch_or(is("PUT", "/manifests/candidate-"), Ordering::SeqCst);
            // `xtask` itself first asks whether anyone may have the image, and then reads the images'
            // configurations.
            let read = is_read.fetch_or(pushed && is("GET", "/blobs/sha256:"), Ordering::SeqCst);
            read && is("HEAD", "/manifests/sha256:")
        };
        hangs(is_pull, &["step `smoke`", "`docker pull "])
    })
}

/// From the first request that `begins` selects, the forge answers nothing. The release must end long before the
/// step's timeout, and its error must say `words`.
fn hangs(begins: impl Fn(&RequestSeen) -> bool + Send + Sync + 'static, words: &[&str]) -> Result<()> {
    let (scene, proxy) = Scene::by_proxy()?;
    scene.configure("timeouts = { http = 4 }")?;
    scene.push()?;
    let has_begun = AtomicBool::new(false);
    proxy.set_rule(move |request| {
        let begins = begins(request);
        if has_begun.fetch_or(begins, Ordering::SeqCst) || begins { Fault::Hang } else { Fault::Pass }
    });
    let run = scene.release().run()?;
    proxy.pass();
    let is_again = |line: &str| line.contains("trying again");
    ensure!(!run.stderr.lines().any(is_again), "it was tried again:\n{}", run.stderr);
    scene.ensure_transient(&run, &[words, &["` was ended: asking `GET ", "/v2/`: no answer: "]].concat())?;
    scene.ensure_finishes()
}
