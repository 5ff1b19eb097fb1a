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
                if given_up.is_none() {
                    let Some(why) = reason(deadline, timeout, watch, line) else { continue };
                    // `look` takes time, and the result of a child that ended meanwhile counts. After the first
                    // signal, no result counts.
                    if let Ok(status) = ended.recv_timeout(LAST_LOOK) {
                        break status.with_context(|| format!("waiting for `{line}`"))?;
                    }
                    given_up = Some(why);
                }
                interrupt::end(group, next);
                next = Signal::SIGKILL;
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

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use anyhow::bail;
    use xshell::cmd;

    use super::Watch;
    use crate::process::environment::Environment;
    use crate::process::interrupt::GRACE;
    use crate::process::{Call, Runner};

    fn shell(script: &str) -> Call {
        let runner = Runner::new(&Environment::from_process());
        let shell = runner.shell().unwrap();
        runner.call(cmd!(shell, "sh -c {script}"))
    }

    #[test]
    fn a_child_that_was_told_to_stop_is_never_a_success() {
        const SHORT: Duration = Duration::from_millis(200);
        let timed_out = |script: &str| {
            let error = shell(script).timeout(SHORT).run().unwrap_err().to_string();
            assert!(error.contains("did not finish within 0.2 s"), "{script}: {error}");
        };
        let watched = |script: &str| {
            let watch = Watch::new(SHORT, || bail!("the disk is full"));
            let error = format!("{:#}", shell(script).run_watched(Some(&watch)).unwrap_err());
            assert!(error.contains("was ended: the disk is full"), "{script}: {error}");
        };
        thread::scope(|scope| {
            scope.spawn(|| timed_out("trap 'exit 0' TERM; sleep 100"));
            // It ends on SIGTERM, about when SIGKILL is due.
            for early in [15, 10, 5, 0] {
                let pause = GRACE.saturating_sub(Duration::from_millis(early)).as_secs_f32();
                scope.spawn(move || {
                    let script = format!("trap 'sleep {pause}; exit 0' TERM; sleep 100");
                    timed_out(&script);
                    watched(&script);
                });
            }
        });
    }
}
