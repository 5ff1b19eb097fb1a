//! The forge of a repository, and its name there.

use std::net::IpAddr;

use anyhow::Result;

use super::Options;
use crate::inputs::config::Config;
use crate::tool::git::Git;

/// Hosts of many repositories that are neither Gitea nor Forgejo.
const OTHERS: [&str; 3] = ["github.com", "gitlab.com", "bitbucket.org"];

/// Where the repository is. An error is a message that says what is missing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Home {
    /// The forge's address.
    pub(super) forge: Result<String, String>,
    /// `owner/name` there.
    pub(super) repository: Result<String, String>,
    /// Whether the forge's address was concluded from an address for SSH, which names no scheme and no port.
    pub(super) is_guess: bool,
}

/// The remote `origin`.
struct Remote {
    scheme: &'static str,
    host: String,
    repository: String,
    is_ssh: bool,
}

impl Home {
    /// From the command line, else the configuration, else the remote `origin`.
    pub(super) fn of(git: &Git, options: &Options, known: Option<&Config>) -> Result<Self> {
        let origin = git.origin()?;
        let mut found = Self::of_remote(origin.as_deref().and_then(Remote::parse));
        if let Some(config) = known {
            found.forge = Ok(config.forge.to_string());
            found.repository = Ok(config.repository.to_string());
            found.is_guess = false;
        }
        if let Some(given) = &options.forge {
            found.forge = Ok(given.to_string());
            found.is_guess = false;
        }
        if let Some(given) = &options.repository {
            found.repository = Ok(given.to_string());
        }
        Ok(found)
    }

    fn of_remote(remote: Option<Remote>) -> Self {
        let named =
            |why: &str| Err(format!("the forge: {why}name it, such as `--forge https://forge.example.org`"));
        let Some(Remote { scheme, host, repository, is_ssh }) = remote else {
            let unnamed = "the repository's name there: name it, such as `--repository owner/name`";
            return Self { forge: named(""), repository: Err(unnamed.to_owned()), is_guess: false };
        };
        let is_address = host.contains('.') || host.parse::<IpAddr>().is_ok() || host == "localhost";
        let forge = if OTHERS.contains(&host.as_str()) {
            named(&format!("the remote `origin` is at {host}, which is neither Gitea nor Forgejo; "))
        } else if is_ssh && !is_address {
            named(&format!("`{host}` in the remote `origin` may be known only to your ssh; "))
        } else {
            Ok(format!("{scheme}://{host}"))
        };
        Self { is_guess: is_ssh && forge.is_ok(), forge, repository: Ok(repository) }
    }
}

impl Remote {
    /// Reads `https://host/owner/name.git`, `ssh://git@host:2222/owner/name.git` or `git@host:owner/name.git`. The user
    /// is dropped.
    fn parse(url: &str) -> Option<Self> {
        let (scheme, is_ssh, rest) = match url.split_once("://") {
            Some(("http", rest)) => ("http", false, rest.to_owned()),
            Some(("https", rest)) => ("https", false, rest.to_owned()),
            Some(("ssh", rest)) => {
                let (host, path) = rest.split_once('/')?;
                ("https", true, format!("{}/{path}", host.split(':').next()?))
            }
            Some(_) => return None,
            None => ("https", true, url.replacen(':', "/", 1)),
        };
        let rest = rest.rsplit_once('@').map_or(rest.as_str(), |(_, host)| host);
        let (host, path) = rest.split_once('/')?;
        let path = path.trim_end_matches('/').trim_end_matches(".git");
        let (before, name) = path.rsplit_once('/')?;
        let (below, owner) = before.rsplit_once('/').map_or(("", before), |(below, owner)| (below, owner));
        let is_word = |word: &str| {
            !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        };
        (is_word(owner) && is_word(name) && below.is_empty() && !host.is_empty()).then(|| Self {
            scheme,
            host: host.to_owned(),
            repository: format!("{owner}/{name}"),
            is_ssh,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Home, Remote};

    fn home(url: &str) -> Home {
        Home::of_remote(Remote::parse(url))
    }

    #[test]
    fn the_forge_and_the_repository_are_read_from_the_remotes_address() {
        for (url, is_guess) in [
            ("https://forge.example.org/acme/app.git", false),
            ("https://alice:token@forge.example.org/acme/app", false),
            ("ssh://git@forge.example.org:2222/acme/app.git", true),
            ("git@forge.example.org:acme/app.git", true),
        ] {
            let expected = Home {
                forge: Ok("https://forge.example.org".to_owned()),
                repository: Ok("acme/app".to_owned()),
                is_guess,
            };
            assert_eq!(home(url), expected, "{url}");
        }
        assert_eq!(home("http://192.168.1.10:3000/acme/app").forge.unwrap(), "http://192.168.1.10:3000");
        for other in ["/srv/git/app.git", "file:///srv/git/app.git", "", "https://forge.example.org/app"] {
            let home = home(other);
            assert!(home.forge.unwrap_err().starts_with("the forge: name it"), "{other}");
            assert!(home.repository.is_err() && !home.is_guess, "{other}");
        }
    }

    #[test]
    fn a_host_that_cannot_be_the_forge_is_named_with_the_option() {
        for (url, words) in [
            ("git@github.com:acme/app.git", "at github.com, which is neither Gitea nor Forgejo; name it"),
            ("https://gitlab.com/acme/app.git", "at gitlab.com"),
            (
                "git@forge-alias:acme/app.git",
                "`forge-alias` in the remote `origin` may be known only to your ssh",
            ),
        ] {
            let home = home(url);
            let why = home.forge.unwrap_err();
            assert!(why.contains(words) && why.contains("--forge https://"), "{why}");
            assert_eq!((home.repository.as_deref(), home.is_guess), (Ok("acme/app"), false));
        }
    }
}
