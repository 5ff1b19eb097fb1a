//! A server's answer, as `curl --include` prints it.

use std::fmt;

use anyhow::{Context as _, Result, anyhow, ensure};

use super::retry::is_transient;
use super::{Method, Request};
use crate::process::failure::Transient;
use crate::process::secret::redact;

/// A server's answer.
pub struct Response {
    /// The status code.
    pub status: u16,
    headers: Vec<(String, String)>,
    /// The body as received.
    pub body: Vec<u8>,
    request: String,
}

impl Response {
    /// The first header of that name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// All headers of that name, in order.
    pub fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.headers.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str())
    }

    /// The same answer with `value` as its only header of that name, or without one.
    #[must_use]
    pub(crate) fn with_header(mut self, name: &str, value: Option<&str>) -> Self {
        self.headers.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        self.headers.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        self
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is anything else, usually the HTML page of a proxy.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("{self}: the body is not the expected JSON"))
    }

    /// The body of one of several answers as JSON. Together they may have a limited number of bytes; `left` is what
    /// remains of it, and is reduced.
    ///
    /// # Errors
    /// As [`Response::json`], and when the body has more bytes.
    pub fn json_of_page<T: serde::de::DeserializeOwned>(&self, left: &mut usize) -> Result<T> {
        self.take_from(left)?;
        self.json()
    }

    /// Subtracts the size of the body from `left`, the number of bytes that several answers may have together.
    pub(super) fn take_from(&self, left: &mut usize) -> Result<()> {
        let size = self.body.len();
        let after = left.checked_sub(size);
        *left = after.with_context(|| {
            format!("{self} with {size} bytes: expected {left} at most after the answers before it")
        })?;
        Ok(())
    }

    /// The error for a status that the caller did not expect. It is [`Transient`] if the same request may get another
    /// status later.
    #[must_use]
    pub fn unexpected(&self) -> anyhow::Error {
        const SHOWN: usize = 400;
        let body = redact(&String::from_utf8_lossy(&self.body));
        let shown: String = body.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect();
        let words = if shown.is_empty() { self.to_string() } else { format!("{self}: {shown}") };
        if is_transient(self.status) { Transient::new(words).into() } else { anyhow!(words) }
    }
}

impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` answered {}", self.request, self.status)
    }
}

/// Parses the output of `curl --include`. Interim answers (`100 Continue`) precede the answer, each with headers of its
/// own.
pub(super) fn parse_response(bytes: &[u8], request: &Request) -> Result<Response> {
    let mut rest = bytes;
    let mut response = parse_head(&mut rest, request)?;
    response.body = rest.to_vec();
    Ok(response)
}

/// Splits the first of several answers off `rest`. Only its `Content-Length` says where it ends.
pub(super) fn split_response(rest: &mut &[u8], request: &Request) -> Result<Response> {
    let mut response = parse_head(rest, request)?;
    if request.method == Method::Head || matches!(response.status, 204 | 304) {
        return Ok(response);
    }
    let length = response.header("Content-Length").context("the answer has no `Content-Length`")?;
    let length: usize = length.parse().with_context(|| format!("`{length}` is not a length"))?;
    ensure!(length <= rest.len(), "the answer ends too early");
    let (body, others) = rest.split_at(length);
    response.body = body.to_vec();
    *rest = others;
    Ok(response)
}

/// Splits an answer's status line and headers off `rest`, and those of interim answers before it.
fn parse_head(rest: &mut &[u8], request: &Request) -> Result<Response> {
    loop {
        let end = rest
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .context("the answer has no end of headers")?;
        let head = std::str::from_utf8(&rest[..end]).context("the answer's headers are not UTF-8")?;
        *rest = &rest[end + 4..];
        let mut lines = head.split("\r\n");
        let status_line = lines.next().unwrap_or_default();
        let code =
            status_line.strip_prefix("HTTP/").and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
        let status: u16 = code.parse().with_context(|| format!("`{status_line}` is not a status line"))?;
        if (100..200).contains(&status) {
            continue;
        }
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
        return Ok(Response {
            status,
            headers: headers.collect(),
            body: Vec::new(),
            request: request.summary(),
        });
    }
}

#[cfg(test)]
impl Response {
    /// A server's answer, made up for a test.
    pub(crate) fn of(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Self {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let request = Request::new(Method::Get, "http://localhost/").summary();
        Self { status, headers, body: body.to_vec(), request }
    }
}

#[cfg(test)]
mod tests {
    use super::{Response, parse_response, split_response};
    use crate::http::{Method, Request};
    use crate::process::failure::Transient;

    #[test]
    fn interim_answers_before_the_answer_are_skipped() {
        let bytes = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nDocker-Content-Digest: sha256:1\r\n\r\nbody\r\n\r\nmore";
        let response = parse_response(bytes, &Request::new(Method::Put, "http://localhost/")).unwrap();
        assert_eq!((response.status, response.body.as_slice()), (201, b"body\r\n\r\nmore".as_slice()));
        assert_eq!(response.header("docker-content-digest"), Some("sha256:1"));
    }

    #[test]
    fn the_pages_of_a_list_share_one_size_limit() {
        let page = |size: usize| Response::of(200, &[], format!("{:size$}", "[]").as_bytes());
        let mut left = 100;
        for _ in 0..2 {
            assert!(page(50).json_of_page::<Vec<u8>>(&mut left).is_ok());
        }
        let error = page(2).json_of_page::<Vec<u8>>(&mut left).unwrap_err().to_string();
        assert!(error.contains("with 2 bytes: expected 0 at most"), "{error}");
        assert!(page(200).json_of_page::<Vec<u8>>(&mut 199).is_err());
    }

    #[test]
    fn answers_are_split_by_their_content_length() {
        let (get, head) =
            (Request::new(Method::Get, "http://localhost/"), Request::new(Method::Head, "http://localhost/"));
        let bytes =
            b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\nHTTP/1.1 500\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n\
            HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
        let mut rest = &bytes[..];
        assert_eq!(split_response(&mut rest, &get).unwrap().body, b"HTTP/1.1 500\r\n\r\n");
        let second = split_response(&mut rest, &head).unwrap();
        assert_eq!((second.status, second.body), (200, Vec::new()));
        assert_eq!(split_response(&mut rest, &get).unwrap().status, 404);
        assert!(rest.is_empty());
        for bad in ["HTTP/1.1 200 OK\r\n\r\nbody", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbody"] {
            assert!(split_response(&mut bad.as_bytes(), &get).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_unexpected_answer_is_shown_in_one_line_and_may_be_transient() {
        for (status, is_transient) in [(503, true), (403, false)] {
            let error = Response::of(status, &[], b"no\n\x1b[2Kok").unexpected();
            assert_eq!(error.to_string(), format!("`GET http://localhost/` answered {status}: no  [2Kok"));
            assert_eq!(error.is::<Transient>(), is_transient, "{status}");
        }
        let silent = Response::of(403, &[], b"").unexpected().to_string();
        assert_eq!(silent, "`GET http://localhost/` answered 403");
    }

    #[test]
    fn output_that_is_not_http_is_rejected() {
        for bad in
            [&b""[..], b"hello", b"HTTP/1.1 abc\r\n\r\n", b"FTP/1 200\r\n\r\n", b"HTTP/1.1 200 OK\r\nA: b"]
        {
            assert!(parse_response(bad, &Request::new(Method::Get, "http://localhost/")).is_err());
        }
    }
}
