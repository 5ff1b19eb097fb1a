//! One platform's image, in a network of its own: what stands beside it is started, then the service, which is asked and
//! stopped.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};

use crate::config::{Companion, Http, Smoke};
use crate::interrupt;
use crate::progress::both;
use crate::release::Release;
use crate::tool::docker::{Container, ContainerState, Network};
use crate::tool::{Output, Watch};

use super::image::Image;
use super::probe;
use super::report;

/// Between two looks whether the service still runs, while it is asked.
const LOOK: Duration = Duration::from_millis(250);

/// Between two tries of a command in a container that is still starting.
const PAUSE: Duration = Duration::from_millis(100);

/// How long docker may take for a container beside what runs in it.
const DOCKER: Duration = Duration::from_secs(30);

/// What is tried, and how.
pub(super) struct Attempt<'a, 'r> {
    pub(super) release: &'a Release<'r>,
    pub(super) image: &'a Image,
    /// The image whose node asks: the engine's own platform where there is one.
    pub(super) probe: &'a Image,
    /// How many times longer everything may take.
    pub(super) factor: u32,
}

/// The containers of an attempt; they end with it.
#[derive(Default)]
pub(super) struct Containers<'a> {
    pub(super) companions: Vec<(&'a Companion, Container<'a>)>,
    pub(super) service: OnceLock<Container<'a>>,
}

impl<'a> Attempt<'a, '_> {
    /// Starts, asks and stops.
    ///
    /// # Errors
    /// When it does not do what it should, with all that helps to find out why.
    pub(super) fn run(&self, network: &Network<'_>) -> Result<()> {
        let mut containers = Containers::default();
        let tried = self.start_companions(&mut containers, network).and_then(|()| {
            self.start_and_ask(&containers.service, network)?;
            self.stop(&containers.service)
        });
        tried.map_err(|error| report::explain(self, error, &containers))
    }

    pub(super) fn smoke(&self) -> &'a Smoke {
        &self.release.session.config.smoke
    }

    pub(super) fn patience(&self) -> Duration {
        self.smoke().start_timeout() * self.factor
    }

    fn start_companions(&self, containers: &mut Containers<'a>, network: &Network<'_>) -> Result<()> {
        for companion in &self.smoke().companions {
            let run = self.companion(companion, network.name());
            let started = self.release.tools.docker.start(&run);
            let doing = || format!("starting the companion `{}`", companion.alias);
            containers.companions.push((companion, started.with_context(doing)?));
        }
        for (companion, container) in &containers.companions {
            let who = format!("the companion `{}`", companion.alias);
            if companion.ready.is_empty() {
                let state = container.state()?;
                ensure!(state.running, "{who} {}", ended(&state));
            } else {
                self.until(container, &companion.ready, &who)?;
            }
        }
        Ok(())
    }

    fn start_and_ask(&self, service: &OnceLock<Container<'a>>, network: &Network<'_>) -> Result<()> {
        let run = self.service(network.name());
        let start = || {
            let container = self.release.tools.docker.start(&run).context("starting the service")?;
            service.set(container).map_err(|_second| anyhow!("the service was started twice"))
        };
        match self.smoke().http() {
            Some(http) => self.ask(&http, start, service, network)?,
            None => start()?,
        }
        match &self.smoke().command[..] {
            [] => Ok(()),
            command => self.until(started(service)?, command, "the service"),
        }
    }

    /// The probe is started beside the service: it waits for it.
    fn ask(
        &self,
        http: &Http<'_>,
        start: impl FnOnce() -> Result<()> + Send,
        service: &OnceLock<Container<'a>>,
        network: &Network<'_>,
    ) -> Result<()> {
        let has_failed = AtomicBool::new(false);
        let run = self.asking(http, network.name());
        let ((), asked) = both(
            || start().inspect_err(|_error| has_failed.store(true, Ordering::SeqCst)),
            || {
                let watch = Watch::new(LOOK, || match service.get() {
                    Some(container) => ensure_runs(container),
                    None if has_failed.load(Ordering::SeqCst) => bail!("there is no service to ask"),
                    None => Ok(()),
                });
                Ok(self.release.tools.docker.run(&run, self.patience() + DOCKER, Some(&watch)))
            },
        )?;
        let judged = match asked {
            Ok(output) if output.status.success() => {
                output.text().and_then(|text| probe::judge(&text, http, self.patience(), self.release.source))
            }
            Ok(output) => Err(self.no_probe(&output)),
            Err(error) => Err(error.context("asking the service")),
        };
        // A service that has ended is the reason for whatever else was seen.
        judged.or_else(|error| {
            interrupt::check()?;
            ensure_runs(started(service)?)?;
            Err(error)
        })
    }

    fn no_probe(&self, output: &Output) -> anyhow::Error {
        let node = self.probe.node();
        match output.status.code() {
            Some(127) => anyhow!(
                "the image has no `{node}`, which asks the service from a second container; for a service without node \
                 set `smoke.command` in place of `port` and `health`"
            ),
            code => anyhow!(
                "`{node}` of the image, which asks the service from a second container, exited with {}: {}",
                code.map_or_else(|| "a signal".to_owned(), |code| code.to_string()),
                output.stderr.trim()
            ),
        }
    }

    /// Runs `command` in `container` until it succeeds.
    fn until(&self, container: &Container<'_>, command: &[String], who: &str) -> Result<()> {
        let began = Instant::now();
        let deadline = began + self.patience();
        loop {
            let left = deadline.saturating_duration_since(Instant::now()).max(PAUSE);
            let tried = container.exec(command, left).and_then(Output::success);
            let Err(error) = tried else { return Ok(()) };
            interrupt::check()?;
            let state = container.state()?;
            ensure!(state.running, "{who} {}", ended(&state));
            if Instant::now() + PAUSE >= deadline {
                let seconds = self.patience().as_secs();
                return Err(error.context(format!("a command in {who} did not succeed within {seconds} s")));
            }
            thread::sleep(PAUSE);
        }
    }

    fn stop(&self, service: &OnceLock<Container<'a>>) -> Result<()> {
        let (container, smoke) = (started(service)?, self.smoke());
        let patience = smoke.stop_timeout() * self.factor;
        container.stop(patience)?;
        let state = container.state()?;
        let is_clean = u8::try_from(state.exit_code).is_ok_and(|code| smoke.exit_codes.contains(&code));
        let expected = smoke.exit_codes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
        ensure!(
            !state.running && is_clean,
            "the service exited with {} within {} s of SIGTERM: expected {expected} (`smoke.exit-codes`){}",
            state.exit_code,
            patience.as_secs(),
            if state.exit_code == 137 { "; 137 is what docker's SIGKILL after that time gives" } else { "" }
        );
        Ok(())
    }
}

fn started<'c, 'a>(service: &'c OnceLock<Container<'a>>) -> Result<&'c Container<'a>> {
    service.get().context("the service was not started")
}

fn ensure_runs(container: &Container<'_>) -> Result<()> {
    let state = container.state()?;
    ensure!(state.running, "the service {}, before it answered", ended(&state));
    Ok(())
}

fn ended(state: &ContainerState) -> String {
    let after = state.ran_for().map(|time| format!(" after {:.1} s", time.as_secs_f32())).unwrap_or_default();
    let memory = if state.lacked_memory { ", for want of memory (`smoke.memory`)" } else { "" };
    format!("exited with {}{after}{memory}", state.exit_code)
}
