//! What the user sees: plain lines on standard error, each with the time since the start.

use std::time::Instant;

/// Prints progress. Shared by threads.
#[derive(Clone, Copy)]
pub(crate) struct Progress {
    start: Instant,
}

impl Progress {
    /// Starts the clock.
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// `[  1.2 s] subject: what`
    pub(crate) fn line(&self, subject: &str, what: &str) {
        eprintln!("[{:6.1} s] {subject}: {what}", self.start.elapsed().as_secs_f32());
    }
}
