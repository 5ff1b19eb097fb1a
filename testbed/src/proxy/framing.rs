//! The framing of HTTP/1.1 messages: where the head ends, and where the body ends (RFC 9112 §6). It does only what the
//! proxy needs.

use std::io::{self, BufRead, Read, Write};

/// Larger than any head that a client or the forge sends here.
const HEAD_LIMIT: u64 = 64 << 10;

/// The head of a request or of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The first line, such as `GET / HTTP/1.1`.
    pub(super) start: String,
    /// The headers, with their names as they came.
    pub(super) headers: Vec<(String, String)>,
}

/// How a body is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// This many bytes.
    Sized(u64),
    /// In chunks.
    Chunked,
    /// Up to the end of the connection. Only answers have this.
    UntilClose,
}

/// Which word of the first line names the protocol.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The last one.
    Request,
    /// The first one.
    Answer,
}

/// Reads the next head; `None` at the end of the connection. Anything other than HTTP, such as the first bytes of
/// TLS, is an error of the kind [`io::ErrorKind::InvalidData`].
pub(super) fn read_head(from: &mut impl BufRead, kind: Kind) -> io::Result<Option<Head>> {
    let mut bytes = Vec::new();
    let mut limited = from.take(HEAD_LIMIT);
    loop {
        let start = bytes.len();
        limited.read_until(b'\n', &mut bytes)?;
        let line = &bytes[start..];
        match line {
            [] if bytes.is_empty() => return Ok(None),
            b"\r\n" | b"\n" if start > 0 => return parse(bytes).map(Some),
            [.., b'\n'] if start > 0 || is_first_line(line, kind) => {}
            [.., b'\n'] => return Err(invalid("no HTTP/1.1")),
            _ if start == 0 && !is_first_line(&[line, b"\n"].concat(), kind) => {
                return Err(invalid("no HTTP/1.1"));
            }
            // The connection ended in the middle of a head, which does not mean another protocol.
            _ => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

fn is_first_line(line: &[u8], kind: Kind) -> bool {
    let line = line.trim_ascii_end();
    match kind {
        Kind::Request => line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0"),
        Kind::Answer => line.starts_with(b"HTTP/1.1 ") || line.starts_with(b"HTTP/1.0 "),
    }
}

fn parse(bytes: Vec<u8>) -> io::Result<Head> {
    let text = String::from_utf8(bytes).map_err(|error| invalid(&error.to_string()))?;
    let mut lines = text.lines();
    let start = lines.next().unwrap_or_default().to_owned();
    let mut headers = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or_else(|| invalid("a header without a colon"))?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    Ok(Head { start, headers })
}

impl Head {
    /// A word of the first line, from 0.
    pub(super) fn word(&self, index: usize) -> &str {
        self.start.split(' ').nth(index).unwrap_or_default()
    }

    /// The status of an answer.
    pub(super) fn status(&self) -> io::Result<u16> {
        self.word(1).parse().map_err(|_no_number| invalid("a status that is not a number"))
    }

    /// The first header with that name, in any case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Removes the headers with these names.
    pub(super) fn remove(&mut self, names: &[&str]) {
        self.headers.retain(|(key, _)| !names.iter().any(|name| key.eq_ignore_ascii_case(name)));
    }

    /// The bytes to send.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let headers: String =
            self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("{}\r\n{headers}\r\n", self.start).into_bytes()
    }

    /// The framing of the body that follows, or `without` if no header gives one.
    pub(super) fn body(&self, without: Body) -> io::Result<Body> {
        if self.header("Transfer-Encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            return Ok(Body::Chunked);
        }
        match self.header("Content-Length") {
            None => Ok(without),
            Some(size) => {
                size.parse().map(Body::Sized).map_err(|_no_number| invalid("a length that is not a number"))
            }
        }
    }
}

/// Passes the body on as it is framed. Returns how many bytes of content it had.
pub(super) fn forward(body: Body, from: &mut impl BufRead, to: &mut impl Write) -> io::Result<u64> {
    match body {
        Body::Sized(size) => copy(from, to, size).map(|()| size),
        Body::Chunked => chunks(from, to, &mut io::sink()),
        Body::UntilClose => io::copy(from, to),
    }
}

/// Reads the content of a body, at most `limit` bytes.
pub(super) fn read(body: Body, from: &mut impl BufRead, limit: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let mut limited = from.take(limit);
    match body {
        Body::Sized(size) => copy(&mut limited, &mut content, size)?,
        Body::Chunked => chunks(&mut limited, &mut io::sink(), &mut content).map(|_| ())?,
        Body::UntilClose => limited.read_to_end(&mut content).map(|_| ())?,
    }
    Ok(content)
}

/// Passes chunks on to `raw` unchanged, and their content to `content`.
fn chunks(from: &mut impl BufRead, raw: &mut impl Write, content: &mut impl Write) -> io::Result<u64> {
    let mut total = 0;
    loop {
        let line = forward_line(from, raw)?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(digits, 16).map_err(|_no_number| invalid("a chunk without a size"))?;
        if size == 0 {
            break;
        }
        copy(from, &mut Both(raw, content), size)?;
        forward_line(from, raw)?;
        total += size;
    }
    // Trailers, up to the empty line.
    while !forward_line(from, raw)?.trim_end().is_empty() {}
    Ok(total)
}

/// Writes everything twice.
struct Both<'a, A, B>(&'a mut A, &'a mut B);

impl<A: Write, B: Write> Write for Both<'_, A, B> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(bytes)?;
        self.1.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()?;
        self.1.flush()
    }
}

