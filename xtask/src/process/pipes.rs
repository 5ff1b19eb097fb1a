//! Reads and writes a child's standard streams at the same time, each on a thread of its own and within bounds.

use std::io::{self, Read};
use std::thread::{self, JoinHandle};

use anyhow::{Result, anyhow};
use nix::sys::signal::Signal;

use crate::process::interrupt;

pub(super) fn feed(
    mut pipe: impl io::Write + Send + 'static,
    bytes: Vec<u8>,
) -> JoinHandle<io::Result<Vec<u8>>> {
    thread::spawn(move || match pipe.write_all(&bytes) {
        // A child that ends without reading all of its input gives the reason by its exit code.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Vec::new()),
        result => result.map(|()| Vec::new()),
    })
}

/// Reads everything. Past `limit` it ends the child, because the rest will not be read.
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

/// Reads everything and keeps the last `limit` bytes.
pub(super) fn collect_tail(
    mut pipe: impl Read + Send + 'static,
    limit: usize,
) -> JoinHandle<io::Result<Vec<u8>>> {
    thread::spawn(move || {
        let (mut kept, mut chunk) = (Vec::new(), [0_u8; 8192]);
        loop {
            let read = pipe.read(&mut chunk)?;
            if read == 0 {
                return Ok(kept);
            }
            kept.extend_from_slice(&chunk[..read]);
            kept.drain(..kept.len().saturating_sub(limit));
        }
    })
}

pub(super) fn join(thread: Option<JoinHandle<io::Result<Vec<u8>>>>) -> Result<Vec<u8>> {
    let Some(thread) = thread else { return Ok(Vec::new()) };
    thread
        .join()
        .map_err(|_panic| anyhow!("the thread that reads a child's output panicked"))?
        .map_err(Into::into)
}
