//! The end of a child, at most for so long.

use std::process::{Child, ExitStatus};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Error, Result, anyhow, bail};
use nix::sys::signal::Signal;

use crate::process::interrupt::{self, GRACE};

/// How long the news of a child's end may take.
const LAST_LOOK: Duration = Duration::from_millis(20);

/// What is looked at while a child runs that would not notice it by itself.
pub struct Watch<'a> {
    interval: Duration,
    look: Box<dyn Fn() -> Result<()> + 'a>,
}

impl<'a> Watch<'a> {
    /// `look` is called once in each `interval`, not at once; an error ends the child.
    pub fn new(interval: Duration, look: impl Fn() -> Result<()> + 'a) -> Self {
        Self { interval, look: Box::new(look) }
    }
}

/// Waits for the end, at most for the timeout and the grace after it, and no longer than `watch` sees nothing wrong.
pub(super) fn wait(
    mut child: Child,
    group: i32,
    timeout: Duration,
    watch: Option<&Watch<'_>>,
    line: &str,
) -> Result<ExitStatus> {
    let (sender, ended) = mpsc::channel();
    let waiter = thread::spawn(move || sender.send(child.wait()));
    let deadline = Instant::now() + timeout;
    let mut given_up = None;
    let mut next = Signal::SIGTERM;
    let status = loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let patience = match (&given_up, watch) {
            (Some(_), _) => GRACE,
            (None, Some(watch)) => left.min(watch.interval),
            (None, None) => left,
        };
        match ended.recv_timeout(patience) {
            Ok(status) => break status.with_context(|| format!("waiting for `{line}`"))?,
            Err(RecvTimeoutError::Disconnected) => bail!("waiting for `{line}`: its waiter is gone"),
            Err(RecvTimeoutError::Timeout) => {
                given_up = given_up.or_else(|| reason(deadline, timeout, watch, line));
                if given_up.is_some() {
                    // The look takes its time: a child that ended meanwhile has done its work.
                    if let Ok(status) = ended.recv_timeout(LAST_LOOK) {
                        given_up = None;
                        break status.with_context(|| format!("waiting for `{line}`"))?;
                    }
                    interrupt::end(group, next);
                    next = Signal::SIGKILL;
                }
            }
        }
    };
    waiter
        .join()
        .map_err(|_panic| anyhow!("the waiter of `{line}` panicked"))?
        .context("reporting an exit")?;
    given_up.map_or(Ok(status), Err)
}

/// Why the child is to be ended now, if it is.
fn reason(deadline: Instant, timeout: Duration, watch: Option<&Watch<'_>>, line: &str) -> Option<Error> {
    if Instant::now() >= deadline {
        return Some(anyhow!("`{line}` did not finish within {} s and was ended", timeout.as_secs_f32()));
    }
    let error = (watch?.look)().err()?;
    Some(error.context(format!("`{line}` was ended")))
}
