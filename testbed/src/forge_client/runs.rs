//! Workflow runs: listing them, waiting for one, and reading its log.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use xtask::http::{Authorization, Method, Response};
use xtask::process::interrupt;
use xtask::process::secret::redact;

use super::answers::{Jobs, Runs};
use super::{Repository, Run};

/// The polling interval. Each poll is a process, on a machine that is busy with the run.
const INTERVAL: Duration = Duration::from_millis(250);

/// How many lines of a log an error shows.
const TAIL: usize = 40;

/// No test makes more attempts or jobs than this.
const MAX: usize = 20;

impl Repository {
    /// All runs, newest first, including waiting, queued and cancelled ones, which the forges' `actions/tasks`
    /// leaves out.
    ///
    /// # Errors
    /// When the forge refuses.
    pub fn runs(&self) -> Result<Vec<Run>> {
        let path = self.path("actions/runs?page=1&limit=50");
        let answer: Runs = self.client.expect(&[200], Method::Get, &path, None)?.json()?;
        answer.runs().context("reading the list of runs")
    }

    /// Waits until the newest run of `workflow` (a file name) for `reference` (a tag or branch) has ended, with any
    /// result.
    ///
    /// # Errors
    /// When it has not ended after `limit`; the error has the end of its log.
    pub fn wait_for_run(&self, reference: &str, workflow: &str, limit: Duration) -> Result<Run> {
        let deadline = Instant::now() + limit;
        loop {
            interrupt::check()?;
            let runs = self.runs()?;
            let found = runs.into_iter().find(|run| run.reference == reference && run.workflow == workflow);
            match found {
                Some(run) if run.state.is_final() => return Ok(run),
                found if Instant::now() >= deadline => {
                    return Err(self.still_waiting(reference, limit, found));
                }
                _ => thread::sleep(INTERVAL),
            }
        }
    }

    fn still_waiting(&self, reference: &str, limit: Duration, run: Option<Run>) -> anyhow::Error {
        let (url, limit) = (self.url(), limit.as_secs());
        let Some(run) = run else {
            return anyhow::anyhow!(
                "no run for `{reference}` in `{url}` after {limit} s; look at `testbed status`"
            );
        };
        let log = self.log(&run).unwrap_or_else(|error| format!("(no log: {error:#})"));
        let lines: Vec<_> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n");
        let (number, state) = (run.number, run.state);
        anyhow::anyhow!(
            "run {number} for `{reference}` in `{url}` is {state:?} after {limit} s:\n{}",
            redact(&tail)
        )
    }

    /// The logs of a run's jobs, one after the other, as the forge keeps them, with a time stamp before each line.
    ///
    /// They come from the API where it has them (Gitea, Forgejo 16), else from the web (Forgejo 15). For a private
    /// repository, the web shows them only within a session.
    ///
    /// # Errors
    /// When there is no log: a run that was cancelled before it started has none.
    pub fn log(&self, run: &Run) -> Result<String> {
        let response =
            self.client.api(Method::Get, &self.path(&format!("actions/runs/{}/jobs", run.id)), None)?;
        if response.status == 404 {
            return self.log_from_web(run);
        }
        ensure!(response.status == 200, response.unexpected());
        let mut log = String::new();
        for job in response.json::<Jobs>()?.ids() {
            let path = self.path(&format!("actions/jobs/{job}/logs"));
            log += &text(&self.client.expect(&[200], Method::Get, &path, None)?)?;
        }
        Ok(log)
    }

    fn log_from_web(&self, run: &Run) -> Result<String> {
        let mut log = String::new();
        for job in 0..MAX {
            let Some(newest) = self.newest_attempt_from_web(run, job)? else { break };
            log += &newest;
        }
        if log.is_empty() {
            bail!("reading the log of run {} of `{}`: the forge has none", run.number, self.url());
        }
        Ok(log)
    }

    fn newest_attempt_from_web(&self, run: &Run, job: usize) -> Result<Option<String>> {
        let mut newest = None;
        for attempt in 1..=MAX {
            let number = run.number;
            let path =
                format!("/{}/actions/runs/{number}/jobs/{job}/attempt/{attempt}/logs", self.full_name());
            let who = Authorization::Token(self.client.token.clone());
            let response = self.client.send(who, Method::Get, &path, None)?;
            match response.status {
                200 => newest = Some(text(&response)?),
                404 => return Ok(newest),
                _ => return Err(response.unexpected()),
            }
        }
        Ok(newest)
    }
}

fn text(response: &Response) -> Result<String> {
    String::from_utf8(response.body.clone())
        .with_context(|| format!("{response} with a log that is not UTF-8"))
}
