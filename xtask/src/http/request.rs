//! A request, and how it reads as a curl configuration file (curl(1), `--config`).

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::{Address, Method, proxy};
use crate::process::file::if_any;
use crate::process::secret::Secret;

/// An attempt is aborted after this many seconds without a byte in either direction, so that time is left for a
/// retry.
const STALL_TIMEOUT: &str = "10";

/// How a request authenticates.
#[derive(Clone, Default)]
pub enum Authorization {
    /// It does not.
    #[default]
    Anonymous,
    /// User and password or token.
    Basic(String, Secret),
    /// `Authorization: Bearer …`: a short-lived token of the registry.
    Bearer(Secret),
    /// `Authorization: token …`: the form of the forge's API.
    Token(Secret),
}

/// An HTTP request.
#[derive(Clone)]
pub struct Request {
    pub(super) method: Method,
    url: String,
    headers: Vec<(&'static str, String)>,
    pub(super) body: Option<Vec<u8>>,
    authorization: Authorization,
    pub(super) is_repeatable: bool,
    has_private_query: bool,
    pub(super) is_cleanup: bool,
}

impl Request {
    /// A request without a body.
    #[must_use]
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Self {
            method,
            url: url.into(),
            headers: Vec::new(),
            body: None,
            authorization: Authorization::Anonymous,
            is_repeatable: method.is_idempotent(),
            has_private_query: false,
            is_cleanup: false,
        }
    }

    /// The same request for another address, which a server named. It is anonymous. No message shows the query of that
    /// address, because the query may itself grant access.
    #[must_use]
    pub fn elsewhere(&self, url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            authorization: Authorization::Anonymous,
            has_private_query: true,
            ..self.clone()
        }
    }

    /// The same request, with its authorization, for another address of the same server.
    #[must_use]
    pub fn renamed(self, url: impl Into<String>) -> Self {
        Self { url: url.into(), ..self }
    }

    /// The address that it goes to.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its method.
    #[must_use]
    pub const fn method(&self) -> Method {
        self.method
    }

    /// For cleanup: it is also sent after Ctrl-C.
    #[must_use]
    pub fn after_interrupt(mut self) -> Self {
        self.is_cleanup = true;
        self
    }

    /// Marks a `POST` as idempotent: a second one does no harm.
    #[must_use]
    pub fn repeatable(mut self) -> Self {
        self.is_repeatable = true;
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Sets the body and its `Content-Type`.
    #[must_use]
    pub fn body(self, media_type: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let mut request = self.header("Content-Type", media_type);
        request.body = Some(bytes.into());
        request
    }

    /// Sets how it authenticates.
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

    /// The request as a curl configuration file. The body cannot be part of it, because curl has only one standard
    /// input, so it is in the file `body`. The answer's body goes to `sink`, if there is one.
    pub(super) fn config(
        &self,
        left: Duration,
        body: Option<&str>,
        sink: Option<&Sink<'_>>,
    ) -> Result<String> {
        let mut lines = vec![
            "silent".to_owned(),
            "show-error".to_owned(),
            "suppress-connect-headers".to_owned(),
            "globoff".to_owned(),
            option("proto", "=http,https")?,
            option("connect-timeout", "10")?,
            option("max-time", &format!("{:.3}", left.as_secs_f64().max(1.0)))?,
            option("url", &self.url)?,
            // Some proxies mangle HTTP/2.
            "http1.1".to_owned(),
            option("header", "Expect:")?,
            option("header", "User-Agent: xtask")?,
            option("write-out", proxy::WRITE_OUT)?,
        ];
        if Address::parse(&self.url).is_some_and(|address| address.is_loopback()) {
            // As docker and cosign do (Go's net/http, `ProxyFromEnvironment`): a proxy would connect to its own
            // loopback.
            lines.push(option("noproxy", "*")?);
        }
        match sink {
            None => lines.push("include".to_owned()),
            Some(Sink { file, most }) => {
                let file = file.to_str().context("the name of the file for the answer is not UTF-8")?;
                lines.extend([
                    option("dump-header", "-")?,
                    option("output", file)?,
                    option("max-filesize", &most.to_string())?,
                ]);
            }
        }
        if self.is_repeatable {
            lines.extend([option("speed-limit", "1")?, option("speed-time", STALL_TIMEOUT)?]);
        }
        match self.method {
            Method::Head => lines.push("head".to_owned()),
            method => lines.push(option("request", &method.to_string())?),
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

/// The file that a large answer is written to.
pub(super) struct Sink<'a> {
    pub(super) file: &'a Path,
    /// The largest size that is accepted, in bytes.
    pub(super) most: u64,
}

impl Sink<'_> {
    /// Removes what an earlier answer left, which would otherwise be taken for part of this one.
    pub(super) fn clear(&self) -> Result<()> {
        let removed = if_any(std::fs::remove_file(self.file));
        removed.map(|_| ()).with_context(|| format!("removing `{}`", self.file.display()))
    }

    /// Whether the file is still small enough. Before 8.4, curl's own limit applies only to answers that announce their
    /// size (curl(1), `--max-filesize`).
    pub(super) fn check(&self) -> Result<()> {
        let found = if_any(std::fs::metadata(self.file));
        let found = found.with_context(|| format!("looking at `{}`", self.file.display()))?;
        let size = found.map_or(0, |found| found.len());
        ensure!(size <= self.most, "the answer has more than {} bytes", self.most);
        Ok(())
    }
}

/// `name = "value"`, escaped as curl(1) `--config` requires. A line break would start another option.
fn option(name: &str, value: &str) -> Result<String> {
    ensure!(!value.chars().any(char::is_control), "a control character in the `{name}` of an HTTP request");
    Ok(format!("{name} = \"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")))
}

