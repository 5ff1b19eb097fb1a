//! The engine is killed during the build, the smoke test or the push. All tests share the engine, so each of these
//! tests runs alone, and restarts the engine before it ends, whatever its result.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use testbed::proxy::Fault;

use super::scene::Scene;
use crate::harness::processes::{self, Process};
use crate::harness::run::Finished;
use crate::harness::{alone, call, environment, export, read, wait_for};

/// A step of the build that can be seen before it ends. No other process has this number.
const STEP: &str = "sleep 3.86423";

/// The testbed's own engine.
struct Engine {
    pid: Pid,
    /// Its settings, which distinguish its command line from that of any other engine.
    settings: PathBuf,
}

impl Engine {
    fn new() -> Result<Self> {
        let host = export("DOCKER_HOST")?;
        let why = || {
            format!(
                "`DOCKER_HOST` is `{host}`, which `cargo testbed up` did not start. Only an engine that it started may \
                 be killed, so this test cannot run here"
            )
        };
        let dir =
            host.strip_prefix("unix://").and_then(|socket| Path::new(socket).parent()).with_context(why)?;
        let (file, settings) = (dir.join("dockerd.pid"), dir.join("dockerd.json"));
        let pid: i32 = fs::read_to_string(&file).with_context(why)?.trim().parse().with_context(why)?;
        let engine = Self { pid: Pid::from_raw(pid), settings };
        let is_it = engine.process()?.is_some_and(|process| process.pid == engine.pid);
        ensure!(is_it, why());
        Ok(engine)
    }

    fn process(&self) -> Result<Option<Process>> {
        let settings = format!("{} ", self.settings.display());
        let is_it = |process: &Process| process.name() == "dockerd" && process.arguments.contains(&settings);
        Ok(processes::all()?.into_iter().find(is_it))
    }

    fn kill(&self) -> Result<()> {
        kill(self.pid, Signal::SIGKILL).context("killing the engine")
    }

    /// Restarts the engine after it was killed, which must have made `run` fail.
    fn bring_up(&self, run: &Finished) -> Result<()> {
        ensure!(run.code != 0, "the run did not need the engine:\n{}", run.stderr);
        wait_for("the end of the engine", || Ok(self.process()?.is_none().then_some(())))?;
        self.up()
    }

    fn up(&self) -> Result<()> {
        let mut up = call(env!("CARGO_BIN_EXE_testbed"), &["up"])?;
        for (key, value) in environment().testbed()? {
            up = up.env(key, value);
        }
        up.run()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let is_up = self.process().map(|process| process.is_some());
        let brought = is_up.and_then(|is_up| if is_up { Ok(()) } else { self.up() });
        if let Err(error) = brought {
            eprintln!("bringing the engine up again: {error:#}; run `cargo testbed up`");
        }
    }
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn the_engine_is_killed_during_the_build() -> Result<()> {
    alone(|| {
        let (scene, engine) = (Scene::new()?, Engine::new()?);
        scene.project.checkout.replace("Dockerfile", "=none printf", &format!("=none {STEP} && printf"))?;
        scene.push()?;
        let mut running = scene.release().start()?;
        running.until("the build is under way", |_| {
            let is_it = |process: &Process| process.arguments.trim_end() == STEP;
            Ok(processes::all()?.iter().any(is_it).then_some(()))
        })?;
        engine.kill()?;
        let run = running.wait()?;
        engine.bring_up(&run)?;
        scene.ensure_failed(&run, &["step `build`: docker's engine has gone", "`systemctl start docker`"])?;
        scene.ensure_finishes()
    })
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn the_engine_is_killed_during_the_smoke_test() -> Result<()> {
    alone(|| {
        let (scene, engine) = (Scene::new()?, Engine::new()?);
        // Slow enough that the container is seen before it answers.
        let slow = "ENTRYPOINT [\"sh\", \"-c\", \"sleep 2 && exec node /app/src/server.js\"]";
        scene.project.checkout.replace(
            "Dockerfile",
            "ENTRYPOINT [\"node\", \"/app/src/server.js\"]",
            slow,
        )?;
        scene.push()?;
        let mut running = scene.release().start()?;
        let name = running.until("the container runs", |_| {
            let containers = scene.project.checkout.containers()?;
            Ok(containers.into_iter().find(|(_, state)| state == "running").map(|(name, _)| name))
        })?;
        engine.kill()?;
        let run = running.wait()?;
        engine.bring_up(&run)?;
        // Nobody could remove the container, so the message says how to do it.
        let remove = ["rm", "--force", &name];
        ensure!(run.stderr.contains(&format!("`docker {}`", remove.join(" "))), "{}", run.stderr);
        // The probe that queries it is left as well, and so is their network.
        for (name, _) in scene.project.checkout.containers()? {
            read("docker", &["rm", "--force", "--volumes", &name])?;
        }
        for name in scene.project.checkout.networks()? {
            let remove = ["network", "rm", &name];
            ensure!(run.stderr.contains(&format!("`docker {}`", remove.join(" "))), "{}", run.stderr);
            read("docker", &remove)?;
        }
        scene.ensure_failed(&run, &["step `smoke`", "Cannot connect to the Docker daemon"])?;
        scene.ensure_finishes()
    })
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn the_engine_is_killed_during_the_push() -> Result<()> {
    alone(|| {
        let ((scene, proxy), engine) = (Scene::by_proxy()?, Engine::new()?);
        scene.push()?;
        let (killed, pid) = (Arc::new(AtomicBool::new(false)), engine.pid);
        let first = Arc::clone(&killed);
        proxy.set_rule(move |request| {
            // Preflight opens an upload but puts nothing into it.
            let is_it =
                matches!(&*request.method, "PUT" | "PATCH") && request.path.contains("/blobs/uploads/");
            if is_it && !first.swap(true, Ordering::SeqCst) {
                // An error means that it is already gone, which the test sees below.
                kill(pid, Signal::SIGKILL).ok();
            }
            Fault::Pass
        });
        let run = scene.release().run()?;
        ensure!(killed.load(Ordering::SeqCst), "no blob was pushed:\n{}", run.stderr);
        engine.bring_up(&run)?;
        scene.ensure_failed(&run, &["step `build`: docker's engine has gone", "`systemctl start docker`"])?;
        scene.ensure_finishes()
    })
}
