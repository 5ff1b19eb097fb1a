//! A child whose standard output is read while it runs and is never held as a whole.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::thread;

use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;

use super::{Call, STDERR_TAIL, group_of};
use crate::process::interrupt;
use crate::process::output::Output;
use crate::process::parallel::joined;
use crate::process::pipes::{Printed, Running, collect_tail, join};
use crate::process::wait::wait;

/// How much is read at a time: a pipe holds 64 KiB (pipe(7)).
const CHUNK: usize = 64 << 10;

impl Call {
    /// Runs it and passes its standard output to `read` as it arrives. `read` limits what it keeps. When `read` fails,
    /// the child is ended. Any exit code but 0 is an error.
    ///
    /// # Errors
    /// As [`Call::run`], and those of `read`. When the child failed by itself, its failure is reported rather than that
    /// of `read`: its output was incomplete.
    pub fn stream<T: Send>(mut self, read: impl FnOnce(&mut dyn BufRead) -> Result<T> + Send) -> Result<T> {
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let line = self.line();
        let mut child = self.spawn(&line)?;
        let _registration = self.register(&child)?;
        let group = group_of(&child)?;
        let stdout = child.stdout.take().with_context(|| format!("`{line}` has no standard output"))?;
        let (running, ended) = Running::new().context("making a pipe")?;
        let stdout = Printed::new(stdout, &ended);
        let stderr = child.stderr.take().map(|pipe| collect_tail(Printed::new(pipe, &ended), STDERR_TAIL));
        let (status, found) = thread::scope(|scope| {
            let reader = scope.spawn(move || {
                let found = read(&mut BufReader::with_capacity(CHUNK, stdout));
                if found.is_err() {
                    interrupt::end(group, Signal::SIGKILL);
                }
                found
            });
            let status = wait(child, group, self.timeout, None, &line);
            // Processes that the child left behind in its group still hold the pipe.
            interrupt::end(group, Signal::SIGKILL);
            drop(running);
            (status, reader.join())
        });
        let found = joined(found)?;
        let stderr = join(stderr)?.text();
        let output = Output { status: status?, stdout: Vec::new(), stderr, command_line: line };
        interrupt::check()?;
        if output.status.code().is_some_and(|code| code != 0) {
            return Err(output.failure());
        }
        let found = found.with_context(|| format!("reading what `{}` printed", output.command_line))?;
        output.success().map(|_| found)
    }
}
