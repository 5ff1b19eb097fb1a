//! docker and buildx: typed, with a private configuration directory so that a login never reaches the user's own.

use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use xshell::cmd;

use crate::environment::Environment;
use crate::reference::{Digest, Registry};
use crate::registry::Credentials;
use crate::scratch::Scratch;
use crate::tool::{Call, Runner};

const INSTALL: &str = "install docker 26 or newer with buildx: https://docs.docker.com/engine/install/";

/// A `DOCKER_CONFIG` of our own: one registry's credentials, and links to what the user's has besides credentials.
pub struct DockerConfig {
    scratch: Scratch,
    /// Where named builders are kept: the user's.
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
            let pair = STANDARD.encode(format!("{}:{}", credentials.user, credentials.password.expose()));
            serde_json::Map::from_iter([(registry.to_string(), serde_json::json!({ "auth": pair }))])
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
        Ok(Self { scratch, buildx: users.map(|users| users.join("buildx")).filter(|buildx| buildx.is_dir()) })
    }

    /// The directory, for `DOCKER_CONFIG`.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.scratch.path()
    }
}

/// docker with one configuration directory.
pub struct Docker<'a> {
    runner: &'a Runner,
    config: &'a DockerConfig,
}

/// What `docker buildx build` is asked for.
pub struct Build {
    /// The exported commit.
    pub context: PathBuf,
    /// Every platform of the index.
    pub platforms: Vec<String>,
    /// Build arguments, labels and annotations, by name.
    pub arguments: Vec<(&'static str, String)>,
    /// Image labels.
    pub labels: Vec<(&'static str, String)>,
    /// Annotations on the index and on each manifest.
    pub annotations: Vec<(&'static str, String)>,
    /// References to satisfy from elsewhere: `name` as the Dockerfile writes it, and where to take it.
    pub stand_ins: Vec<(String, String)>,
    /// A file with extra CA certificates for the build stage, mounted as the secret `ca`.
    pub ca_certificates: Option<PathBuf>,
    /// A buildx builder by name; empty for the current one.
    pub builder: String,
    /// `--network`; empty for the default.
    pub network: String,
    /// Start from nothing.
    pub no_cache: bool,
    /// `registry/path:tag` to push to.
    pub push_to: String,
    /// How long it may take.
    pub timeout: Duration,
}

/// The engine's own answer to `docker version`.
#[derive(Clone, Debug)]
pub struct EngineVersion {
    /// The server's version, such as `26.1.5`.
    pub server: String,
}

/// What the builder is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuilderVersion {
    /// `docker`, `docker-container`, `remote`, `kubernetes`.
    pub driver: String,
    /// `BuildKit`'s version, such as `v0.13.2`.
    pub buildkit: String,
}

impl<'a> Docker<'a> {
    /// docker that reads `config` instead of the user's own.
    #[must_use]
    pub fn new(runner: &'a Runner, config: &'a DockerConfig) -> Self {
        Self { runner, config }
    }

    /// Asks the engine, which proves that it runs.
    ///
    /// # Errors
    /// When docker is not installed or its engine does not answer.
    pub fn version(&self) -> Result<EngineVersion> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Versions {
            server: Option<Server>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Server {
            version: String,
        }
        let json = self.call(&["version", "--format", "json"])?.timeout(Duration::from_secs(20)).read()?;
        let versions: Versions =
            serde_json::from_str(&json).context("reading what `docker version` printed")?;
        let server = versions.server.context("`docker version` names no server")?;
        Ok(EngineVersion { server: server.version })
    }

    /// Whether the engine keeps images in containerd's store, which a multi-platform build on its own builder needs.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub fn has_containerd_store(&self) -> Result<bool> {
        let status = self.call(&["info", "--format", "{{json .DriverStatus}}"])?.read()?;
        let pairs: Option<Vec<(String, String)>> =
            serde_json::from_str(&status).context("reading what `docker info` printed")?;
        Ok(pairs.unwrap_or_default().iter().any(|(_, value)| value.starts_with("io.containerd.snapshotter")))
    }

    /// The version of the buildx plugin, such as `0.13.1`.
    ///
    /// # Errors
    /// When the plugin is missing.
    pub fn buildx_version(&self) -> Result<String> {
        let text = self
            .call(&["buildx", "version"])?
            .read()
            .context("asking for buildx; install it as a docker plugin")?;
        let version = text
            .split_whitespace()
            .nth(1)
            .with_context(|| format!("`docker buildx version` printed `{text}`"))?;
        Ok(version.trim_start_matches('v').to_owned())
    }

    /// What the builder is that a build would use.
    ///
    /// # Errors
    /// When there is no such builder.
    pub fn builder(&self, name: &str) -> Result<BuilderVersion> {
        let mut arguments = vec!["buildx", "inspect", "--bootstrap"];
        arguments.extend((!name.is_empty()).then_some(name));
        let text = self.call(&arguments)?.timeout(Duration::from_secs(60)).read()?;
        parse_builder(&text)
    }

    /// Builds and pushes; returns the index's digest from the metadata file, never from prose.
    ///
    /// # Errors
    /// When the build or the push fails.
    pub fn build(&self, build: &Build) -> Result<Digest> {
        #[derive(Deserialize)]
        struct Metadata {
            #[serde(rename = "containerimage.digest")]
            digest: Digest,
        }
        let scratch = Scratch::new()?;
        let metadata = scratch.path().join("metadata.json");
        let mut arguments = build.arguments();
        arguments
            .extend([format!("--metadata-file={}", metadata.display()), build.context.display().to_string()]);
        self.call(&arguments)?.timeout(build.timeout).run()?;
        let json = fs::read(&metadata).with_context(|| format!("reading `{}`", metadata.display()))?;
        let metadata: Metadata =
            serde_json::from_slice(&json).context("reading the digest in the build's metadata file")?;
        Ok(metadata.digest)
    }

    /// The manifest or index behind `reference`, as its registry stores it.
    ///
    /// # Errors
    /// When it is not there or its registry does not answer.
    pub fn raw_manifest(&self, reference: &str) -> Result<String> {
        self.call(&["buildx", "imagetools", "inspect", "--raw", reference])?.read()
    }

    /// Pulls `reference` for this machine's platform.
    ///
    /// # Errors
    /// When it cannot be pulled.
    pub fn pull(&self, reference: &str, timeout: Duration) -> Result<()> {
        self.call(&["pull", "--quiet", reference])?.timeout(timeout).run()
    }

    /// Starts `reference` as a self-hoster is told to, only stricter, with its port on a free loopback one.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self, reference: &str, port: u16) -> Result<Container<'_>> {
        let name = format!("carol-smoke-{}", crate::scratch::random_hex()?);
        let publish = format!("127.0.0.1::{port}");
        // Made before the start, so that a container that half-started is removed as well.
        let container = Container { docker: self, name: name.clone() };
        let hardening = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"];
        let start = ["run", "--detach", "--name", &name, "--publish", &publish, "--pull=never"];
        let arguments: Vec<&str> = start.into_iter().chain(hardening).chain([reference]).collect();
        self.call(&arguments)?.run()?;
        Ok(container)
    }

