//! Values of the configuration that are either parsed or refused when they are read.

#[cfg(test)]
mod tests;

use std::fmt;

use anyhow::{Result, bail, ensure};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::oci::reference::Digest;
use crate::process::environment::SSH_AGENT;
use crate::tool::cosign::known;

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

/// Digests, and the word `known` for those in [`known`].
pub(super) fn cosign_digests<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Digest>, D::Error> {
    let mut digests = Vec::new();
    for word in Vec::<String>::deserialize(deserializer)? {
        match word.as_str() {
            "known" => digests.extend(known().map_err(D::Error::custom)?),
            digest => digests.push(digest.parse().map_err(D::Error::custom)?),
        }
    }
    Ok(digests)
}

/// A folder of the repository, such as `service` or `apps/web`; `.` is the top.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Folder(String);

impl Folder {
    /// A path below the folder, as git names it.
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        if self.0 == "." { path.to_owned() } else { format!("{}/{path}", self.0) }
    }

    /// The folder, or the top of the repository, as a message such as `run … in …` words it.
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

/// The name of an environment variable that a commit may name: one that holds a secret, and that neither this tool nor
/// a program that it starts reads for a purpose of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct VariableName(String);

/// The prefixes of the release's own variables, and of those that docker, buildx, git and the dynamic linker read.
const RESERVED_PREFIXES: [&str; 17] = [
    "XTASK_",
    "EXPERIMENTAL_",
    "COSIGN_",
    "FORGEJO_",
    "GITEA_",
    "GITHUB_",
    "ACTIONS_",
    "RUNNER_",
    "TESTBED_",
    "DOCKER_",
    "BUILDX_",
    "BUILDKIT_",
    "GIT_",
    "LD_",
    "RUST_",
    "SSL_",
    "XDG_",
];
const RESERVED: [&str; 5] = ["REGISTRY", "REGISTRY_USER", "REGISTRY_TOKEN", "TERM", SSH_AGENT];

impl VariableName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a configuration may name the variable `name`.
    #[must_use]
    pub fn may_be_named(name: &str) -> bool {
        Self::try_from(name.to_owned()).is_ok()
    }
}

impl TryFrom<String> for VariableName {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self> {
        let first = |c: char| c.is_ascii_uppercase() || c == '_';
        ensure!(
            text.starts_with(first) && text.chars().all(|c| first(c) || c.is_ascii_digit()),
            "`{text}` is not the name of a variable such as `NPM_TOKEN`: expected `A-Z`, `0-9` and `_`"
        );
        let is_reserved = RESERVED_PREFIXES.iter().any(|prefix| text.starts_with(prefix))
            || RESERVED.contains(&text.as_str())
            || crate::process::environment::is_inherited(&text);
        ensure!(!is_reserved, "`{text}` has another meaning here; give the variable a name of its own");
        Ok(Self(text))
    }
}

impl fmt::Display for VariableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
