//! What can be done to a request.

use std::sync::Arc;
use std::time::Duration;

/// What happens to one request.
#[derive(Clone)]
pub enum Fault {
    /// It is handed on, and the answer handed back.
    Pass,
    /// The proxy answers by itself, once it has read the request; the server is not asked.
    Status {
        /// The status code.
        code: u16,
        /// Headers beside `Content-Length`.
        headers: Vec<(String, String)>,
        /// The body.
        body: Vec<u8>,
    },
    /// The connection is closed before the request reaches the server.
    CutBefore,
    /// The server gets the whole request and answers; the client gets nothing, and the connection is closed.
    CutAfter,
    /// The client gets half of the answer's body, of an answer without one half of its head; then the connection is closed.
    Truncate,
    /// Nothing is answered until the client gives up; the server is not asked.
    Hang,
    /// It is handed on after this time.
    Delay(Duration),
    /// The answer is another one.
    Rewrite(Rewrite),
}

/// Changes an answer.
pub type Rewrite = Arc<dyn Fn(&mut Answer) + Send + Sync>;

/// An answer of the server, as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Without those that frame the body; of an answer to `HEAD`, `Content-Length` is here.
    pub headers: Vec<(String, String)>,
    /// Empty in an answer to `HEAD`, whatever is put here.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of that name, whatever its case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Puts `value` in place of all headers of that name.
    pub fn set_header(&mut self, name: &str, value: &str) {
        self.headers.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
    }
}

impl Fault {
    /// An answer without the server that has a code, one header and a body.
    #[must_use]
    pub fn status(code: u16, header: (&str, &str), body: &str) -> Self {
        let headers = vec![(header.0.to_owned(), header.1.to_owned())];
        Self::Status { code, headers, body: body.as_bytes().to_owned() }
    }

    /// 429 that asks for a second of patience.
    #[must_use]
    pub fn too_many_requests() -> Self {
        Self::status(429, ("Retry-After", "1"), "")
    }

    /// 500 as a forge that has lost its database answers.
    #[must_use]
    pub fn internal_error() -> Self {
        Self::status(500, ("Content-Type", "application/json"), "{\"message\":\"injected\"}")
    }

    /// 502 as a reverse proxy answers, with a page.
    #[must_use]
    pub fn bad_gateway() -> Self {
        let page = "<html><head><title>502 Bad Gateway</title></head><body>injected</body></html>";
        Self::status(502, ("Content-Type", "text/html"), page)
    }

    /// Changes the answer with `change`.
    pub fn rewrite(change: impl Fn(&mut Answer) + Send + Sync + 'static) -> Self {
        Self::Rewrite(Arc::new(change))
    }

    /// In a word, for the log; empty when nothing is done.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Pass => "",
            Self::Status { .. } => "status",
            Self::CutBefore => "cut before",
            Self::CutAfter => "cut after",
            Self::Truncate => "truncated",
            Self::Hang => "hang",
            Self::Delay(_) => "delay",
            Self::Rewrite(_) => "rewritten",
        }
    }
}
