//! curl as an HTTP client: one request a call, everything about it on standard input, so that no credential is ever on
//! an argv. Redirects are not followed here: who asked decides where a request may go on, and with which credentials.

mod response;
mod retry;
mod silence;
mod together;

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Error, Result, bail, ensure};
use xshell::cmd;

use crate::secret::Secret;
use crate::tool::{Runner, backoff};

pub use response::Response;
use response::parse_response;
use retry::{Moment, Tried};
use silence::Silence;
pub use silence::is_silent;

/// How a request proves who sends it.
#[derive(Clone, Default)]
pub enum Authorization {
    /// Not at all.
    #[default]
    Anonymous,
    /// User and password or token.
    Basic(String, Secret),
    /// `Authorization: Bearer …`: a registry's own short-lived token.
    Bearer(Secret),
    /// `Authorization: token …`: the forge API's form.
    Token(Secret),
}

/// What is sent.
#[derive(Clone)]
pub struct Request {
    method: &'static str,
    url: String,
    headers: Vec<(&'static str, String)>,
    body: Option<Vec<u8>>,
    authorization: Authorization,
    is_repeatable: bool,
    has_private_query: bool,
}

impl Request {
    /// A request without a body. All but a `POST` may be sent twice: the second one finds what the first one left.
    #[must_use]
    pub fn new(method: &'static str, url: impl Into<String>) -> Self {
        Self {
            method,
            url: url.into(),
            headers: Vec::new(),
            body: None,
            authorization: Authorization::Anonymous,
            is_repeatable: matches!(method, "GET" | "HEAD" | "PUT" | "DELETE" | "PATCH"),
            has_private_query: false,
        }
    }

    /// The same question at another address, which a server gave: as a stranger, and with a query that may be a right by
    /// itself, so no message shows it.
    #[must_use]
    pub fn elsewhere(&self, url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            authorization: Authorization::Anonymous,
            has_private_query: true,
            ..self.clone()
        }
    }

    /// Where it goes.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `GET`, `HEAD` and so on.
    #[must_use]
    pub fn method(&self) -> &'static str {
        self.method
    }

    /// Says of a `POST` that it may be sent twice: a second one does no harm.
    #[must_use]
    pub fn repeatable(mut self) -> Self {
        self.is_repeatable = true;
        self
    }

    /// One more header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The body and its `Content-Type`.
    #[must_use]
    pub fn body(self, media_type: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let mut request = self.header("Content-Type", media_type);
        request.body = Some(bytes.into());
        request
    }

    /// Who sends it.
    #[must_use]
    pub fn authorization(mut self, authorization: Authorization) -> Self {
        self.authorization = authorization;
        self
    }

    /// `GET https://…`, for messages.
    #[must_use]
    pub fn summary(&self) -> String {
        match self.url.split_once('?').filter(|_| self.has_private_query) {
            Some((address, _)) => format!("{} {address}?…", self.method),
            None => format!("{} {}", self.method, self.url),
        }
    }

    /// The request as a curl configuration file. The body cannot travel in it (curl has one standard input), so it is
    /// named as the file at `body`. The answer's body goes to `sink`, where there is one.
    fn config(&self, left: Duration, body: Option<&str>, sink: Option<&Sink<'_>>) -> Result<String> {
        let mut lines = vec![
            "silent".to_owned(),
            "show-error".to_owned(),
            "suppress-connect-headers".to_owned(),
            "globoff".to_owned(),
            option("proto", "=http,https")?,
            option("connect-timeout", "10")?,
            option("max-time", &format!("{:.3}", left.as_secs_f64().max(1.0)))?,
            option("url", &self.url)?,
            // Some proxies mangle what they think they know of HTTP/2.
            "http1.1".to_owned(),
            option("header", "Expect:")?,
            option("header", "User-Agent: xtask")?,
        ];
        match sink {
            None => lines.push("include".to_owned()),
            Some(Sink { file, most }) => {
                let file = file.to_str().context("the file that an answer goes to has no UTF-8 name")?;
                lines.extend([
                    option("dump-header", "-")?,
                    option("output", file)?,
                    option("max-filesize", &most.to_string())?,
                ]);
            }
        }
        if self.is_repeatable {
            lines.extend([option("speed-limit", "1")?, option("speed-time", LONGEST_SILENCE)?]);
        }
        match self.method {
            "HEAD" => lines.push("head".to_owned()),
            method => lines.push(option("request", method)?),
        }
        for (name, value) in &self.headers {
            lines.push(option("header", &format!("{name}: {value}"))?);
        }
        if let Some(path) = body {
            lines.push(option("data-binary", &format!("@{path}"))?);
        }
        match &self.authorization {
            Authorization::Anonymous => {}
            Authorization::Basic(user, password) => {
                lines.push(option("user", &format!("{user}:{}", password.expose()))?);
            }
            Authorization::Bearer(token) => {
                lines.push(option("header", &format!("Authorization: Bearer {}", token.expose()))?);
            }
            Authorization::Token(token) => {
                lines.push(option("header", &format!("Authorization: token {}", token.expose()))?);
            }
        }
        Ok(lines.join("\n") + "\n")
    }
}

