//! What a clone says that is the same for all releases, each thing looked up once: the forge's default branch as the
//! clone knows it, and what is read there.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use anyhow::{Context as _, Result, anyhow, bail};

use crate::inputs::config::Config;
use crate::inputs::keys::Released;
use crate::inputs::version::ReleaseTag;
use crate::tool::git::{Commit, Git, Upstream};
use crate::verify::claim::{Observed, Unavailable};

use super::keys::ObservedHistory;
use super::seen;

/// The answers, each looked up for the first release that needs it.
#[derive(Default)]
pub struct SharedClone {
    default: OnceLock<Observed<Option<KnownDefault>>>,
    /// The history of keys.
    pub(super) history: OnceLock<Observed<ObservedHistory>>,
    /// Whether that history is the forge's current one.
    pub(super) is_current: OnceLock<Observed<()>>,
    /// All version tags.
    pub(super) versions: OnceLock<Observed<BTreeSet<ReleaseTag>>>,
    /// Those of commits with a key, and the keys.
    pub(super) tagged: OnceLock<Observed<Vec<Released>>>,
}

impl SharedClone {
    /// The default branch of the forge; `None` if this is not a clone of the forge's repository or does not know the
    /// branch.
    pub(super) fn default(&self, git: &Git) -> Result<Option<&KnownDefault>, &Unavailable> {
        self.default.get_or_init(|| seen(default(git))).as_ref().map(Option::as_ref)
    }

    /// The configuration at the head of the default branch, if the clone knows that branch. It names the forge that
    /// was cloned. The configuration of a release from before the project moved names another one.
    #[must_use]
    pub fn default_config(&self, git: &Git) -> Option<&Config> {
        match self.default(git) {
            Ok(default) => default.map(|default| &default.config),
            // The claims that need it say why.
            Err(_unseen) => None,
        }
    }
}

/// The branch whose configuration counts.
pub(in crate::verify) struct KnownDefault {
    pub(super) upstream: Upstream,
    /// The branch's name.
    pub(super) name: String,
    pub(super) head: Commit,
    /// The configuration at its head.
    pub(super) config: Config,
}

/// The commit that decides for every release: the head of the default branch, with the branch's name, if the clone
/// knows it; else the head of the branch that is checked out.
///
/// # Errors
/// When a commit is checked out instead of a branch. It is usually the very release to be verified, and a commit that
/// anyone may have tagged cannot vouch for its own key.
pub(in crate::verify) fn deciding(
    git: &Git,
    shared: &SharedClone,
) -> Result<Option<(Commit, Option<String>)>> {
    match shared.default(git) {
        Ok(Some(default)) => Ok(Some((default.head.clone(), Some(default.name.clone())))),
        Ok(None) if git.is_detached()? => bail!(UNDECIDED),
        Ok(None) => Ok(git.peel("HEAD")?.map(|head| (head, None))),
        Err(unseen) => Err(anyhow!("{unseen}")),
    }
}

const UNDECIDED: &str = "this clone does not know the forge's default branch, and no branch is checked out; run `git fetch \
    origin '+refs/heads/*:refs/remotes/origin/*'` and `git remote set-head origin --auto`, or name the repository with \
    `--source URL`, then verify again";

/// The default branch of the forge, if this is a clone of the forge's repository and knows that branch. The branch's
/// own configuration says what the forge is, not the released commit's.
fn default(git: &Git) -> Result<Option<KnownDefault>> {
    let upstream = git.upstream()?;
    let Some(name) = upstream.default.clone() else { return Ok(None) };
    let Some(head) = git.upstream_branch(&upstream, &name)? else { return Ok(None) };
    let doing = || format!("reading the configuration at {head}, the head of the default branch `{name}`");
    let Some(config) = Config::if_any(git, &head).with_context(doing)? else { return Ok(None) };
    let is_of_forge = upstream.is_bare || git.origin()?.is_some_and(|origin| is_at(&origin, &config));
    Ok(is_of_forge.then_some(KnownDefault { upstream, name, head, config }))
}

/// Whether `origin` is an address of the repository of `config`, by any protocol and port.
fn is_at(origin: &str, config: &Config) -> bool {
    let (forge, repository) = (config.source_url(), config.repository.to_string());
    let Some((forge_host, forge_path)) = host_and_path(&forge) else { return false };
    // If the forge is below a path of its host, only its web addresses contain that path.
    let paths = [forge_path, repository.as_str()];
    host_and_path(origin).is_some_and(|(host, path)| {
        host.eq_ignore_ascii_case(forge_host) && paths.iter().any(|known| known.eq_ignore_ascii_case(path))
    })
}

/// The host and the path in an address, as git reads it (git-clone(1), "GIT URLS"): `https://host:port/path`,
/// `ssh://user@host:port/path` or `user@host:path`. `None` for a directory, for any other protocol, and for characters
/// that programs read in different ways.
fn host_and_path(address: &str) -> Option<(&str, &str)> {
    let (authority, path) = match address.split_once("://") {
        Some((scheme, rest)) => {
            let known = ["https", "http", "ssh"].iter().any(|known| known.eq_ignore_ascii_case(scheme));
            rest.split_once('/').filter(|_| known)?
        }
        None => address.split_once(':').filter(|(before, _)| !before.contains('/'))?,
    };
    let host = authority.rsplit_once('@').map_or(authority, |(_user, host)| host);
    let host = host.rsplit_once(':').map_or(host, |(host, _port)| host);
    let is_plain = |c: char| c.is_ascii_graphic() && !"?#\\".contains(c);
    let path = path.trim_matches('/');
    address.chars().all(is_plain).then_some((host, path.strip_suffix(".git").unwrap_or(path)))
}

#[cfg(test)]
mod tests {
    use super::is_at;
    use crate::inputs::config::tests::example;

    #[test]
    fn any_address_of_the_forges_repository_is_recognized_and_no_other() {
        let config = example();
        for origin in [
            "https://forge.example.org/Acme/carol",
            "https://forge.example.org/Acme/carol.git",
            "https://user@forge.example.org:8443/acme/carol/",
            "git@forge.example.org:Acme/carol.git",
            "ssh://git@forge.example.org:2222/Acme/carol.git",
            "forge.example.org:/Acme/carol.git/",
            "HTTPS://Forge.Example.org/acme/carol",
        ] {
            assert!(is_at(origin, &config), "{origin}");
        }
        for origin in [
            "/home/somebody/carol",
            "https://forge.example.org/somebody/carol",
            "https://mirror.example.net/Acme/carol",
            "https://forge.example.org/notAcme/carol",
            "https://forge.example.org/Acme/carol.git.git",
            "https://myforge.example.org/Acme/carol",
            "https://forge.example.org.evil.example/Acme/carol",
            "https://forge.example.org@evil.example/Acme/carol",
            "https://forge.example.org:x@evil.example/Acme/carol",
            "https://evil.example?@forge.example.org/Acme/carol",
            "https://evil.example\\@forge.example.org/Acme/carol",
            "https://evil.example/forge.example.org/Acme/carol",
            "git@evil.example:forge.example.org/Acme/carol",
            "forge.example.org@evil.example:Acme/carol",
            "/srv/forge.example.org/Acme/carol",
            "./forge.example.org:Acme/carol",
            "file://forge.example.org/Acme/carol",
        ] {
            assert!(!is_at(origin, &config), "{origin}");
        }
    }
}
