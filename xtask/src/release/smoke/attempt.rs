//! Tries one platform's image in the network of the smoke test: starts the companions, then the service, queries it
//! and stops it.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Error, Result, bail, ensure};

use crate::inputs::config::{Companion, Http, Smoke};
use crate::process::Output;
use crate::process::interrupt;
use crate::release::Context;
use crate::release::step::Step;
use crate::tool::docker::{Container, ContainerState, Network};

use super::image::Image;
use super::probe::{self, Answers};
use super::{report, runs};

/// The pause between two tries of a command in a container that is still starting.
const PAUSE: Duration = Duration::from_millis(100);

/// How long the service is queried before its state and its log are checked.
const GLANCE: Duration = Duration::from_secs(5);

/// Extra time for docker and the start of node.
const DOCKER: Duration = Duration::from_secs(30);

/// What to try, and how.
pub(super) struct Attempt<'a, 'r> {
    pub(super) context: &'a Context<'r>,
    pub(super) image: &'a Image,
    /// The factor by which every time limit grows.
    pub(super) factor: u32,
    /// The image whose node queries the service from a container of its own. Without one, the node in the service's
    /// container does.
    pub(super) asker: Option<&'a Image>,
}

/// The containers of an attempt. They are removed when this is dropped.
#[derive(Default)]
pub(super) struct Containers<'a> {
    pub(super) companions: Vec<(&'a Companion, Container<'a>)>,
    pub(super) service: Option<Container<'a>>,
}

