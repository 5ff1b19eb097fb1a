//! The end of a child, at most for so long.

use std::process::{Child, ExitStatus};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use nix::sys::signal::Signal;

use crate::interrupt::{self, GRACE};

/// Waits for the end, at most for the timeout and the grace after it.
pub(super) fn wait(mut child: Child, group: i32, timeout: Duration, line: &str) -> Result<ExitStatus> {
    let (sender, ended) = mpsc::channel();
    let waiter = thread::spawn(move || sender.send(child.wait()));
    let mut late = false;
    let mut patience = timeout;
    let mut next = Signal::SIGTERM;
    let status = loop {
        match ended.recv_timeout(patience) {
            Ok(status) => break status.with_context(|| format!("waiting for `{line}`"))?,
            Err(RecvTimeoutError::Disconnected) => bail!("waiting for `{line}`: its waiter is gone"),
            Err(RecvTimeoutError::Timeout) => {
                late = true;
                interrupt::end(group, next);
                (next, patience) = (Signal::SIGKILL, GRACE);
            }
        }
    };
    waiter
        .join()
        .map_err(|_panic| anyhow!("the waiter of `{line}` panicked"))?
        .context("reporting an exit")?;
    if late {
        bail!("`{line}` did not finish within {} s and was ended", timeout.as_secs_f32());
    }
    Ok(status)
}
