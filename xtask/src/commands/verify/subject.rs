//! What is verified, and against which repository: a checkout, or a clone of an address that the verifier trusts.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

use crate::http::WebUrl;
use crate::inputs::Inputs;
use crate::inputs::config::Config;
use crate::inputs::source::Source;
use crate::inputs::version::ReleaseTag;
use crate::process::Runner;
use crate::process::failure::Misuse;
use crate::process::temp_dir::TempDir;
use crate::tool::git::Git;

/// The label that says which version the image is.
const VERSION: &str = "org.opencontainers.image.version";
/// The label that says which commit it was built from.
const REVISION: &str = "org.opencontainers.image.revision";

/// What a commit says about its release.
pub(super) struct Subject {
    pub(super) source: Source,
    pub(super) config: Config,
    pub(super) inputs: Inputs,
}

impl Subject {
    /// Reads the subject from git.
    pub(super) fn of(repository: &Repository, source: Source) -> Result<Self> {
        let commit = &source.commit;
        let config = Config::of_commit(&repository.git, commit)?;
        let inputs = Inputs::of_commit(&repository.git, commit, &config)?;
        repository.check(&config)?;
        Ok(Self { source, config, inputs })
    }
}

/// The repository that commits are read from.
pub(super) struct Repository {
    pub(super) git: Git,
    address: Option<String>,
    _clone: Option<TempDir>,
}

impl Repository {
    /// The checkout here, or a clone of `address`.
    pub(super) fn find(runner: &Runner, address: Option<&str>) -> Result<Self> {
        if let Some(address) = address {
            if may_hold_password(address) {
                return Err(Misuse::new(
                    "`--source` has a user and a password or token in it, or is no plain web address: it is not used, and not \
                     repeated here; write it as `https://forge.example.org/acme/carol`, and give the login of a private repository \
                     to git's credential helper (`man gitcredentials`), or use `ssh://`",
                )
                .into());
            }
            let scratch = TempDir::new()?;
            let git = Git::cloned(runner, address, &scratch.path().join("source")).with_context(|| {
                format!(
                    "`--source {address}` cannot be cloned; name a repository that you may read, by an address such as \
                     `https://forge.example.org/acme/carol`"
                )
            })?;
            return Ok(Self { git, address: Some(address.to_owned()), _clone: Some(scratch) });
        }
        let git = Git::here(runner).context("looking for the source; name it with `--source URL`")?;
        Ok(Self { git, address: None, _clone: None })
    }

    /// Whether this is the checkout here, not a repository given by its address.
    pub(super) fn is_here(&self) -> bool {
        self.address.is_none()
    }

    /// The configuration that the command was started with: that of the work tree, or of the default branch of a
    /// repository given by its address.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn own_config(&self) -> Result<Config> {
        if self.is_here() { Config::of_work_tree(self.git.root()) } else { Config::of_head(&self.git) }
    }

    /// Whether the repository was given by the web address that `config` names.
    pub(super) fn is_at_its_address(&self, config: &Config) -> bool {
        self.address.as_ref().is_some_and(|address| address.starts_with("http")) && self.check(config).is_ok()
    }

    /// A repository whose configuration names another address than the trusted one vouches for nothing.
    fn check(&self, config: &Config) -> Result<()> {
        let Some(address) = self.address.as_ref().filter(|address| address.starts_with("http")) else {
            return Ok(());
        };
        let (named, expected) = (config.source_url(), address.trim_end_matches('/').trim_end_matches(".git"));
        if named == expected {
            return Ok(());
        }
        Err(Misuse::new(format!(
            "the source at `{address}` releases as `{named}`: name the address that you trust, `--source {named}`, if it is \
             the same project"
        ))
        .into())
    }
}

/// Whether an address has, or may have, a password or a token in it. The address of a release on the web has none, and
/// no query; in the others, a user alone is no secret.
fn may_hold_password(address: &str) -> bool {
    let has_password =
        |authority: &str| authority.split_once('@').is_some_and(|(user, _)| user.contains(':'));
    match address.split_once("://") {
        Some(("ssh" | "git" | "file", rest)) => has_password(rest.split('/').next().unwrap_or_default()),
        Some(_) => WebUrl::try_from(address.to_owned()).is_err(),
        None => !address.starts_with(['/', '.']) && has_password(address),
    }
}

/// The release and the commit that the `labels` of the image `pinned` claim. `verify` then checks the image against
/// them.
///
/// # Errors
/// When it has no version label, or the label is not a version. The label comes from the image and not from the command
/// line, so this is no misuse.
pub(super) fn release_of_image(
    labels: &BTreeMap<String, String>,
    pinned: &str,
) -> Result<(ReleaseTag, Option<String>)> {
    let version = labels.get(VERSION).with_context(|| format!("`{pinned}` has no label `{VERSION}`"))?;
    let tag = format!("v{version}").parse();
    let tag = tag.with_context(|| format!("the label `{VERSION}` of `{pinned}` names no version"))?;
    Ok((tag, labels.get(REVISION).cloned()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Repository, VERSION, may_hold_password, release_of_image};
    use crate::commands::verify::outcome::of_error;
    use crate::process::Runner;
    use crate::process::environment::Environment;
    use crate::process::failure::exit_code;

    #[test]
    fn an_address_with_credentials_is_refused_and_not_repeated() {
        let runner = &Runner::new(&Environment::default());
        for address in [
            "https://alice:hunter2@127.0.0.1:9/acme/carol",
            "https://hunter2@127.0.0.1:9/acme/carol",
            "HTTPS://alice:hunter2@127.0.0.1:9/acme/carol",
            "https://alice:hunter2/x@127.0.0.1:9/acme/carol",
            "https://127.0.0.1:9/acme/carol?token=hunter2",
            "ssh://git:hunter2@127.0.0.1:9/acme/carol",
            "alice:hunter2@127.0.0.1:acme/carol",
        ] {
            let error = Repository::find(runner, Some(address)).err().unwrap();
            let text = format!("{error:#}");
            assert!(exit_code(&error) == 2 && !text.contains("hunter2"), "{address}: {text}");
            assert!(text.contains("git's credential helper"), "{address}: {text}");
        }
        for address in [
            "http://127.0.0.1:3000/acme/carol.git",
            "https://forge.example.org/acme/carol/",
            "ssh://git@forge.example.org:2222/~a:b@c/carol",
            "git@forge.example.org:acme/carol",
            "file:///srv/a:b@c",
            "/srv/a:b@c",
            "../a:b@c",
        ] {
            assert!(!may_hold_password(address), "{address}");
        }
    }

    #[test]
    fn an_invalid_version_label_is_unchecked_not_misuse_and_forges_no_line() {
        let labels = |version: &str| BTreeMap::from([(VERSION.to_owned(), version.to_owned())]);
        let (tag, revision) = release_of_image(&labels("0.1.0"), "x").unwrap();
        assert_eq!((tag.to_string(), revision), ("v0.1.0".to_owned(), None));
        let forged = labels("0.1.0\n\nv0.1.0 at f51f\nok     signature            1 by the key");
        for labels in [forged, labels("latest"), BTreeMap::new()] {
            let error = of_error(release_of_image(&labels, "x").unwrap_err());
            assert_eq!(exit_code(&error), 4, "{error:#}");
            assert!(!format!("{error:#}").contains('\n'), "{error:#}");
        }
    }
}
