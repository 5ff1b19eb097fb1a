//! The requests of readiness checks: GET or HEAD of a path on loopback. Not for anything beyond this machine.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// How long a service on this machine may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// More than the headers of any answer that is expected here.
const LIMIT: u64 = 64 << 10;

/// The status and headers of an answer, as they came.
pub(crate) struct Answer {
    /// Such as 200.
    pub(crate) status: u16,
    head: String,
}

impl Answer {
    /// A header's value. The case of the name does not matter.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// Sends a request to a TCP service on this machine. `None` while nothing answers there.
pub(crate) fn over_tcp(address: SocketAddr, method: &str, path: &str) -> Result<Option<Answer>> {
    let Ok(stream) = TcpStream::connect_timeout(&address, TIMEOUT) else { return Ok(None) };
    stream.set_read_timeout(Some(TIMEOUT)).context("setting a timeout on a socket")?;
    stream.set_write_timeout(Some(TIMEOUT)).context("setting a timeout on a socket")?;
    ask(stream, method, path)
}

/// Sends a request to a service behind a unix socket. `None` while nothing answers there.
pub(crate) fn over_unix(socket: &Path, method: &str, path: &str) -> Result<Option<Answer>> {
    let Ok(stream) = UnixStream::connect(socket) else { return Ok(None) };
    stream.set_read_timeout(Some(TIMEOUT)).context("setting a timeout on a socket")?;
    stream.set_write_timeout(Some(TIMEOUT)).context("setting a timeout on a socket")?;
    ask(stream, method, path)
}

/// A broken connection counts as no answer: the caller polls again, or treats the service as down.
fn ask(mut stream: impl Read + Write, method: &str, path: &str) -> Result<Option<Answer>> {
    // A registry shows a manifest only to a client that accepts its media type.
    let accept = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json";
    let request = format!("{method} {path} HTTP/1.0\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n");
    if stream.write_all(request.as_bytes()).is_err() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    if stream.take(LIMIT).read_to_end(&mut bytes).is_err() {
        return Ok(None);
    }
    parse(&String::from_utf8_lossy(&bytes))
}

fn parse(text: &str) -> Result<Option<Answer>> {
    if text.is_empty() {
        return Ok(None);
    }
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    let status = head.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
    let status = status.map(str::parse).context("an answer on loopback that is not HTTP")?;
    let status = status.context("an answer on loopback with a status that is not a number")?;
    Ok(Some(Answer { status, head: head.to_owned() }))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn status_and_headers_are_read_and_anything_else_is_an_error() {
        let answer = parse("HTTP/1.1 404 Not Found\r\nX-Testbed: abc\r\n\r\nX-Body: no").unwrap().unwrap();
        assert_eq!(answer.status, 404);
        assert_eq!(answer.header("x-testbed"), Some("abc"));
        assert_eq!(answer.header("x-body"), None);
        assert!(parse("").unwrap().is_none());
        assert!(parse("SSH-2.0-x\r\n").is_err());
    }
}
