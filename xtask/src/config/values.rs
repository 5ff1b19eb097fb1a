//! Values of the configuration that are parsed or refused where they are read.

use std::fmt;

use anyhow::{Result, bail, ensure};
use serde::Deserialize;

/// An `http` or `https` address without a trailing slash, query or user.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct WebUrl(String);

impl WebUrl {
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

/// `owner/name` on a forge.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct RepositoryName {
    /// The user or organisation.
    pub owner: String,
    /// The repository.
    pub name: String,
}

impl TryFrom<String> for RepositoryName {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self> {
        let word = |word: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            !word.is_empty() && word != "." && word != ".." && word.chars().all(plain)
        };
        match text.split_once('/') {
            Some((owner, name)) if word(owner) && word(name) => {
                Ok(Self { owner: owner.to_owned(), name: name.to_owned() })
            }
            _ => bail!("`{text}` is not a repository: expected `owner/name`"),
        }
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// `os/architecture` with an optional variant, as buildx writes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Platform(String);

impl TryFrom<String> for Platform {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self> {
        let words: Vec<_> = text.split('/').collect();
        let plain = |word: &&str| {
            !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        };
        ensure!(
            (2..=3).contains(&words.len()) && words.iter().all(plain),
            "`{text}` is not a platform such as `linux/amd64`"
        );
        Ok(Self(text))
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A folder of the repository, such as `service` or `apps/web`; `.` is the top.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Folder(String);

impl Folder {
    /// A path below it, as git names it.
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        if self.0 == "." { path.to_owned() } else { format!("{}/{path}", self.0) }
    }

    /// For `run … in …` of a message: the folder, or the top of the repository.
    #[must_use]
    pub fn in_words(&self) -> String {
        if self.0 == "." { "at the top of the repository".to_owned() } else { format!("in `{}/`", self.0) }
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self("service".to_owned())
    }
}

impl TryFrom<String> for Folder {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self> {
        let plain = |word: &str| {
            !word.is_empty()
                && !matches!(word, "." | ".." | ".git")
                && !word.starts_with('-')
                && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_.@+".contains(c))
        };
        ensure!(
            text == "." || text.split('/').all(plain),
            "`{text}` is not a folder of the repository: expected one such as `service`, or `.` for the top"
        );
        Ok(Self(text))
    }
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
