//! A registry that is killed and restarted while an image is pushed to it, one that stops answering, and one that
//! forbids deletes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use testbed::proxy::{Exchange, Fault, ObservedRequest, Proxy};
use testbed::spare::Spare;
use xtask::evidence::attached::Kind;
use xtask::oci::reference::Tag;
use xtask::oci::registry::Removal;

use super::scene::{Scene, TAG};
use crate::forge::refused::attach;
use crate::harness::{call, environment, export, test};

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

/// distribution deletes nothing unless it is configured to, and can never delete a single tag.
#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn the_registry_forbids_deletes_and_the_printed_command_removes_the_signatures() -> Result<()> {
    test(|| {
        let mut registry = Spare::registry_that_keeps_all(&environment())?;
        let mut scene = Scene::new()?;
        scene.push_to(registry.address(), registry.address())?;
        scene.push()?;
        let rehearsed = scene.xtask(&["rehearse", TAG]).run()?.success()?.digest()?;
        let signature = Kind::Signatures.tag(&rehearsed);
        let foreign = attach(&scene.registry(), &rehearsed)?;
        let refused = scene.release().run()?;
        ensure!(refused.code == 1, "it ended with {}:\n{}", refused.code, refused.stderr);
        for said in
            ["`attachments` is false", "keeps its signatures: the registry answers 405 to their removal"]
        {
            ensure!(refused.stderr.contains(said), "it does not say `{said}`:\n{}", refused.stderr);
        }
        ensure!(scene.registry().digest_of(&signature)?.is_some(), "there is no signature to remove");
        ensure!(scene.registry().digest_of(&TAG.parse::<Tag>()?)?.is_none(), "`{TAG}` is public");

        // The registry is configured to allow deletes, and somebody runs the printed command.
        registry.allow_deletes()?;
        let printed =
            refused.stderr.split_once("remove them with `").and_then(|(_, rest)| rest.split_once('`'));
        let (command, _) = printed.with_context(|| format!("no command is printed:\n{}", refused.stderr))?;
        let crane = export("TESTBED_CRANE")?;
        let command = format!("set -e\ncrane() {{ {crane} \"$@\"; }}\n{command}");
        call("sh", &["-c", &command])?.run().context("running the printed command")?;
        let left = scene.registry().tags()?;
        let is_of_candidate = |tag: &&String| tag.starts_with("sha256-") && **tag != foreign.to_string();
        ensure!(!left.iter().any(|tag| is_of_candidate(&tag)), "these are left: {left:?}");

        let foreign = scene.registry().digest_of(&foreign)?.context("the foreign SBOM is gone as well")?;
        ensure!(scene.registry().remove_manifest(&foreign)? == Removal::Gone, "the foreign SBOM stays");
        scene.ensure_finishes()
    })
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn the_registry_hangs_during_the_push() -> Result<()> {
    test(|| {
        // Preflight opens an upload but puts nothing into it.
        let is_blob = |request: &ObservedRequest| {
            matches!(&*request.method, "PUT" | "PATCH") && request.path.contains("/blobs/uploads/")
        };
        hangs(is_blob, &["step `build`", "`docker buildx build "])
    })
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn the_registry_hangs_during_the_pull() -> Result<()> {
    test(|| {
        let (is_pushed, is_read) = (AtomicBool::new(false), AtomicBool::new(false));
        let is_pull = move |request: &ObservedRequest| {
            let is = |method, what| request.method == method && request.path.contains(what);
            let pushed = is_pushed.fetch_or(is("PUT", "/manifests/candidate-"), Ordering::SeqCst);
            // `xtask` itself first checks whether anyone may read the image, and then reads the images'
            // configurations.
            let read = is_read.fetch_or(pushed && is("GET", "/blobs/sha256:"), Ordering::SeqCst);
            read && is("HEAD", "/manifests/sha256:")
        };
        hangs(is_pull, &["step `smoke`", "`docker pull "])
    })
}

/// From the first request for which `begins` is true, the forge no longer answers. The release must end long before
/// the step's timeout, and its error must say `words`.
fn hangs(begins: impl Fn(&ObservedRequest) -> bool + Send + Sync + 'static, words: &[&str]) -> Result<()> {
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