#[cfg(test)]
mod tests {
    use super::{Authorization, Method, Request};
    use crate::process::secret::Secret;
    use std::time::Duration;

    #[test]
    fn a_value_cannot_inject_an_option() {
        let request = Request::new(Method::Get, "http://localhost/\noutput = \"/etc/passwd\"");
        assert!(request.config(Duration::from_secs(1), None, None).is_err());
        let quoted = Request::new(Method::Get, "http://localhost/").header("X", "a\"b\\c");
        assert!(
            quoted.config(Duration::from_secs(1), None, None).unwrap().contains(r#"header = "X: a\"b\\c""#)
        );
    }

    #[test]
    fn the_credential_is_in_the_config_and_nowhere_else() {
        let token = Authorization::Token(Secret::new("forge-token-value"));
        let request = Request::new(Method::Get, "http://localhost/").authorization(token);
        assert!(request.config(Duration::from_secs(1), None, None).unwrap().contains("forge-token-value"));
        assert!(!request.summary().contains("forge-token-value"));
        let elsewhere = request.elsewhere("https://storage.example.org/x?signature=s");
        assert!(!elsewhere.config(Duration::from_secs(1), None, None).unwrap().contains("forge-token-value"));
        assert_eq!(elsewhere.summary(), "GET https://storage.example.org/x?…");
    }

    #[test]
    fn requests_to_loopback_bypass_the_proxy() {
        for (url, is_own) in [
            ("http://localhost/v2/", true),
            ("http://localhost:5000", true),
            ("http://127.0.0.1:5055/v2/?x=y", true),
            ("http://127.8.9.1/", true),
            ("http://[::1]:5000/v2/", true),
            ("https://forge.example.org/localhost", false),
            ("https://localhost.example.org/", false),
            ("http://127.0.0.1.example.org/", false),
            ("http://192.0.2.1:5000/", false),
            ("http://[2001:db8::1]/", false),
            ("http://example.org?127.0.0.1", false),
            ("localhost", false),
        ] {
            let config = Request::new(Method::Get, url).config(Duration::from_secs(1), None, None).unwrap();
            assert_eq!(config.contains("noproxy = \"*\""), is_own, "{url}");
        }
    }

    #[test]
    fn only_a_repeatable_request_is_aborted_after_a_silence() {
        let config = |method| {
            Request::new(method, "http://localhost/")
                .config(Duration::from_millis(29_400), None, None)
                .unwrap()
        };
        assert!(
            config(Method::Get).contains("max-time = \"29.400\"")
                && config(Method::Get).contains("speed-time = \"10\"")
        );
        assert!(
            !config(Method::Post).contains("speed"),
            "it is not retried, so it may use the whole timeout"
        );
        let again = Request::new(Method::Post, "http://localhost/").repeatable();
        assert!(again.config(Duration::from_secs(30), None, None).unwrap().contains("speed-time"));
    }
}