impl<'a> Attempt<'a, '_> {
    /// Starts, queries and stops the service.
    ///
    /// # Errors
    /// When the service does not do what it should, with everything that helps to find out why.
    pub(super) fn run(&self, network: &Network<'_>) -> Result<()> {
        let mut containers = Containers::default();
        let tried = self.start_companions(&mut containers, network).and_then(|()| {
            let started = self.context.tools.docker.start(&self.service(network.name()));
            let service = &*containers.service.insert(started.context("starting the service")?);
            let began = Instant::now();
            if let Some(http) = self.smoke().http() {
                self.ask(&http, service, network)?;
            }
            let command = &self.smoke().command;
            if !command.is_empty() {
                self.until(service, command, "the service")?;
            }
            ensure_all_run(&containers.companions)?;
            self.stop(service, began)
        });
        tried.map_err(|error| report::explain(self, error, &containers))
    }

    pub(super) fn smoke(&self) -> &'a Smoke {
        &self.context.session.config.smoke
    }

    pub(super) fn patience(&self) -> Duration {
        self.smoke().start_timeout() * self.factor
    }

    fn start_companions(&self, containers: &mut Containers<'a>, network: &Network<'_>) -> Result<()> {
        for companion in &self.smoke().companions {
            let run = self.companion(companion, network.name());
            let started = self.context.tools.docker.start(&run);
            let doing = || format!("starting the companion `{}`", companion.alias);
            containers.companions.push((companion, started.with_context(doing)?));
        }
        for (companion, container) in &containers.companions {
            if !companion.ready.is_empty() {
                self.until(container, &companion.ready, &format!("the companion `{}`", companion.alias))?;
            }
        }
        ensure_all_run(&containers.companions)
    }

    /// Queries the service over its network until it is healthy or the time is up. What the service logs meanwhile is
    /// shown, because it often says early why the service will not become healthy.
    fn ask(&self, http: &Http<'_>, service: &Container<'_>, network: &Network<'_>) -> Result<()> {
        let deadline = Instant::now() + self.patience();
        let mut shown = String::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let question = probe::question(http, left.min(GLANCE));
            let asked = match self.asker {
                Some(asker) => self.ask_from_beside(asker, &question, network),
                None => self.ask_from_within(&question, service),
            };
            interrupt::check()?;
            let answers = asked.map_err(|error| of_running(service, error))?;
            if answers.is_healthy() || left <= GLANCE {
                let judged = probe::judge(&answers, http, self.patience(), self.context.release.source);
                return judged.map_err(|error| of_running(service, error));
            }
            ensure_runs(service)?;
            // Not every engine keeps logs. The report of a failure says so.
            if let Ok(log) = service.logs() {
                for line in report::added(&shown, &log) {
                    self.context.line(Step::Smoke, &format!("the service's log: {line}"));
                }
                shown = log;
            }
        }
    }

    /// Queries with the node in the service's container: if the service ends, the query ends with it, and the failure
    /// is reported immediately.
    fn ask_from_within(&self, question: &str, service: &Container<'_>) -> Result<Answers> {
        let command = [self.image.node(), "-e", probe::PROGRAM, question];
        // What an image's `NODE_OPTIONS` loads is meant for the service only.
        let output = service.exec(&["NODE_OPTIONS="], &command, GLANCE + DOCKER);
        self.answers(&output.context("querying the service")?)
    }

    /// Queries with a node in a container of its own.
    fn ask_from_beside(&self, asker: &Image, question: &str, network: &Network<'_>) -> Result<Answers> {
        let run = runs::node(self.context, asker, Some(network), &["-e", probe::PROGRAM, question]);
        let output = self.context.tools.docker.run(&run, GLANCE + DOCKER);
        self.answers(&output.context("querying the service")?)
    }

    fn answers(&self, output: &Output) -> Result<Answers> {
        if output.status.success() {
            return Answers::parse(&output.text()?);
        }
        let node = self.asker.unwrap_or(self.image).node();
        let beside = self.asker.map(|asker| asker.platform.as_str());
        Err(probe::no_answers(output.status.code(), output.stderr.trim(), node, beside))
    }

    /// Runs `command` in `container` until it succeeds.
    fn until(&self, container: &Container<'_>, command: &[String], who: &str) -> Result<()> {
        let command: Vec<_> = command.iter().map(String::as_str).collect();
        let deadline = Instant::now() + self.patience();
        loop {
            let left = deadline.saturating_duration_since(Instant::now()).max(PAUSE);
            let tried = container.exec(&[], &command, left).and_then(Output::success);
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

    /// Stops the service, which was running at `began`.
    fn stop(&self, container: &Container<'_>, began: Instant) -> Result<()> {
        let smoke = self.smoke();
        let patience = smoke.stop_timeout() * self.factor;
        let asked = began.elapsed();
        container.stop(patience)?;
        let state = container.state()?;
        // docker reports a container that ended by itself in the same way as one that was stopped.
        ensure!(!ended_before(&state, asked), "the service {}, before it was asked to", ended(&state));
        match wrong_end(&state, &smoke.exit_codes, patience) {
            None => Ok(()),
            Some(words) => bail!(words),
        }
    }
}

/// Whether a container ended before it was asked to stop. That was after it had run for `asked`, or a little longer.
/// Only durations are compared: the engine's clock may show another time than ours, and its rate differs by less than
/// a thousandth.
fn ended_before(state: &ContainerState, asked: Duration) -> bool {
    state.ran_for().is_some_and(|ran| ran + asked / 1000 < asked)
}

/// Checks that every companion still runs: the service may answer even if one of them has ended.
fn ensure_all_run(companions: &[(&Companion, Container<'_>)]) -> Result<()> {
    for (companion, container) in companions {
        let state = container.state()?;
        ensure!(state.running, "the companion `{}` {}", companion.alias, ended(&state));
    }
    Ok(())
}

/// What is wrong with how the service ended after SIGTERM. `None` if nothing is.
fn wrong_end(state: &ContainerState, expected: &[u8], patience: Duration) -> Option<String> {
    if !state.running && u8::try_from(state.exit_code).is_ok_and(|code| expected.contains(&code)) {
        return None;
    }
    let expected = expected.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
    let seconds = patience.as_secs();
    // The exit code after docker's SIGKILL.
    if state.running || state.exit_code == 137 {
        return Some(format!(
            "the service did not end within {seconds} s of SIGTERM, so it was killed: expected exit code {expected} \
             (`smoke.exit-codes`); as process 1, node ends at SIGTERM only with a handler, such as \
             `process.once('SIGTERM', () => server.close())`, and only when every connection and timer is closed \
             (`smoke.stop-seconds` gives it more time)"
        ));
    }
    Some(format!(
        "the service exited with {} within {seconds} s of SIGTERM: expected {expected} (`smoke.exit-codes`)",
        state.exit_code
    ))
}

/// The error of a query to the service, or, if the service has ended, an error that says so.
fn of_running(service: &Container<'_>, error: Error) -> Error {
    ensure_runs(service).err().unwrap_or(error)
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{ended_before, wrong_end};
    use crate::tool::docker::ContainerState;

    #[test]
    fn a_service_that_ended_before_sigterm_is_detected() {
        let state = r#"{"Running": false, "ExitCode": 0, "StartedAt": "2026-11-28T11:12:36Z", "FinishedAt": "2026-11-28T11:12:38Z"}"#;
        let state: ContainerState = serde_json::from_str(state).unwrap();
        for (asked, expected) in [(1_900, false), (2_001, false), (2_010, true), (30_000, true)] {
            assert_eq!(ended_before(&state, Duration::from_millis(asked)), expected, "{asked}");
        }
        let undated: ContainerState = serde_json::from_str(r#"{"Running": false, "ExitCode": 0}"#).unwrap();
        assert!(!ended_before(&undated, Duration::from_secs(1)));
    }

    #[test]
    fn ignoring_sigterm_is_distinguished_from_exiting_with_another_code() {
        for (state, expected) in [
            (r#"{"Running": false, "ExitCode": 0}"#, None),
            (
                r#"{"Running": false, "ExitCode": 143}"#,
                Some("exited with 143 within 10 s of SIGTERM: expected 0 or 7"),
            ),
            (
                r#"{"Running": false, "ExitCode": 137}"#,
                Some("did not end within 10 s of SIGTERM, so it was killed"),
            ),
            (
                r#"{"Running": false, "ExitCode": 137}"#,
                Some("`process.once('SIGTERM', () => server.close())`"),
            ),
            (r#"{"Running": true, "ExitCode": 0}"#, Some("did not end")),
        ] {
            let read: ContainerState = serde_json::from_str(state).unwrap();
            let words = wrong_end(&read, &[0, 7], Duration::from_secs(10));
            match expected {
                None => assert_eq!(words, None, "{state}"),
                Some(expected) => {
                    assert!(words.as_ref().is_some_and(|words| words.contains(expected)), "{words:?}");
                }
            }
        }
    }
}
