//! A private configuration directory, so that a login never reaches the user's own.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::oci::reference::Registry;
use crate::oci::registry::Credentials;
use crate::process::environment::Environment;
use crate::process::file::if_any;
use crate::process::temp_dir::TempDir;

/// The directory with the configuration for calls that start a container.
const CONTAINERS: &str = "containers";

/// No configuration of docker is larger.
const MAX_CONFIG_SIZE: u64 = 1 << 20;

/// What docker reads beside its configuration file, other than credentials for registries. The last three are for an
/// engine that is reached with TLS, unless `DOCKER_CERT_PATH` is set.
const BESIDE: [&str; 5] = ["cli-plugins", "contexts", "ca.pem", "cert.pem", "key.pem"];

/// The `proxies` of the user's configuration: by engine, then by kind.
type Proxies = BTreeMap<String, BTreeMap<String, String>>;

/// A private `DOCKER_CONFIG`: the given credentials, and links to everything in the user's configuration except
/// credentials.
pub struct DockerConfig {
    scratch: TempDir,
    buildx: Option<PathBuf>,
    drops_proxies: bool,
}

impl DockerConfig {
    /// Makes one. Without credentials all access is anonymous.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(environment: &Environment, login: Option<(&Registry, &Credentials)>) -> Result<Self> {
        let logins = login.map(|(registry, credentials)| (registry.as_str(), credentials));
        // Only builds depend on the user's configuration, and `for_builds` refuses an unreadable one. Here docker falls
        // back to its default engine.
        let users = Users::read(environment).unwrap_or_default();
        Self::write(environment, logins, &Users { proxies: Proxies::new(), ..users })
    }

    /// Makes one for builds. It has the logins for base images, each under docker's name for the registry, and the
    /// `proxies` of the user's configuration. Proxies with a password are left out, because docker would expose the
    /// password to everything that a build runs.
    ///
    /// # Errors
    /// When it cannot be written, or the user's configuration cannot be read.
    pub fn for_builds(
        environment: &Environment,
        login: Option<(&Registry, &Credentials)>,
        bases: &[(String, Credentials)],
    ) -> Result<Self> {
        let login = login.map(|(registry, credentials)| (registry.as_str(), credentials));
        let bases = bases.iter().map(|(key, credentials)| (key.as_str(), credentials));
        let mut users = Users::read(environment)?;
        let all = users.proxies.len();
        users.proxies.retain(|_, kinds| !kinds.values().any(|address| address.contains('@')));
        let config = Self::write(environment, login.into_iter().chain(bases), &users)?;
        Ok(Self { drops_proxies: users.proxies.len() < all, ..config })
    }

    fn write<'a>(
        environment: &Environment,
        logins: impl IntoIterator<Item = (&'a str, &'a Credentials)>,
        kept: &Users,
    ) -> Result<Self> {
        let auth = |(key, credentials): (&str, &Credentials)| {
            (key.to_owned(), serde_json::json!({ "auth": credentials.pair.expose() }))
        };
        let auths: serde_json::Map<_, _> = logins.into_iter().map(auth).collect();
        let scratch = if auths.is_empty() { TempDir::new()? } else { TempDir::for_secrets()? };
        let users = users_directory(environment)?;
        let mut config = serde_json::json!({ "auths": {} });
        if let Some(context) = &kept.current_context {
            config["currentContext"] = serde_json::json!(context);
        }
        if let Some(directories) = &kept.cli_plugins_extra_dirs {
            config["cliPluginsExtraDirs"] = serde_json::json!(directories);
        }
        let containers = scratch.path().join(CONTAINERS);
        fs::create_dir(&containers).with_context(|| format!("making `{}`", containers.display()))?;
        fill(&containers, &config, users.as_deref())?;
        config["auths"] = auths.into();
        if !kept.proxies.is_empty() {
            config["proxies"] = serde_json::json!(kept.proxies);
        }
        fill(scratch.path(), &config, users.as_deref())?;
        let buildx = match environment.get("BUILDX_CONFIG")? {
            Some(dir) => Some(absolute("BUILDX_CONFIG", dir)?),
            None => users.map(|users| users.join("buildx")),
        };
        Ok(Self { scratch, buildx: buildx.filter(|buildx| buildx.is_dir()), drops_proxies: false })
    }

    /// Whether a proxy of the user's configuration was left out.
    #[must_use]
    pub fn drops_proxies(&self) -> bool {
        self.drops_proxies
    }

    /// The directory, for `DOCKER_CONFIG`.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// The directory for calls that start a container. docker passes the proxies of its configuration to every
    /// container, and a container of a smoke test cannot reach a proxy. It needs no login either.
    pub(super) fn for_containers(&self) -> PathBuf {
        self.scratch.path().join(CONTAINERS)
    }

    /// Where the user's named builders are stored, for `BUILDX_CONFIG`. buildx looks there first, then below
    /// `DOCKER_CONFIG`.
    pub(super) fn buildx(&self) -> Option<&Path> {
        self.buildx.as_deref()
    }
}