/// Where a large answer goes.
struct Sink<'a> {
    file: &'a Path,
    /// In bytes.
    most: u64,
}

/// `name = "value"`, escaped as curl(1) `--config` says. A line break would start another option.
fn option(name: &str, value: &str) -> Result<String> {
    ensure!(!value.chars().any(char::is_control), "a control character in the `{name}` of an HTTP request");
    Ok(format!("{name} = \"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")))
}

const INSTALL: &str = "install it, for example with `apt-get install curl`";

/// A try in which no byte comes or goes for so many seconds is given up, so that there is time for another.
const LONGEST_SILENCE: &str = "10";

/// More than an error shows of an answer's words.
const MOST_WORDS: u64 = 64 << 10;

/// An HTTP client with one timeout.
#[derive(Clone)]
pub struct Curl {
    runner: Runner,
    timeout: Duration,
    retries: bool,
}

impl Curl {
    /// `timeout` bounds each request as a whole, with everything that is tried again.
    #[must_use]
    pub fn new(runner: &Runner, timeout: Duration) -> Self {
        Self { runner: runner.clone(), timeout, retries: true }
    }

    /// The same client for a caller that asks again by itself.
    #[must_use]
    pub fn without_retries(self) -> Self {
        Self { retries: false, ..self }
    }

    /// Sends `request`; any status is an answer. Passing faults are tried again when the request may be sent twice
    /// (`retry.rs` has the rules).
    ///
    /// # Errors
    /// When no complete answer came.
    pub fn send(&self, request: &Request) -> Result<Response> {
        self.send_within(request, self.timeout, None)
    }

    /// As [`Curl::send`], and writes the body of an answer with status 200 to `file`: at most `most` bytes of it, and for
    /// at most `timeout`. Of any other answer the response has the beginning of the body.
    ///
    /// # Errors
    /// When no complete answer came, or it is too large.
    pub fn download(&self, request: &Request, file: &Path, most: u64, timeout: Duration) -> Result<Response> {
        let mut response = self.send_within(request, timeout, Some(&Sink { file, most }))?;
        if response.status != 200 {
            let body = File::open(file).and_then(|body| {
                let mut bytes = Vec::new();
                body.take(MOST_WORDS).read_to_end(&mut bytes).map(|_| bytes)
            });
            response.body = match body {
                Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
                other => other.with_context(|| format!("reading `{}`", file.display()))?,
            };
        }
        Ok(response)
    }

