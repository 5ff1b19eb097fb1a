//! Where an HTTP/1.1 request ends: its head, and how its body is framed (RFC 9112 §6). Only as much as the counting proxy
//! needs.

use std::io::{self, BufRead, Read, Write};

/// More than any head that a client here sends.
const HEAD_LIMIT: u64 = 64 << 10;

/// The head of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Such as `GET`.
    pub(super) method: String,
    /// What follows the head.
    pub(super) body: Body,
    /// The head as it came, with the empty line at its end.
    pub(super) bytes: Vec<u8>,
}

/// How a body is framed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// This many bytes; none without either header.
    Sized(u64),
    /// In chunks.
    Chunked,
}

/// Reads the next head; `None` at the end of the connection. What is no HTTP, such as the first bytes of TLS, is an
/// error of the kind [`io::ErrorKind::InvalidData`].
pub(super) fn read_head(client: &mut impl BufRead) -> io::Result<Option<Head>> {
    let mut bytes = Vec::new();
    let mut limited = client.take(HEAD_LIMIT);
    loop {
        let start = bytes.len();
        limited.read_until(b'\n', &mut bytes)?;
        let line = &bytes[start..];
        match line {
            [] if bytes.is_empty() => return Ok(None),
            b"\r\n" | b"\n" => return parse(bytes).map(Some),
            [.., b'\n'] if start > 0 || is_request_line(line) => {}
            _ => return Err(invalid("no request of HTTP/1.1")),
        }
    }
}

fn is_request_line(line: &[u8]) -> bool {
    line.trim_ascii_end().ends_with(b" HTTP/1.1") || line.trim_ascii_end().ends_with(b" HTTP/1.0")
}

fn parse(bytes: Vec<u8>) -> io::Result<Head> {
    let text = std::str::from_utf8(&bytes).map_err(|error| invalid(&error.to_string()))?;
    let mut lines = text.lines();
    let method = lines.next().and_then(|line| line.split(' ').next()).unwrap_or_default().to_owned();
    let mut body = Body::Sized(0);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("transfer-encoding") && value.trim().eq_ignore_ascii_case("chunked") {
            body = Body::Chunked;
        } else if name.eq_ignore_ascii_case("content-length") && body != Body::Chunked {
            body = Body::Sized(value.trim().parse().map_err(|_no_number| invalid("a length that is none"))?);
        }
    }
    Ok(Head { method, body, bytes })
}

/// Hands the body on as it is framed, and returns how many bytes of content it had.
pub(super) fn forward_body(
    body: &Body,
    client: &mut impl BufRead,
    upstream: &mut impl Write,
) -> io::Result<u64> {
    match body {
        Body::Sized(size) => forward(client, upstream, *size).map(|()| *size),
        Body::Chunked => forward_chunks(client, upstream),
    }
}

fn forward_chunks(client: &mut impl BufRead, upstream: &mut impl Write) -> io::Result<u64> {
    let mut total = 0;
    loop {
        let line = forward_line(client, upstream)?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(digits, 16).map_err(|_no_number| invalid("a chunk without a size"))?;
        if size == 0 {
            break;
        }
        forward(client, upstream, size)?;
        forward_line(client, upstream)?;
        total += size;
    }
    // Trailers, up to the empty line.
    while !forward_line(client, upstream)?.trim_end().is_empty() {}
    Ok(total)
}

fn forward_line(client: &mut impl BufRead, upstream: &mut impl Write) -> io::Result<String> {
    let mut line = String::new();
    client.take(HEAD_LIMIT).read_line(&mut line)?;
    if !line.ends_with('\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    upstream.write_all(line.as_bytes())?;
    Ok(line)
}

fn forward(client: &mut impl Read, upstream: &mut impl Write, size: u64) -> io::Result<()> {
    if io::copy(&mut client.take(size), upstream)? == size {
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
    use super::{Body, forward_body, read_head};
    use std::io::ErrorKind;

    #[test]
    fn requests_on_one_connection_are_told_apart_and_handed_on_unchanged() {
        let mut client = &b"PUT /a HTTP/1.1\r\ncontent-length: 3\r\n\r\nabcPATCH /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
            2;x=y\r\nde\r\n1\r\nf\r\n0\r\nTrailer: 1\r\n\r\nGET /c HTTP/1.1\r\n\r\n"[..];
        let all = client.to_vec();
        let (mut upstream, mut seen) = (Vec::new(), Vec::new());
        while let Some(head) = read_head(&mut client).unwrap() {
            upstream.extend_from_slice(&head.bytes);
            let size = forward_body(&head.body, &mut client, &mut upstream).unwrap();
            seen.push((head.method, size));
        }
        assert_eq!(seen, [("PUT".to_owned(), 3), ("PATCH".to_owned(), 3), ("GET".to_owned(), 0)]);
        assert_eq!(upstream, all);
    }

    #[test]
    fn what_is_no_http_is_invalid_and_an_end_in_the_middle_is_an_error() {
        for bad in [&b"\x16\x03\x01\x02\x00\x01\n"[..], b"GET / HTTP/1.1\r\nHost", b"hello\n", b"\r\n\x00"] {
            assert!(!matches!(read_head(&mut &*bad), Ok(Some(head)) if !head.method.is_empty()), "{bad:?}");
        }
        let error = read_head(&mut &b"\x16\x03\x01\x00\n"[..]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert!(forward_body(&Body::Sized(4), &mut &b"abc"[..], &mut Vec::new()).is_err());
        assert!(forward_body(&Body::Chunked, &mut &b"5\r\nab"[..], &mut Vec::new()).is_err());
        assert!(forward_body(&Body::Chunked, &mut &b"xyz\r\n"[..], &mut Vec::new()).is_err());
    }
}
