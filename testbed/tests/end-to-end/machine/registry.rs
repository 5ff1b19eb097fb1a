//! A registry that is killed and started again while an image is pushed to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use testbed::proxy::{Exchange, Fault, Proxy};
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
                // An error means that it is gone, which is what the test then sees.
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
