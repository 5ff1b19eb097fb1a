//! Web addresses, parsed or refused.

use std::fmt;

use anyhow::{Result, ensure};
use serde::Deserialize;

/// An `http` or `https` address without a trailing slash, query or user.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct WebUrl(String);

impl WebUrl {
    /// Whether it is spoken to without TLS.
    #[must_use]
    pub fn is_http(&self) -> bool {
        self.0.starts_with("http://")
    }

    /// Host and port.
    #[must_use]
    pub fn authority(&self) -> &str {
        let rest = self.0.split_once("://").map_or(self.0.as_str(), |(_, rest)| rest);
        rest.split('/').next().unwrap_or(rest)
    }
}

impl TryFrom<String> for WebUrl {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
        let is_plain = rest.chars().all(|c| c.is_ascii_alphanumeric() || "-._~:/".contains(c));
        ensure!(
            !rest.is_empty() && is_plain,
            "`{text}` is not a web address such as `https://forge.example.org`"
        );
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

impl fmt::Display for WebUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
