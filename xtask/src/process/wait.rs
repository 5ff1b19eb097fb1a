//! Waits for a child to end, with a timeout.

use std::process::{Child, ExitStatus};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Error, Result, anyhow, bail};
use nix::sys::signal::Signal;

use crate::process::interrupt::{self, GRACE};
use crate::process::parallel::joined;

/// How long the news that a child has ended may take to arrive.
const LAST_LOOK: Duration = Duration::from_millis(20);

/// A check that is repeated while a child runs, for a problem that the child itself would not notice.
pub struct Watch<'a> {
    interval: Duration,
    look: Box<dyn Fn() -> Result<()> + 'a>,
}

impl<'a> Watch<'a> {
    /// `look` is called once per `interval`, the first time after one `interval`. When it returns an error, the child
    /// is ended.
    pub fn new(interval: Duration, look: impl Fn() -> Result<()> + 'a) -> Self {
        Self { interval, look: Box::new(look) }
    }
}

/// Waits until the child ends. When the timeout passes or `watch` reports an error, its process group is ended: first
/// by SIGTERM, after the grace period by SIGKILL.
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
                    // `look` takes time, and the result of a child that ended meanwhile counts.
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
    joined(waiter.join())?.context("reporting an exit")?;
    given_up.map_or(Ok(status), Err)
}

/// The reason to end the child now, if there is one.
fn reason(deadline: Instant, timeout: Duration, watch: Option<&Watch<'_>>, line: &str) -> Option<Error> {
    if Instant::now() >= deadline {
        return Some(anyhow!("`{line}` did not finish within {} s and was ended", timeout.as_secs_f32()));
    }
    let error = (watch?.look)().err()?;
    Some(error.context(format!("`{line}` was ended")))
}