    fn call<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> Result<Call> {
        let sh = self.runner.shell()?;
        let call = self.runner.call(cmd!(sh, "docker {arguments...}")).install_hint(INSTALL);
        let call = call.env("DOCKER_CONFIG", self.config.path());
        Ok(match &self.config.buildx {
            Some(buildx) => call.env("BUILDX_CONFIG", buildx),
            None => call,
        })
    }
}

impl Build {
    fn arguments(&self) -> Vec<String> {
        let mut arguments: Vec<String> =
            ["buildx", "build", "--progress=plain", "--provenance=false", "--sbom=false"]
                .map(str::to_owned)
                .into();
        arguments.push(format!("--platform={}", self.platforms.join(",")));
        let each = |flag: &str, pairs: &[(&str, String)]| -> Vec<String> {
            pairs.iter().map(|(key, value)| format!("--{flag}={key}={value}")).collect()
        };
        arguments.extend(each("build-arg", &self.arguments));
        arguments.extend(each("label", &self.labels));
        // buildx 0.13 takes `index,manifest:` for a part of the key: one flag for each.
        for level in ["index", "manifest"] {
            let annotation = |(key, value): &(&str, String)| format!("--annotation={level}:{key}={value}");
            arguments.extend(self.annotations.iter().map(annotation));
        }
        arguments.extend(
            self.stand_ins
                .iter()
                .map(|(name, image)| format!("--build-context={name}=docker-image://{image}")),
        );
        arguments
            .extend(self.ca_certificates.iter().map(|path| format!("--secret=id=ca,src={}", path.display())));
        arguments.extend((!self.builder.is_empty()).then(|| format!("--builder={}", self.builder)));
        arguments.extend((!self.network.is_empty()).then(|| format!("--network={}", self.network)));
        arguments.extend(self.no_cache.then(|| "--no-cache".to_owned()));
        // Media types are pinned: they are part of every digest, and builders differ in their default.
        arguments.push(format!("--output=type=image,push=true,oci-mediatypes=true,name={}", self.push_to));
        arguments
    }
}

