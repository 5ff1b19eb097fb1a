//! Web addresses, either parsed or refused.

use std::fmt;

use anyhow::{Result, ensure};
use serde::Deserialize;

/// An `http` or `https` address without a trailing slash, query or user.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct WebUrl(String);

impl WebUrl {
    /// Whether connections to it are without TLS.
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

/// The `http` or `https` address of a file after `ADD` in a Dockerfile. It may have every part of an address except a
/// user, and none of the characters that a shell or the builder would expand.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct FileUrl(String);

impl TryFrom<String> for FileUrl {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
        let (authority, path) = rest.split_once('/').unwrap_or_default();
        let is_host = |c: char| c.is_ascii_alphanumeric() || "-.:".contains(c);
        let is_plain = |c: char| c.is_ascii_graphic() && !"\"'`<>\\^{|}$#".contains(c);
        ensure!(
            !authority.is_empty()
                && authority.chars().all(is_host)
                && !path.is_empty()
                && path.chars().all(is_plain),
            "`{text}` is not the address of a file such as `https://archives.example.org/module-1.0.0.tar.gz`"
        );
        Ok(Self(text))
    }
}

impl fmt::Display for FileUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::FileUrl;

    #[test]
    fn an_archive_has_an_address_with_all_that_addresses_have() {
        let parse = |text: &str| FileUrl::try_from(text.to_owned());
        for good in [
            "https://archives.example.org/@img/sharp/-/sharp-0.34.1+build.tgz",
            "https://archives.example.org/a%40b.tar.gz?raw=true&x=1",
            "http://127.0.0.1:8000/x_y~z,1.tgz",
        ] {
            assert_eq!(parse(good).unwrap().to_string(), good);
        }
        for bad in [
            "https://archives.example.org",
            "https://archives.example.org/",
            "https://user@archives.example.org/x",
            "https://archives.example.org/$VERSION.tgz",
            "https://archives.example.org/a b",
            "https://archives.example.org/x#y",
            "ftp://archives.example.org/x",
            "",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