/// Writes `config`, and links what docker reads beside it.
fn fill(directory: &Path, config: &serde_json::Value, users: Option<&Path>) -> Result<()> {
    let path = directory.join("config.json");
    let writing = || format!("writing `{}`", path.display());
    let file = fs::File::options().write(true).create_new(true).mode(0o600).open(&path);
    serde_json::to_writer(file.with_context(writing)?, config).with_context(writing)?;
    // Without the links, the private directory would hide what is installed per user.
    for shared in BESIDE {
        if let Some(target) = users.map(|users| users.join(shared)).filter(|target| target.exists()) {
            std::os::unix::fs::symlink(&target, directory.join(shared))
                .with_context(|| format!("linking `{}`", target.display()))?;
        }
    }
    Ok(())
}

/// The absolute path of `named`: a symbolic link, or a program in another directory, would resolve a relative path
/// differently.
fn absolute(variable: &str, named: &str) -> Result<PathBuf> {
    std::path::absolute(named).with_context(|| format!("finding the directory of `{variable}`, `{named}`"))
}

fn users_directory(environment: &Environment) -> Result<Option<PathBuf>> {
    Ok(match (environment.get("DOCKER_CONFIG")?, environment.get("HOME")?) {
        (Some(config), _) => Some(absolute("DOCKER_CONFIG", config)?),
        (None, Some(home)) => Some(Path::new(home).join(".docker")),
        (None, None) => None,
    })
}

/// What is read from the user's configuration.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Users {
    #[serde(default)]
    proxies: Proxies,
    /// The entry of `contexts` that docker uses, unless `DOCKER_CONTEXT` or `DOCKER_HOST` is set.
    current_context: Option<String>,
    /// More directories with plugins, such as buildx.
    cli_plugins_extra_dirs: Option<Vec<String>>,
}

impl Users {
    fn read(environment: &Environment) -> Result<Self> {
        let Some(path) = users_directory(environment)?.map(|users| users.join("config.json")) else {
            return Ok(Self::default());
        };
        let doing = || format!("reading docker's own `{}`", path.display());
        let file = if_any(fs::File::open(&path)).with_context(doing)?;
        let Some(file) = file else { return Ok(Self::default()) };
        serde_json::from_reader(file.take(MAX_CONFIG_SIZE)).with_context(doing)
    }
}

#[cfg(test)]
mod tests {
    use super::DockerConfig;
    use crate::oci::registry::Credentials;
    use crate::process::environment::Environment;
    use crate::process::secret::Secret;
    use crate::process::temp_dir::TempDir;