/// A running container that is removed on every way out.
pub struct Container<'a> {
    docker: &'a Docker<'a>,
    name: String,
}

/// How a container stands.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ContainerState {
    /// Whether its process lives.
    pub running: bool,
    /// Its exit code once it does not.
    pub exit_code: i32,
}

impl Container<'_> {
    /// Where the container's `port` is reached on loopback, as `127.0.0.1:PORT`.
    ///
    /// # Errors
    /// When docker does not say.
    pub fn address(&self, port: u16) -> Result<String> {
        let port = format!("{port}/tcp");
        let text = self.docker.call(&["port", &self.name, &port])?.read()?;
        let address =
            text.lines().next().with_context(|| format!("`docker port` names no address for {port}"))?;
        Ok(address.to_owned())
    }

    /// Whether it runs, and how it ended.
    ///
    /// # Errors
    /// When docker does not say.
    pub fn state(&self) -> Result<ContainerState> {
        let json = self.docker.call(&["inspect", "--format", "{{json .State}}", &self.name])?.read()?;
        serde_json::from_str(&json).context("reading what `docker inspect` printed")
    }

    /// The end of what it wrote to both streams.
    ///
    /// # Errors
    /// When docker does not say.
    pub fn logs(&self) -> Result<String> {
        let output = self.docker.call(&["logs", "--tail", "20", &self.name])?.output()?.success()?;
        Ok(format!("{}{}", crate::secret::redact(&output.text()?), output.stderr))
    }

    /// Sends SIGTERM, waits `patience`, then SIGKILL.
    ///
    /// # Errors
    /// When docker fails.
    pub fn stop(&self, patience: Duration) -> Result<()> {
        let seconds = patience.as_secs().to_string();
        let call = self.docker.call(&["stop", "--time", &seconds, &self.name])?;
        call.timeout(patience + Duration::from_secs(20)).run()
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        let removed = self
            .docker
            .call(&["rm", "--force", "--volumes", &self.name])
            .and_then(|call| call.after_interrupt().timeout(Duration::from_secs(30)).run());
        if let Err(error) = removed {
            eprintln!(
                "xtask: removing a container: {error:#}; remove it with `docker rm --force {}`",
                self.name
            );
        }
    }
}

/// Reads `docker buildx inspect`, which has no machine-readable form: `Driver:` and the first node's version.
fn parse_builder(text: &str) -> Result<BuilderVersion> {
    let value = |wanted: &[&str]| {
        text.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| wanted.iter().any(|name| name.eq_ignore_ascii_case(key.trim())))
            .map(|(_, value)| value.trim().to_owned())
    };
    // buildx 0.13 writes `Buildkit:`, later ones `BuildKit version:`.
    match (value(&["Driver"]), value(&["Buildkit", "BuildKit version"])) {
        (Some(driver), Some(buildkit)) => Ok(BuilderVersion { driver, buildkit }),
        _ => bail!("`docker buildx inspect` names no driver or no BuildKit version:\n{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{BuilderVersion, parse_builder};

    #[test]
    fn the_builder_is_read_in_both_spellings() {
        let expected = BuilderVersion { driver: "docker".to_owned(), buildkit: "v0.13.2".to_owned() };
        for key in ["Buildkit: ", "BuildKit version:"] {
            let text =
                format!("Name:   default\nDriver: docker\n\nNodes:\nName:      default\n{key} v0.13.2\n");
            assert_eq!(parse_builder(&text).unwrap(), expected);
        }
        assert!(parse_builder("ERROR: no builder \"x\" found").is_err());
    }
}
