//! The faults that a request can have.

use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What happens to one request.
#[derive(Clone)]
pub enum Fault {
    /// The request is passed on, and the answer is passed back.
    Pass,
    /// The proxy itself answers after it has read the request. The server does not get the request.
    Status {
        /// The status code.
        code: u16,
        /// Headers besides `Content-Length`.
        headers: Vec<(String, String)>,
        /// The body.
        body: Vec<u8>,
    },
    /// The connection is closed before the request reaches the server.
    CutBefore,
    /// The server gets the whole request and answers. The client gets nothing, and the connection is closed.
    CutAfter,
    /// The client gets half of the answer's body, or half of its head if there is no body. Then the connection is
    /// closed.
    Truncate,
    /// There is no answer until the client gives up. The server does not get the request.
    Hang,
    /// The request is passed on after this time.
    Delay(Duration),
    /// The request is passed on when this returns.
    Wait(Arc<dyn Fn() + Send + Sync>),
    /// The answer is changed.
    Rewrite(Rewrite),
}

/// Changes an answer.
pub type Rewrite = Arc<dyn Fn(&mut Answer) + Send + Sync>;

/// A complete answer of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Without the headers that frame the body. In an answer to `HEAD`, `Content-Length` is included.
    pub headers: Vec<(String, String)>,
    /// The body. In an answer to `HEAD` it stays empty, whatever is put here.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header with that name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Replaces all headers with that name by `value`.
    pub fn set_header(&mut self, name: &str, value: &str) {
        self.headers.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
    }
}

impl Fault {
    /// An answer of the proxy itself, with a status code, one header and a body.
    #[must_use]
    pub fn status(code: u16, header: (&str, &str), body: &str) -> Self {
        let headers = vec![(header.0.to_owned(), header.1.to_owned())];
        Self::Status { code, headers, body: body.as_bytes().to_owned() }
    }

    /// A 429 that asks the client to wait for a second.
    #[must_use]
    pub fn too_many_requests() -> Self {
        Self::status(429, ("Retry-After", "1"), "")
    }

    /// A 500, as from a forge that has lost its database.
    #[must_use]
    pub fn internal_error() -> Self {
        Self::status(500, ("Content-Type", "application/json"), "{\"message\":\"injected\"}")
    }

    /// A 502 with a page, as from a reverse proxy.
    #[must_use]
    pub fn bad_gateway() -> Self {
        let page = "<html><head><title>502 Bad Gateway</title></head><body>injected</body></html>";
        Self::status(502, ("Content-Type", "text/html"), page)
    }

    /// Changes the answer with `change`.
    pub fn rewrite(change: impl Fn(&mut Answer) + Send + Sync + 'static) -> Self {
        Self::Rewrite(Arc::new(change))
    }

    /// Holds the answers back until the sender is dropped. The server gets the requests before that.
    #[must_use]
    pub fn held() -> (Sender<()>, Self) {
        let (sender, receiver) = mpsc::channel();
        let receiver = Mutex::new(receiver);
        let wait = move |_: &mut Answer| {
            // Nothing is ever sent: the call ends with an error when the sender is dropped.
            let _ended = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        };
        (sender, Self::rewrite(wait))
    }

    /// A short name for the log; empty if nothing is done.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Pass => "",
            Self::Status { .. } => "status",
            Self::CutBefore => "cut before",
            Self::CutAfter => "cut after",
            Self::Truncate => "truncated",
            Self::Hang => "hang",
            Self::Delay(_) => "delay",
            Self::Wait(_) => "held",
            Self::Rewrite(_) => "rewritten",
        }
    }
}
