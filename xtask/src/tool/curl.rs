//! curl as an HTTP client: one request a call, everything about it on standard input, so that no credential is ever on
//! an argv. Redirects are not followed: a registry or forge that answers with one is told so in the error.

mod response;

use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use xshell::cmd;

use crate::secret::Secret;
use crate::tool::Runner;

pub use response::Response;
use response::parse_response;

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
}

impl Request {
    /// A request without a body.
    #[must_use]
    pub fn new(method: &'static str, url: impl Into<String>) -> Self {
        Self {
            method,
            url: url.into(),
            headers: Vec::new(),
            body: None,
            authorization: Authorization::Anonymous,
        }
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
        format!("{} {}", self.method, self.url)
    }

    /// The request as a curl configuration file. The body cannot travel in it (curl has one standard input), so it is
    /// named as the file at `body`.
    fn config(&self, timeout: Duration, body: Option<&str>) -> Result<String> {
        let mut lines = vec![
            "silent".to_owned(),
            "show-error".to_owned(),
            "include".to_owned(),
            "suppress-connect-headers".to_owned(),
            "globoff".to_owned(),
            option("proto", "=http,https")?,
            option("connect-timeout", "10")?,
            option("max-time", &timeout.as_secs().max(1).to_string())?,
            option("url", &self.url)?,
            // Some proxies mangle what they think they know of HTTP/2.
            "http1.1".to_owned(),
            option("header", "Expect:")?,
            option("header", "User-Agent: xtask")?,
        ];
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

/// `name = "value"`, escaped as curl(1) `--config` says. A line break would start another option.
fn option(name: &str, value: &str) -> Result<String> {
    ensure!(!value.chars().any(char::is_control), "a control character in the `{name}` of an HTTP request");
    Ok(format!("{name} = \"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// Pauses between tries of a request that a passing fault has failed.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_millis(600), Duration::from_millis(1800)];

/// A server that asks for more patience than this is told of as it is.
const MOST_PATIENCE: Duration = Duration::from_secs(20);

/// An HTTP client with one timeout.
#[derive(Clone)]
pub struct Curl {
    runner: Runner,
    timeout: Duration,
    pauses: &'static [Duration],
}

impl Curl {
    /// `timeout` bounds each request as a whole.
    #[must_use]
    pub fn new(runner: &Runner, timeout: Duration) -> Self {
        Self { runner: runner.clone(), timeout, pauses: &PAUSES }
    }

    /// The same client for a caller that asks again by itself.
    #[must_use]
    pub fn without_retries(self) -> Self {
        Self { pauses: &[], ..self }
    }

    /// Sends `request`; any status is an answer. Passing faults are tried again when the request may be sent twice: no
    /// answer at all, 429 and 502 to 504.
    ///
    /// # Errors
    /// When no complete answer came.
    pub fn send(&self, request: &Request) -> Result<Response> {
        let mut pauses = self.pauses.iter();
        loop {
            let tried = self.send_once(request);
            let Some(pause) = pauses.next().and_then(|pause| pause_before_retry(request, &tried, *pause))
            else {
                return tried;
            };
            crate::interrupt::check()?;
            thread::sleep(pause);
        }
    }

    fn send_once(&self, request: &Request) -> Result<Response> {
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
        let config = request.config(self.timeout, body.as_deref()).with_context(doing)?;
        let output = self
            .runner
            // `-q` first: the user's own curlrc must not change what a request means.
            .call(cmd!(sh, "curl -q --config -"))
            .install_hint("install it, for example with `apt-get install curl`")
            .stdin(config)
            .timeout(self.timeout + Duration::from_secs(5))
            .output()
            .with_context(doing)?;
        if !output.status.success() {
            let reason = output.stderr.trim().to_owned();
            bail!("asking `{}`: no answer: {reason}", request.summary());
        }
        parse_response(&output.stdout, request).with_context(doing)
    }
}

/// How long to wait before the next try; `None` when what was tried is final. A `Retry-After` in seconds (RFC 9110
/// §10.2.3) is obeyed.
fn pause_before_retry(request: &Request, tried: &Result<Response>, pause: Duration) -> Option<Duration> {
    if !matches!(request.method, "GET" | "HEAD" | "PUT" | "DELETE" | "PATCH") {
        return None;
    }
    match tried {
        Err(_) => Some(pause),
        Ok(response) if matches!(response.status, 429 | 502..=504) => {
            let asked = response
                .header("Retry-After")
                .and_then(|seconds| seconds.parse().map(Duration::from_secs).ok());
            Some(asked.unwrap_or(pause).max(pause)).filter(|pause| *pause <= MOST_PATIENCE)
        }
        Ok(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Authorization, Request, Response, parse_response, pause_before_retry};
    use crate::secret::Secret;
    use std::time::Duration;

    #[test]
    fn a_value_cannot_smuggle_an_option() {
        let request = Request::new("GET", "http://localhost/\noutput = \"/etc/passwd\"");
        assert!(request.config(Duration::from_secs(1), None).is_err());
        let quoted = Request::new("GET", "http://localhost/").header("X", "a\"b\\c");
        assert!(quoted.config(Duration::from_secs(1), None).unwrap().contains(r#"header = "X: a\"b\\c""#));
    }

    #[test]
    fn the_credential_is_in_the_config_and_nowhere_else() {
        let token = Authorization::Token(Secret::new("forge-token-value"));
        let request = Request::new("GET", "http://localhost/").authorization(token);
        assert!(request.config(Duration::from_secs(1), None).unwrap().contains("forge-token-value"));
        assert!(!request.summary().contains("forge-token-value"));
    }

    fn answer(status: u16, retry_after: Option<&str>) -> anyhow::Result<Response> {
        let header = retry_after.map(|seconds| format!("Retry-After: {seconds}\r\n")).unwrap_or_default();
        let bytes = format!("HTTP/1.1 {status} X\r\n{header}\r\n");
        parse_response(bytes.as_bytes(), &Request::new("GET", "http://localhost/"))
    }

    #[test]
    fn only_passing_faults_of_repeatable_requests_are_tried_again() {
        let pause = Duration::from_millis(200);
        let retry = |method, tried: anyhow::Result<Response>| {
            pause_before_retry(&Request::new(method, "http://localhost/"), &tried, pause)
        };
        assert_eq!(retry("GET", Err(anyhow::anyhow!("reset"))), Some(pause));
        assert_eq!(retry("PUT", answer(503, None)), Some(pause));
        assert_eq!(retry("GET", answer(429, Some("3"))), Some(Duration::from_secs(3)));
        assert_eq!(retry("GET", answer(429, Some("3600"))), None, "the job's hour is not ours to wait away");
        assert_eq!(
            retry("POST", answer(503, None)),
            None,
            "it may have been taken although the answer was lost"
        );
        for status in [200, 401, 404, 409, 500] {
            assert_eq!(retry("GET", answer(status, None)), None, "{status}");
        }
    }
}
