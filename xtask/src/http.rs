//! curl as an HTTP client, with one request per call. The whole request goes to curl's standard input, so that no
//! credential is ever on an argv. Redirects are not followed here: the caller decides whether a request may go to
//! another address, and with which credentials.

mod address;
mod batch;
#[cfg(test)]
mod hostile;
mod method;
mod proxy;
mod redirect;
mod request;
mod response;
mod retry;
mod web_url;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Error, Result};
use xshell::cmd;

use crate::process::failure::Transient;
use crate::process::file::if_any;
use crate::process::{Runner, Watch, backoff};

pub use address::Address;
pub use method::Method;
pub use redirect::{follow, is_redirect, resolve};
use request::Sink;
pub use request::{Authorization, Request};
pub use response::Response;
use response::parse_response;
pub use retry::is_timeout;
use retry::{RetryState, Tried};
pub use web_url::{FileUrl, WebUrl};

const INSTALL: &str = "install it, for example with `apt-get install curl`";

/// The largest total size of all pages of a list, in bytes: a server could send pages endlessly.
pub const MAX_LISTING_SIZE: usize = 64 << 20;

/// The most bytes of an answer's body that an error message needs.
const MAX_WORDS: u64 = 64 << 10;

/// curl's exit code for an answer that cannot be written to its file (curl(1), "EXIT CODES").
const NOT_WRITTEN: i32 = 23;

/// How often the size of a growing file is checked.
const LOOK: Duration = Duration::from_millis(100);

/// An HTTP client with one timeout.
#[derive(Clone)]
pub struct Curl {
    runner: Runner,
    timeout: Duration,
    retries: bool,
}

impl Curl {
    /// `timeout` bounds each request as a whole, retries included.
    #[must_use]
    pub fn new(runner: &Runner, timeout: Duration) -> Self {
        Self { runner: runner.clone(), timeout, retries: true }
    }

    /// The same client, for a caller that does its own retries or wants none.
    #[must_use]
    pub fn without_retries(self) -> Self {
        Self { retries: false, ..self }
    }

    /// Sends `request`. Any status is an answer. Transient faults are retried if the request is idempotent (`retry.rs`
    /// has the rules).
    ///
    /// # Errors
    /// When no complete answer arrived.
    pub fn send(&self, request: &Request) -> Result<Response> {
        self.send_within(request, self.timeout, None)
    }

    /// As [`Curl::send`], but writes the body of an answer with status 200 to `file`, at most `most` bytes and within
    /// `timeout`. For any other status, the response has the beginning of the body.
    ///
    /// # Errors
    /// When no complete answer arrived, or it is too large.
    pub fn download(&self, request: &Request, file: &Path, most: u64, timeout: Duration) -> Result<Response> {
        let mut response = self.send_within(request, timeout, Some(&Sink { file, most }))?;
        if response.status != 200 {
            let doing = || format!("reading `{}`", file.display());
            if let Some(body) = if_any(File::open(file)).with_context(doing)? {
                body.take(MAX_WORDS).read_to_end(&mut response.body).with_context(doing)?;
            }
        }
        Ok(response)
    }

    fn send_within(&self, request: &Request, timeout: Duration, sink: Option<&Sink<'_>>) -> Result<Response> {
        let deadline = Instant::now() + timeout;
        let mut tries = 0;
        loop {
            tries += 1;
            let tried = self.send_once(request, deadline.saturating_duration_since(Instant::now()), sink)?;
            let left = deadline.saturating_duration_since(Instant::now());
            let state =
                RetryState { tries, random: backoff::random()?, now: crate::process::time::now()?, left };
            let pause = retry::pause(request.is_repeatable, &tried, &state).filter(|_| self.retries);
            match (pause, tried) {
                (Some(pause), _) => {
                    if request.is_cleanup {
                        thread::sleep(pause);
                    } else {
                        crate::process::interrupt::pause(pause)?;
                    }
                }
                (None, Tried::Answer(response)) => return Ok(response),
                (None, Tried::NoAnswer(error) | Tried::Final(error)) => return Err(error),
            }
        }
    }

    fn send_once(&self, request: &Request, left: Duration, sink: Option<&Sink<'_>>) -> Result<Tried> {
        let doing = || format!("asking `{}`", request.summary());
        let sh = self.runner.shell()?;
        let scratch;
        let body = match &request.body {
            None => None,
            Some(bytes) => {
                scratch = crate::process::temp_dir::TempDir::new()?;
                let path = scratch.path().join("body");
                std::fs::write(&path, bytes).with_context(|| format!("writing `{}`", path.display()))?;
                Some(path.display().to_string())
            }
        };
        sink.map_or(Ok(()), Sink::clear).with_context(doing)?;
        let config = request.config(left, body.as_deref(), sink).with_context(doing)?;
        let watch = sink.map(|sink| Watch::new(LOOK, || sink.check()));
        // `-q` must come first: the user's own curlrc must not change what a request means.
        let call = self.runner.call(cmd!(sh, "curl -q --config -")).install_hint(INSTALL).stdin(config);
        let call = if request.is_cleanup { call.after_interrupt() } else { call };
        let call = call.timeout(left + Duration::from_secs(5));
        let output = call.output_watched(watch.as_ref()).with_context(doing)?;
        sink.map_or(Ok(()), Sink::check).with_context(doing)?;
        if !output.status.success() {
            let code = output.status.code();
            let (words, status) = proxy::words_and_status(&output.stderr);
            if let Some(Sink { file, .. }) = sink.filter(|_| code == Some(NOT_WRITTEN)) {
                let file = file.display();
                return Ok(Tried::Final(Error::msg(format!(
                    "{}: writing the answer to `{file}`: {words}; if that disk is full, free some, or set `TMPDIR` to a \
                     directory on another disk",
                    doing()
                ))));
            }
            let words = format!("{}: no answer: {words}{}", doing(), proxy::remedy(code, status));
            return Ok(match code {
                _ if retry::is_curl_timeout(code) => Tried::NoAnswer(Transient::timeout(words).into()),
                _ if retry::is_no_answer(code, status) => Tried::NoAnswer(Transient::new(words).into()),
                _ => Tried::Final(Error::msg(words)),
            });
        }
        // curl also exits with 0 when the connection ends within the headers of an answer.
        Ok(match parse_response(&output.stdout, request).with_context(doing) {
            Ok(response) => Tried::Answer(response),
            Err(error) => Tried::NoAnswer(Transient::new(format!("{error:#}")).into()),
        })
    }
}