    fn send_within(&self, request: &Request, timeout: Duration, sink: Option<&Sink<'_>>) -> Result<Response> {
        let deadline = Instant::now() + timeout;
        for tries in 1.. {
            let tried = self.send_once(request, deadline.saturating_duration_since(Instant::now()), sink)?;
            let left = deadline.saturating_duration_since(Instant::now());
            let moment = Moment { tries, random: backoff::random()?, now: crate::time::now()?, left };
            let pause = retry::pause(request.is_repeatable, &tried, &moment).filter(|_| self.retries);
            match (pause, tried) {
                (Some(pause), _) => {
                    crate::interrupt::check()?;
                    thread::sleep(pause);
                }
                (None, Tried::Answer(response)) => return Ok(response),
                (None, Tried::NoAnswer(error) | Tried::Final(error)) => return Err(error),
            }
        }
        bail!("asking `{}`: no end of tries", request.summary())
    }

    fn send_once(&self, request: &Request, left: Duration, sink: Option<&Sink<'_>>) -> Result<Tried> {
        let doing = || format!("asking `{}`", request.summary());
        let sh = self.runner.shell()?;
        let scratch;
        let body = match &request.body {
            None => None,
            Some(bytes) => {
                scratch = crate::scratch::Scratch::new()?;
                let path = scratch.path().join("body");
                std::fs::write(&path, bytes).with_context(|| format!("writing `{}`", path.display()))?;
                Some(path.display().to_string())
            }
        };
        let config = request.config(left, body.as_deref(), sink).with_context(doing)?;
        let output = self
            .runner
            // `-q` first: the user's own curlrc must not change what a request means.
            .call(cmd!(sh, "curl -q --config -"))
            .install_hint(INSTALL)
            .stdin(config)
            .timeout(left + Duration::from_secs(5))
            .output()
            .with_context(doing)?;
        if !output.status.success() {
            let code = output.status.code();
            let words = format!("{}: no answer: {}", doing(), output.stderr.trim());
            let error = if retry::is_silence(code) { Silence(words).into() } else { Error::msg(words) };
            return Ok(if retry::is_no_answer(code) { Tried::NoAnswer(error) } else { Tried::Final(error) });
        }
        // curl exits with 0 when the connection ends within the head of an answer.
        Ok(match parse_response(&output.stdout, request).with_context(doing) {
            Ok(response) => Tried::Answer(response),
            Err(error) => Tried::NoAnswer(error),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Authorization, Request};
    use crate::secret::Secret;
    use std::time::Duration;

    #[test]
    fn a_value_cannot_smuggle_an_option() {
        let request = Request::new("GET", "http://localhost/\noutput = \"/etc/passwd\"");
        assert!(request.config(Duration::from_secs(1), None, None).is_err());
        let quoted = Request::new("GET", "http://localhost/").header("X", "a\"b\\c");
        assert!(
            quoted.config(Duration::from_secs(1), None, None).unwrap().contains(r#"header = "X: a\"b\\c""#)
        );
    }

    #[test]
    fn the_credential_is_in_the_config_and_nowhere_else() {
        let token = Authorization::Token(Secret::new("forge-token-value"));
        let request = Request::new("GET", "http://localhost/").authorization(token);
        assert!(request.config(Duration::from_secs(1), None, None).unwrap().contains("forge-token-value"));
        assert!(!request.summary().contains("forge-token-value"));
        let elsewhere = request.elsewhere("https://storage.example.org/x?signature=s");
        assert!(!elsewhere.config(Duration::from_secs(1), None, None).unwrap().contains("forge-token-value"));
        assert_eq!(elsewhere.summary(), "GET https://storage.example.org/x?…");
    }

    #[test]
    fn a_silent_server_is_given_up_where_there_can_be_another_try() {
        let config = |method| {
            Request::new(method, "http://localhost/")
                .config(Duration::from_millis(29_400), None, None)
                .unwrap()
        };
        assert!(
            config("GET").contains("max-time = \"29.400\"") && config("GET").contains("speed-time = \"10\"")
        );
        assert!(!config("POST").contains("speed"), "it is not sent again: it may take all the time there is");
        let again = Request::new("POST", "http://localhost/").repeatable();
        assert!(again.config(Duration::from_secs(30), None, None).unwrap().contains("speed-time"));
    }
}
