//! Reads and writes a child's standard streams at the same time, each on a thread of its own and within bounds. A
//! process that the child left behind may hold the other ends open for as long as it likes, so nothing here waits for
//! them much longer than for the child itself.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Result;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;

use crate::process::interrupt;
use crate::process::parallel::joined;
use crate::process::secret;

/// How long reading the rest of a child's output may take after the child has ended. All of it is in the pipe by
/// then.
const REST: Duration = Duration::from_secs(3);

/// A pipe that is ready for writing accepts this many bytes at once (`PIPE_BUF` in pipe(7)).
const AT_ONCE: usize = 4096;

/// Dropping this tells readers and writers that the child has ended.
pub(super) struct Running(#[expect(dead_code, reason = "dropping it is the message")] PipeWriter);

/// The receiving end of [`Running`].
#[derive(Clone)]
pub(super) struct Ended(Arc<PipeReader>);

impl Running {
    pub(super) fn new() -> io::Result<(Self, Ended)> {
        let (receiver, sender) = io::pipe()?;
        Ok((Self(sender), Ended(Arc::new(receiver))))
    }
}

/// The output of a child. Reading fails with [`io::ErrorKind::TimedOut`] when the output is still open [`REST`] after
/// the child has ended: what was read until then may be incomplete.
pub(super) struct Printed<R> {
    pipe: R,
    ended: Ended,
    deadline: Option<Instant>,
}

impl<R: Read + AsFd> Printed<R> {
    pub(super) fn new(pipe: R, ended: &Ended) -> Self {
        Self { pipe, ended: ended.clone(), deadline: None }
    }
}

impl<R: Read + AsFd> Read for Printed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.deadline.is_none()
            && wait(self.pipe.as_fd(), PollFlags::POLLIN, &self.ended)? == Wakeup::ByTheEnd
        {
            self.deadline = Some(Instant::now() + REST);
        }
        if let Some(deadline) = self.deadline {
            let mut pipe = [PollFd::new(self.pipe.as_fd(), PollFlags::POLLIN)];
            let is_over = loop {
                let left = deadline.saturating_duration_since(Instant::now());
                match poll(&mut pipe, PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO)) {
                    Err(Errno::EINTR) => {}
                    Ok(0) => break true,
                    Ok(_) => {
                        // After a hang-up, only what is in the pipe is left to read (poll(2)), however long the reader
                        // took for what came before. Otherwise somebody may write for ever.
                        let has_ended =
                            pipe[0].revents().is_some_and(|events| events.contains(PollFlags::POLLHUP));
                        break left.is_zero() && !has_ended;
                    }
                    Err(error) => return Err(error.into()),
                }
            };
            if is_over {
                let words =
                    "a process that it left behind keeps this stream open, so there may be more output";
                return Err(io::Error::new(io::ErrorKind::TimedOut, words));
            }
        }
        self.pipe.read(buffer)
    }
}

#[derive(PartialEq, Eq)]
enum Wakeup {
    ByThePipe,
    ByTheEnd,
}

/// Waits until the pipe is ready or the child has ended.
fn wait(pipe: std::os::fd::BorrowedFd<'_>, flags: PollFlags, ended: &Ended) -> io::Result<Wakeup> {
    let mut both = [PollFd::new(pipe, flags), PollFd::new(ended.0.as_fd(), PollFlags::POLLIN)];
    loop {
        match poll(&mut both, PollTimeout::NONE) {
            Err(Errno::EINTR) => {}
            found => break found.map(drop)?,
        }
    }
    Ok(if both[1].any().unwrap_or(true) { Wakeup::ByTheEnd } else { Wakeup::ByThePipe })
}

/// Writes `bytes`. It is no error when the child ends without reading all of them: its exit code says whether it
/// failed.
pub(super) fn feed(
    mut pipe: impl Write + AsFd + Send + 'static,
    bytes: Vec<u8>,
    ended: Ended,
) -> JoinHandle<io::Result<()>> {
    thread::spawn(move || {
        for part in bytes.chunks(AT_ONCE) {
            if wait(pipe.as_fd(), PollFlags::POLLOUT, &ended)? == Wakeup::ByTheEnd {
                break;
            }
            match pipe.write_all(part) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
                result => result?,
            }
        }
        Ok(())
    })
}

/// Reads everything. Ends the child when it prints more than `limit` bytes, because the rest will not be read.
pub(super) fn collect(
    pipe: impl Read + Send + 'static,
    limit: usize,
    group: i32,
) -> JoinHandle<io::Result<Vec<u8>>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.take(limit as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() > limit {
            interrupt::end(group, Signal::SIGKILL);
            return Err(io::Error::other(format!("more than {limit} bytes")));
        }
        Ok(bytes)
    })
}

/// The end of an output.
#[derive(Default)]
pub(super) struct Tail {
    bytes: Vec<u8>,
    /// Whether a process that the child left behind may write more.
    pub(super) is_open: bool,
}

impl Tail {
    /// The text, redacted.
    pub(super) fn text(&self) -> String {
        let text = secret::redact(&String::from_utf8_lossy(&self.bytes));
        if !self.is_open {
            return text;
        }
        format!("{}\n(a process that it left behind still has its standard error open)", text.trim_end())
    }
}

/// Reads everything and keeps the last `limit` bytes, or fewer if they would begin within a secret.
pub(super) fn collect_tail(
    mut pipe: impl Read + Send + 'static,
    limit: usize,
) -> JoinHandle<io::Result<Tail>> {
    thread::spawn(move || {
        let (mut kept, mut chunk) = (Vec::new(), [0_u8; 8192]);
        let is_open = loop {
            match pipe.read(&mut chunk) {
                Ok(0) => break false,
                Err(error) if error.kind() == io::ErrorKind::TimedOut => break true,
                read => kept.extend_from_slice(&chunk[..read?]),
            }
            // A secret of which a part was dropped would no longer be recognized.
            kept.drain(..kept.len().saturating_sub(limit + secret::longest()));
        };
        Ok(Tail { bytes: secret::tail(&kept, limit).to_vec(), is_open })
    })
}

pub(super) fn join<T: Default>(thread: Option<JoinHandle<io::Result<T>>>) -> Result<T> {
    let Some(thread) = thread else { return Ok(T::default()) };
    joined(thread.join())?.map_err(Into::into)
}

#[cfg(test)]
mod tests {
    use super::{Printed, Running};
    use std::io::{self, Read as _, Write as _};
    use std::time::Instant;

    #[test]
    fn a_slow_reader_gets_the_rest_of_an_output_that_has_ended() {
        for is_left_open in [false, true] {
            let (pipe, mut writer) = io::pipe().unwrap();
            let (_running, ended) = Running::new().unwrap();
            // The child ended long ago.
            let mut printed = Printed { deadline: Some(Instant::now()), ..Printed::new(pipe, &ended) };
            writer.write_all(b"the rest").unwrap();
            let left_behind = is_left_open.then(|| writer.try_clone().unwrap());
            drop(writer);
            let mut found = String::new();
            let read = printed.read_to_string(&mut found);
            drop(left_behind);
            if is_left_open {
                assert_eq!(read.unwrap_err().kind(), io::ErrorKind::TimedOut);
            } else {
                assert_eq!((read.unwrap(), found.as_str()), (8, "the rest"));
            }
        }
    }
}
