//! Web addresses, either parsed or refused.

use std::fmt;

use anyhow::{Result, ensure};
use serde::Deserialize;

use super::Address;

/// An `http` or `https` address without a trailing slash, query or user.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct WebUrl(String);

impl WebUrl {
    /// Whether connections to it do not use TLS.
    #[must_use]
    pub fn is_http(&self) -> bool {
        self.0.starts_with("http://")
    }

    /// Host and port.
    #[must_use]
    pub fn authority(&self) -> &str {
        Address::parse(&self.0).map_or(&self.0, |address| address.authority)
    }
}

impl TryFrom<String> for WebUrl {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self> {
        let is_plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "-._~:/".contains(c));
        ensure!(
            is_plain && Address::parse(&text).is_some(),
            "{} is not a web address such as `https://forge.example.org`",
            shown(&text)
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
        let is_host = |c: char| c.is_ascii_alphanumeric() || "-.:".contains(c);
        let is_plain = |c: char| c.is_ascii_graphic() && !"\"'`<>\\^{|}$#".contains(c);
        ensure!(
            Address::parse(&text).is_some_and(|Address { authority, path, .. }| {
                let path = path.strip_prefix('/').unwrap_or_default();
                authority.chars().all(is_host) && !path.is_empty() && path.chars().all(is_plain)
            }),
            "{} is not the address of a file such as `https://archives.example.org/module-1.0.0.tar.gz`",
            shown(&text)
        );
        Ok(Self(text))
    }
}

impl fmt::Display for FileUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A refused address, for a message. What is before an `@` may be a password.
fn shown(text: &str) -> String {
    if text.contains('@') {
        "an address with an `@`, not repeated here,".to_owned()
    } else {
        format!("`{text}`")
    }
}

#[cfg(test)]
mod tests {
    use super::{FileUrl, WebUrl};

    #[test]
    fn a_web_address_has_a_host_and_nothing_after_its_path() {
        let parse = |text: &str| WebUrl::try_from(text.to_owned());
        for (good, authority, shown) in [
            ("https://forge.example.org/", "forge.example.org", "https://forge.example.org"),
            ("http://127.0.0.1:3000/git//", "127.0.0.1:3000", "http://127.0.0.1:3000/git"),
        ] {
            let url = parse(good).unwrap();
            assert_eq!((url.authority(), url.to_string().as_str()), (authority, shown));
        }
        for bad in
            ["https://", "https:///", "https:///a", "https://a@b", "https://a?b", "https://a#b", "forge"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_refused_address_with_a_user_is_not_repeated() {
        let text = "https://alice:hunter2@forge.example.org/a b";
        let web = WebUrl::try_from(text.to_owned()).unwrap_err().to_string();
        let file = FileUrl::try_from(text.to_owned()).unwrap_err().to_string();
        assert!(!web.contains("hunter2") && !file.contains("hunter2"), "{web}; {file}");
        assert!(WebUrl::try_from("forge".to_owned()).unwrap_err().to_string().starts_with("`forge` is not"));
    }

    #[test]
    fn a_file_url_may_have_a_query_but_no_user_or_fragment() {
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
            "https://archives.example.org?x",
            "https:///x",
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
