//! One request over plain HTTP, without a process: for polling every 20 ms, and for using a service like any
//! client.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

/// How long an answer may take while the machine also builds images.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The server that gets the requests.
#[derive(Clone)]
pub struct Server {
    address: SocketAddr,
    host: String,
}

/// The answer.
pub struct Answer {
    /// The status code.
    pub status: u16,
    head: String,
    /// The body as it arrived.
    pub body: Vec<u8>,
}

impl Server {
    /// The server of `url`, which has no path.
    ///
    /// # Errors
    /// When it is not `http://` and a host that can be looked up.
    pub fn of(url: &str) -> Result<Self> {
        let host = url.strip_prefix("http://");
        let host = host.with_context(|| format!("`{url}`: only plain HTTP is supported here"))?;
        let named = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
        let mut addresses = named.to_socket_addrs().with_context(|| format!("looking `{named}` up"))?;
        let address = addresses.next().with_context(|| format!("`{named}` has no address"))?;
        Ok(Self { address, host: host.to_owned() })
    }

    /// Sends a request; `headers` are whole lines. Any status is an answer.
    ///
    /// # Errors
    /// When no answer comes.
    pub fn ask(&self, method: &str, path: &str, headers: &[&str]) -> Result<Answer> {
        let answer = self.exchange(method, path, headers);
        answer.with_context(|| format!("requesting {method} http://{}{path}", self.host))
    }

    fn exchange(&self, method: &str, path: &str, headers: &[&str]) -> Result<Answer> {
        let mut stream = TcpStream::connect_timeout(&self.address, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        // HTTP/1.0, so that the answer is not cut into chunks and ends with the connection.
        let request = format!("{method} {path} HTTP/1.0\r\nHost: {}\r\n{lines}\r\n", self.host);
        stream.write_all(request.as_bytes())?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        Answer::parse(&bytes)
    }
}

impl Answer {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").context("it has no headers")?;
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = head.split(' ').nth(1).context("it has no status")?.parse().context("its status")?;
        Ok(Self { status, head, body: bytes[end + 4..].to_owned() })
    }

    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut pairs = self.head.lines().filter_map(|line| line.split_once(": "));
        pairs.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The body of a 200, as JSON.
    ///
    /// # Errors
    /// When it has another status or is not the expected JSON.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        let body = String::from_utf8_lossy(&self.body);
        ensure!(self.status == 200, "status {}: {body}", self.status);
        serde_json::from_slice(&self.body).with_context(|| format!("reading `{body}`"))
    }
}