fn forward_line(from: &mut impl BufRead, to: &mut impl Write) -> io::Result<String> {
    let mut line = String::new();
    from.take(HEAD_LIMIT).read_line(&mut line)?;
    if !line.ends_with('\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    to.write_all(line.as_bytes())?;
    Ok(line)
}

/// Copies exactly `size` bytes.
pub(super) fn copy(from: &mut impl Read, to: &mut impl Write, size: u64) -> io::Result<()> {
    if io::copy(&mut from.take(size), to)? == size {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::{Body, Kind, forward, read, read_head};
    use std::io::ErrorKind;

    #[test]
    fn requests_on_one_connection_are_separated_and_passed_on_unchanged() {
        let mut client = &b"PUT /a HTTP/1.1\r\ncontent-length: 3\r\n\r\nabcPATCH /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
            2;x=y\r\nde\r\n1\r\nf\r\n0\r\nTrailer: 1\r\n\r\nGET /c HTTP/1.1\r\n\r\n"[..];
        let all = client.to_vec();
        let (mut upstream, mut seen) = (Vec::new(), Vec::new());
        while let Some(head) = read_head(&mut client, Kind::Request).unwrap() {
            upstream.extend_from_slice(&head.bytes());
            let size = forward(head.body(Body::Sized(0)).unwrap(), &mut client, &mut upstream).unwrap();
            seen.push((head.word(0).to_owned(), size));
        }
        assert_eq!(seen, [("PUT".to_owned(), 3), ("PATCH".to_owned(), 3), ("GET".to_owned(), 0)]);
        assert_eq!(upstream, all);
    }

    #[test]
    fn the_content_is_read_in_every_framing_up_to_its_limit() {
        let mut chunked = &b"2\r\nde\r\n1\r\nf\r\n0\r\n\r\nrest"[..];
        assert_eq!(read(Body::Chunked, &mut chunked, 100).unwrap(), b"def");
        assert_eq!(chunked, b"rest");
        assert_eq!(read(Body::UntilClose, &mut &b"abc"[..], 100).unwrap(), b"abc");
        assert!(read(Body::Sized(3), &mut &b"abc"[..], 2).is_err());
        assert!(read(Body::Chunked, &mut &b"5\r\nabcde\r\n0\r\n\r\n"[..], 4).is_err());
    }

    #[test]
    fn anything_but_http_is_invalid_and_an_early_end_is_an_error() {
        for bad in [&b"\x16\x03\x01\x02\x00\x01\n"[..], b"\x16\x03\x01", b"hello\n", b"\r\n\x00"] {
            let error = read_head(&mut &*bad, Kind::Request).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{bad:?}");
        }
        let error = read_head(&mut &b"GET / HTTP/1.1\r\nHost"[..], Kind::Request).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert!(read_head(&mut &b"GET / HTTP/1.1\r\n\r\n"[..], Kind::Answer).is_err());
        for (body, bytes) in
            [(Body::Sized(4), &b"abc"[..]), (Body::Chunked, b"5\r\nab"), (Body::Chunked, b"xyz\r\n")]
        {
            assert!(forward(body, &mut &*bytes, &mut Vec::new()).is_err(), "{bytes:?}");
        }
    }
}