    #[test]
    fn a_config_has_the_given_logins_and_of_the_users_only_proxies_and_context() {
        let users = TempDir::new().unwrap();
        let written = serde_json::json!({
            "auths": {"private.example.org": {"auth": "dXNlcnM6b3du"}},
            "proxies": {
                "default": {"httpsProxy": "http://proxy.example.org:3128", "noProxy": "localhost"},
                "tcp://other": {"httpProxy": "http://user:password@proxy.example.org:3128"},
            },
            "currentContext": "rootless",
            "credsStore": "desktop",
        });
        std::fs::write(users.path().join("config.json"), written.to_string()).unwrap();
        let environment = Environment::from_pairs([("DOCKER_CONFIG", users.path())]);
        let registry = "forge.example.org".parse().unwrap();
        let login = |user: &str| Credentials::new(user, Secret::new(format!("token-of-{user}")));
        let (ours, hub) = (login("ours"), login("hub"));
        let bases = [("https://index.docker.io/v1/".to_owned(), hub.clone())];
        let read = |config: &DockerConfig| {
            let text = std::fs::read(config.path().join("config.json")).unwrap();
            serde_json::from_slice::<serde_json::Value>(&text).unwrap()
        };
        let config = DockerConfig::for_builds(&environment, Some((&registry, &ours)), &bases).unwrap();
        let expected = serde_json::json!({
            "auths": {
                "forge.example.org": {"auth": ours.pair.expose()},
                "https://index.docker.io/v1/": {"auth": hub.pair.expose()},
            },
            "proxies": {"default": {"httpsProxy": "http://proxy.example.org:3128", "noProxy": "localhost"}},
            "currentContext": "rootless",
        });
        assert_eq!(read(&config), expected);
        assert!(config.drops_proxies());
        let of_containers = std::fs::read_to_string(config.for_containers().join("config.json")).unwrap();
        assert_eq!(of_containers, r#"{"auths":{},"currentContext":"rootless"}"#);
        let alone = DockerConfig::new(&environment, None).unwrap();
        assert_eq!(read(&alone), serde_json::json!({"auths": {}, "currentContext": "rootless"}));
        std::fs::write(users.path().join("config.json"), "not json").unwrap();
        assert!(DockerConfig::for_builds(&environment, None, &[]).is_err());
        assert_eq!(read(&DockerConfig::new(&environment, None).unwrap()), serde_json::json!({"auths": {}}));
        assert!(DockerConfig::for_builds(&Environment::default(), None, &[]).is_ok());
    }

    #[test]
    fn the_users_tls_files_and_plugin_directories_are_kept() {
        let users = TempDir::new().unwrap();
        std::fs::write(users.path().join("ca.pem"), "ca").unwrap();
        let written = r#"{"cliPluginsExtraDirs": ["/opt/plugins"], "credsStore": "desktop"}"#;
        std::fs::write(users.path().join("config.json"), written).unwrap();
        let environment = Environment::from_pairs([("DOCKER_CONFIG", users.path())]);
        for config in [
            DockerConfig::new(&environment, None).unwrap(),
            DockerConfig::for_builds(&environment, None, &[]).unwrap(),
        ] {
            for directory in [config.path().to_owned(), config.for_containers()] {
                let read = |name: &str| std::fs::read_to_string(directory.join(name)).unwrap();
                assert_eq!(read("config.json"), r#"{"auths":{},"cliPluginsExtraDirs":["/opt/plugins"]}"#);
                assert_eq!(read("ca.pem"), "ca");
                assert!(!directory.join("key.pem").exists());
            }
        }
    }

    #[test]
    fn relative_directories_in_docker_variables_are_made_absolute() {
        let scratch = TempDir::new().unwrap();
        std::fs::create_dir(scratch.path().join("contexts")).unwrap();
        let up = "../".repeat(crate::process::environment::current_directory().unwrap().components().count());
        let relative = format!("{up}{}", &scratch.path().display().to_string()[1..]);
        let environment =
            Environment::from_pairs([("DOCKER_CONFIG", relative.as_str()), ("BUILDX_CONFIG", "src")]);
        let config = DockerConfig::new(&environment, None).unwrap();
        let link = std::fs::read_link(config.path().join("contexts")).unwrap();
        assert!(link.is_absolute() && link.is_dir(), "{}", link.display());
        assert!(config.buildx().unwrap().is_absolute());
    }

    #[test]
    fn the_users_builders_are_found_where_buildx_finds_them() {
        let scratch = TempDir::new().unwrap();
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
