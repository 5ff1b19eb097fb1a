//! The forge of a repository, and its name there.

use anyhow::Result;

use super::Options;
use crate::inputs::config::Config;
use crate::tool::git::Git;

/// The forge and the repository's name there: from the command line, else the configuration, else the remote `origin`.
pub(super) fn of(
    git: &Git,
    options: &Options,
    known: Option<&Config>,
) -> Result<(Option<String>, Option<String>)> {
    let origin = git.origin()?;
    let of_config = known.map(|config| (config.forge.to_string(), config.repository.to_string()));
    let (forge, repository) = of_config.or(origin.as_deref().and_then(parse_remote)).unzip();
    let (given, name) = (options.forge.as_ref(), options.repository.as_ref());
    Ok((given.map(ToString::to_string).or(forge), name.map(ToString::to_string).or(repository)))
}

/// Reads `https://host/owner/name.git`, `ssh://git@host:2222/owner/name.git` or `git@host:owner/name.git`. The user
/// is dropped.
fn parse_remote(url: &str) -> Option<(String, String)> {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme @ ("http" | "https"), rest)) => (scheme, rest.to_owned()),
        Some(("ssh", rest)) => {
            let (host, path) = rest.split_once('/')?;
            ("https", format!("{}/{path}", host.split(':').next()?))
        }
        Some(_) => return None,
        None => ("https", url.replacen(':', "/", 1)),
    };
    let rest = rest.rsplit_once('@').map_or(rest.as_str(), |(_, host)| host);
    let (host, path) = rest.split_once('/')?;
    let path = path.trim_end_matches('/').trim_end_matches(".git");
    let (before, name) = path.rsplit_once('/')?;
    let (below, owner) = before.rsplit_once('/').map_or(("", before), |(below, owner)| (below, owner));
    let is_word =
        |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    (is_word(owner) && is_word(name) && below.is_empty() && !host.is_empty())
        .then(|| (format!("{scheme}://{host}"), format!("{owner}/{name}")))
}

#[cfg(test)]
mod tests {
    use super::parse_remote;

    #[test]
    fn the_forge_and_the_repository_are_read_from_the_remotes_address() {
        let home = Some(("https://forge.example.org".to_owned(), "acme/app".to_owned()));
        for url in [
            "https://forge.example.org/acme/app.git",
            "https://alice:token@forge.example.org/acme/app",
            "ssh://git@forge.example.org:2222/acme/app.git",
            "git@forge.example.org:acme/app.git",
        ] {
            assert_eq!(parse_remote(url), home, "{url}");
        }
        let lan = parse_remote("http://192.168.1.10:3000/acme/app").unwrap();
        assert_eq!(lan, ("http://192.168.1.10:3000".to_owned(), "acme/app".to_owned()));
        for other in ["/srv/git/app.git", "file:///srv/git/app.git", "", "https://forge.example.org/app"] {
            assert_eq!(parse_remote(other), None, "{other}");
        }
    }
}
