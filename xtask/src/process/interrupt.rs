//! Ctrl-C, SIGTERM and the end of a terminal: end the children's process groups, let every guard on the stack clean up,
//! exit 130, 143 or 129.
//!
//! The signals are blocked in every thread, and one thread waits for them, so no code runs in a signal handler.
//! Children inherit the mask. Programs in Go unblock the signals; git and curl do not, and are ended by SIGKILL after
//! the grace period. They leave nothing that needs cleaning up.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::signal::{SigSet, Signal, killpg};
use nix::unistd::Pid;

use crate::process::file::if_any;
use crate::process::stderr;

/// How long a child has between SIGTERM and SIGKILL.
pub(crate) const GRACE: Duration = Duration::from_secs(3);

/// How often a pause checks for a signal.
const LOOK: Duration = Duration::from_millis(50);

/// The received signal; 0 before there is one.
static RECEIVED: AtomicI32 = AtomicI32::new(0);

/// Process groups of the running children.
static CHILDREN: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// The error with which everything unwinds after a signal.
#[derive(Debug)]
pub struct Interrupted(i32);

impl Interrupted {
    /// The error after the signal with this number, for tests.
    #[cfg(test)]
    pub(crate) fn by(signal: i32) -> Self {
        Self(signal)
    }

    /// 128 + the signal's number, as shells report it.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        u8::try_from(128 + self.0).unwrap_or(u8::MAX)
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Signal::try_from(self.0).map_or("a signal", Signal::as_str);
        write!(f, "stopped by {name}")
    }
}

impl std::error::Error for Interrupted {}

/// Starts watching. `main` calls it once, before anything else: threads inherit the mask of the thread that starts
/// them.
///
/// # Errors
/// When the signals cannot be blocked.
pub fn watch() -> Result<()> {
    let mut signals = SigSet::empty();
    let ignored = ignored()?;
    // `nohup` makes a program ignore SIGHUP, and a shell makes its background jobs ignore SIGINT: such signals stay
    // ignored.
    for signal in
        [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().filter(|one| !has(ignored, *one))
    {
        signals.add(signal);
    }
    signals.thread_block().context("blocking signals to handle them in order")?;
    thread::spawn(move || {
        while let Ok(signal) = signals.wait() {
            RECEIVED.store(signal as i32, Ordering::SeqCst);
            end_children(Signal::SIGTERM);
            thread::sleep(GRACE);
            end_children(Signal::SIGKILL);
        }
    });
    Ok(())
}

/// The signals that this process has ignored since its start. No other interface reports them without unsafe code.
fn ignored() -> Result<u64> {
    const FILE: &str = "/proc/self/status";
    // `None` on an operating system other than Linux.
    match if_any(fs::read_to_string(FILE)).with_context(|| format!("reading `{FILE}`"))? {
        None => Ok(0),
        Some(status) => {
            ignored_in(&status).with_context(|| format!("reading the ignored signals in `{FILE}`"))
        }
    }
}

/// The mask in the line `SigIgn` (proc_pid_status(5)): a signal's bit is its number minus one. Sandboxes that imitate
/// Linux leave the line out.
fn ignored_in(status: &str) -> Result<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    Ok(mask.map(|mask| u64::from_str_radix(mask.trim(), 16)).transpose()?.unwrap_or(0))
}

fn has(mask: u64, signal: Signal) -> bool {
    mask >> (signal as i32 - 1) & 1 == 1
}

/// Fails once a signal was received. It is called before each new child, so that none starts after the signal.
///
/// # Errors
/// [`Interrupted`].
pub fn check() -> Result<(), Interrupted> {
    match RECEIVED.load(Ordering::SeqCst) {
        0 => Ok(()),
        signal => Err(Interrupted(signal)),
    }
}

/// Sleeps for `pause`, or until a signal is received.
///
/// # Errors
/// [`Interrupted`].
pub fn pause(pause: Duration) -> Result<(), Interrupted> {
    let end = Instant::now() + pause;
    loop {
        check()?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        thread::sleep(left.min(LOOK));
    }
}

/// Whether a signal is the reason for `error`.
#[must_use]
pub fn is_cause_of(error: &anyhow::Error) -> bool {
    error.chain().any(<dyn std::error::Error>::is::<Interrupted>)
}

/// Sends `signal` to a whole process group. It is no error when the group is already gone.
pub(crate) fn end(group: i32, signal: Signal) {
    match killpg(Pid::from_raw(group), signal) {
        Ok(()) | Err(nix::errno::Errno::ESRCH) => {}
        Err(error) => stderr::line(format_args!("xtask: ending process group {group}: {error}")),
    }
}

fn end_children(signal: Signal) {
    for group in children().iter() {
        end(*group, signal);
    }
}

/// Keeps a child's process group on the list for as long as this value lives.
pub(crate) struct Registration(i32);

impl Registration {
    pub(crate) fn new(group: i32) -> Self {
        children().insert(group);
        Self(group)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        children().remove(&self.0);
    }
}

fn children() -> MutexGuard<'static, BTreeSet<i32>> {
    CHILDREN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{Signal, has, ignored_in};

    #[test]
    fn signals_that_were_ignored_at_the_start_are_read_from_the_mask() {
        for (status, expected) in [
            ("Name:\txtask\nSigIgn:\t0000000000001001\nSigCgt:\t0\n", Some([true, false, false])),
            ("SigIgn:\t0000000000004002\n", Some([false, true, true])),
            ("SigIgn:\t0000000000001000\n", Some([false; 3])),
            ("SigIgn:\tx\n", None),
            ("SigBlk:\t0000000000000001\n", Some([false; 3])),
        ] {
            let signals = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM];
            assert_eq!(
                ignored_in(status).ok().map(|mask| signals.map(|signal| has(mask, signal))),
                expected,
                "{status}"
            );
        }
    }
}
