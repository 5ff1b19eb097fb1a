//! One connection of a client: its requests one after the other. Each has its own connection to the server, so that
//! a fault in one does not affect the next.

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, SystemTime};

use super::fault::{Answer, Fault};
use super::framing::{Body, Head, Kind, copy, forward, read, read_head};
use super::{Shared, hung_up};

/// The answer of a server to a client that starts with TLS. Clients of a loopback registry try that first.
const NOT_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Headers that concern only one connection, and `Expect`, which the proxy answers itself.
const OF_A_CONNECTION: [&str; 4] = ["Connection", "Keep-Alive", "Proxy-Connection", "Expect"];

/// Larger than any answer that is rewritten or truncated.
const ANSWER_LIMIT: u64 = 256 << 20;

/// No client waits longer for an answer.
const MAX_HANG: Duration = Duration::from_secs(120);

/// Whether the client may send another request on the connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AfterAnswer {
    Next,
    Close,
}

/// The client's side of the connection.
type Client<'a> = BufReader<&'a TcpStream>;

/// A request in progress.
struct Pending<'a> {
    shared: &'a Shared,
    number: u64,
    head: Head,
    body: Body,
    /// Whether the server is working on it, as far as the proxy knows.
    is_passed_on: Cell<bool>,
}

/// Serves one connection to its end.
pub(super) fn serve(client: &TcpStream, shared: &Shared) -> io::Result<()> {
    super::lock(&shared.journal).connections += 1;
    client.set_nodelay(true)?;
    let (mut reader, mut writer): (Client<'_>, _) = (BufReader::new(client), client);
    let end = loop {
        let head = match read_head(&mut reader, Kind::Request) {
            Ok(Some(head)) => head,
            Ok(None) => break Ok(()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => break writer.write_all(NOT_HTTP),
            Err(error) => break Err(error),
        };
        let (number, fault) = shared.decide(head.word(0), head.word(1));
        let body = head.body(Body::Sized(0))?;
        if head.header("Expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
            writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let pending = Pending { shared, number, head, body, is_passed_on: Cell::new(false) };
        match pending.apply(&fault, &mut reader, &mut writer) {
            Ok(AfterAnswer::Next) => {}
            Ok(AfterAnswer::Close) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    client.shutdown(Shutdown::Both).or_else(hung_up)?;
    end
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if self.is_passed_on.get() {
            self.shared.has_ended(self.head.word(0));
        }
    }
}

impl Pending<'_> {
    fn apply(
        &self,
        fault: &Fault,
        client: &mut Client<'_>,
        back: &mut impl Write,
    ) -> io::Result<AfterAnswer> {
        match fault {
            Fault::Pass => self.pass(client, back),
            Fault::Delay(time) => {
                thread::sleep(*time);
                self.pass(client, back)
            }
            Fault::Wait(wait) => {
                let mut body = Vec::new();
                forward(self.body, client, &mut body)?;
                wait();
                if is_gone(client)? { Ok(AfterAnswer::Close) } else { self.pass(&mut body.as_slice(), back) }
            }
            Fault::Status { code, headers, body } => {
                forward(self.body, client, &mut io::sink())?;
                let answer = Answer { status: *code, headers: headers.clone(), body: body.clone() };
                self.write(answer, back)
            }
            Fault::CutBefore => Ok(AfterAnswer::Close),
            Fault::CutAfter => {
                let (head, mut server) = self.ask(client)?;
                forward(self.body_of(&head)?, &mut server, &mut io::sink())?;
                Ok(AfterAnswer::Close)
            }
            Fault::Truncate => self.truncate(client, back),
            Fault::Hang => hang(client).map(|()| AfterAnswer::Close),
            Fault::Rewrite(change) => {
                let (head, mut server) = self.ask(client)?;
                let body = read(self.body_of(&head)?, &mut server, ANSWER_LIMIT)?;
                let mut answer = Answer { status: head.status()?, headers: head.headers, body };
                change(&mut answer);
                self.write(answer, back)
            }
        }
    }

    fn is_head(&self) -> bool {
        self.head.word(0) == "HEAD"
    }

    /// How the body of the answer with this head is framed.
    fn body_of(&self, answer: &Head) -> io::Result<Body> {
        if self.is_head() || matches!(answer.status()?, 204 | 304) {
            return Ok(Body::Sized(0));
        }
        answer.body(Body::UntilClose)
    }

    fn note_status(&self, status: u16) {
        self.shared.note(self.number, |exchange| exchange.status = Some(status));
    }

    /// Passes the whole request on. Returns the head of the answer, and the connection, from which its body is still to
    /// be read.
    fn ask(&self, client: &mut impl BufRead) -> io::Result<(Head, BufReader<TcpStream>)> {
        let server = TcpStream::connect(self.shared.upstream)?;
        server.set_nodelay(true)?;
        self.shared.is_passed_on(self.head.word(0));
        self.is_passed_on.set(true);
        let mut head = self.head.clone();
        head.remove(&OF_A_CONNECTION);
        head.headers.push(("Connection".to_owned(), "close".to_owned()));
        let mut sending = Sending { server: &server, refused: false };
        sending.write_all(&head.bytes())?;
        let pushed = forward(self.body, client, &mut sending)?;
        self.shared.note(self.number, |exchange| exchange.pushed = pushed);
        let mut server = BufReader::new(server);
        loop {
            let head = read_head(&mut server, Kind::Answer)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            // The client already has its interim answer, or did not request one.
            let status = head.status()?;
            if !(100..200).contains(&status) {
                let answered = Some((SystemTime::now(), status));
                self.shared.note(self.number, |exchange| exchange.answered = answered);
                return Ok((head, server));
            }
        }
    }

    fn pass(&self, client: &mut impl BufRead, back: &mut impl Write) -> io::Result<AfterAnswer> {
        let (mut head, mut server) = self.ask(client)?;
        let body = self.body_of(&head)?;
        head.remove(&OF_A_CONNECTION);
        let then = self.then(body);
        if then == AfterAnswer::Close {
            head.headers.push(("Connection".to_owned(), "close".to_owned()));
        }
        back.write_all(&head.bytes())?;
        self.note_status(head.status()?);
        forward(body, &mut server, back)?;
        back.flush()?;
        Ok(then)
    }

    fn then(&self, answer: Body) -> AfterAnswer {
        let closes = self.head.header("Connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let is_old = self.head.word(2) == "HTTP/1.0";
        if closes || is_old || answer == Body::UntilClose { AfterAnswer::Close } else { AfterAnswer::Next }
    }

    fn truncate(&self, client: &mut impl BufRead, back: &mut impl Write) -> io::Result<AfterAnswer> {
        let (mut head, mut server) = self.ask(client)?;
        let content = read(self.body_of(&head)?, &mut server, ANSWER_LIMIT)?;
        if content.is_empty() {
            let bytes = head.bytes();
            back.write_all(&bytes[..bytes.len() / 2])?;
            return Ok(AfterAnswer::Close);
        }
        head.remove(&["Transfer-Encoding", "Content-Length"]);
        head.headers.push(("Content-Length".to_owned(), content.len().to_string()));
        back.write_all(&head.bytes())?;
        copy(&mut &*content, back, content.len() as u64 / 2)?;
        Ok(AfterAnswer::Close)
    }

    fn write(&self, answer: Answer, back: &mut impl Write) -> io::Result<AfterAnswer> {
        let Answer { status, headers, body } = answer;
        let mut head = Head { start: format!("HTTP/1.1 {status} By the Proxy"), headers };
        head.remove(&["Transfer-Encoding", "Connection", "Keep-Alive"]);
        if !self.is_head() && status != 204 {
            head.remove(&["Content-Length"]);
            head.headers.push(("Content-Length".to_owned(), body.len().to_string()));
        }
        back.write_all(&head.bytes())?;
        self.note_status(status);
        if !self.is_head() {
            back.write_all(&body)?;
        }
        Ok(self.then(Body::Sized(body.len() as u64)))
    }
}

/// Whether a client that waits for its answer has hung up.
fn is_gone(client: &Client<'_>) -> io::Result<bool> {
    let stream = client.get_ref();
    stream.set_nonblocking(true)?;
    let peeked = stream.peek(&mut [0]);
    stream.set_nonblocking(false)?;
    match peeked {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => hung_up(error).map(|()| true),
        Ok(size) => Ok(size == 0),
    }
}

/// Reads until the client hangs up, or has not sent anything for too long.
fn hang(client: &mut Client<'_>) -> io::Result<()> {
    client.get_ref().set_read_timeout(Some(MAX_HANG))?;
    match io::copy(client, &mut io::sink()) {
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => Ok(()),
        read => read.map(|_| ()),
    }
}

/// The server's side. A server may answer and stop reading before it has the whole request. The rest of the request is
/// then discarded, and the answer is read.
struct Sending<'a> {
    server: &'a TcpStream,
    refused: bool,
}

impl Write for Sending<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.refused
            && let Err(error) = self.server.write_all(bytes)
        {
            hung_up(error)?;
            self.refused = true;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
