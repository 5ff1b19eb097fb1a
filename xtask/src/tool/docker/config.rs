//! A private configuration directory, so that a login never reaches the user's own.

use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::environment::Environment;
use crate::reference::Registry;
use crate::registry::Credentials;
use crate::scratch::Scratch;

/// A `DOCKER_CONFIG` of our own: one registry's credentials, and links to what the user's has besides credentials.
pub struct DockerConfig {
    scratch: Scratch,
    buildx: Option<PathBuf>,
}

impl DockerConfig {
    /// Makes it; without credentials everything in it is anonymous.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(environment: &Environment, login: Option<(&Registry, &Credentials)>) -> Result<Self> {
        let scratch = Scratch::new()?;
        let auths = login.map_or_else(serde_json::Map::new, |(registry, credentials)| {
            serde_json::Map::from_iter([(
                registry.to_string(),
                serde_json::json!({ "auth": credentials.pair.expose() }),
            )])
        });
        let path = scratch.path().join("config.json");
        let file = fs::File::options().write(true).create_new(true).mode(0o600).open(&path);
        let file = file.with_context(|| format!("writing `{}`", path.display()))?;
        serde_json::to_writer(file, &serde_json::json!({ "auths": auths }))
            .with_context(|| format!("writing `{}`", path.display()))?;

        let users = match (environment.get("DOCKER_CONFIG")?, environment.get("HOME")?) {
            (Some(config), _) => Some(PathBuf::from(config)),
            (None, Some(home)) => Some(Path::new(home).join(".docker")),
            (None, None) => None,
        };
        // A private directory hides plugins and contexts that are installed per user.
        for shared in ["cli-plugins", "contexts"] {
            if let Some(target) =
                users.as_ref().map(|users| users.join(shared)).filter(|target| target.is_dir())
            {
                std::os::unix::fs::symlink(&target, scratch.path().join(shared))
                    .with_context(|| format!("linking `{}`", target.display()))?;
            }
        }
        let buildx = match environment.get("BUILDX_CONFIG")? {
            Some(dir) => Some(PathBuf::from(dir)),
            None => users.map(|users| users.join("buildx")),
        };
        Ok(Self { scratch, buildx: buildx.filter(|buildx| buildx.is_dir()) })
    }

    /// The directory, for `DOCKER_CONFIG`.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// Where the user's named builders are kept, for `BUILDX_CONFIG`: buildx itself looks there first, then below
    /// `DOCKER_CONFIG`.
    pub(super) fn buildx(&self) -> Option<&Path> {
        self.buildx.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::DockerConfig;
    use crate::environment::Environment;
    use crate::scratch::Scratch;

    #[test]
    fn the_users_builders_are_found_where_buildx_finds_them() {
        let scratch = Scratch::new().unwrap();
        let (docker, own) = (scratch.path().join("docker"), scratch.path().join("own"));
        std::fs::create_dir_all(docker.join("buildx")).unwrap();
        std::fs::create_dir(&own).unwrap();
        let buildx = |pairs: &[(&str, &std::path::Path)]| {
            let environment = Environment::from_pairs(pairs.iter().copied());
            DockerConfig::new(&environment, None).unwrap().buildx().map(std::path::Path::to_owned)
        };
        assert_eq!(buildx(&[("DOCKER_CONFIG", &docker)]), Some(docker.join("buildx")));
        assert_eq!(buildx(&[("DOCKER_CONFIG", &docker), ("BUILDX_CONFIG", &own)]), Some(own.clone()));
        assert_eq!(buildx(&[("BUILDX_CONFIG", &own)]), Some(own.clone()));
        assert_eq!(buildx(&[("DOCKER_CONFIG", &own)]), None, "there are none");
        assert_eq!(buildx(&[]), None);
    }
}
