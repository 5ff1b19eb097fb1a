//! Typed calls of docker and buildx, with a private configuration directory, so that a login never reaches the user's
//! own.

mod build;
mod config;
mod container;
mod engine;
mod leftovers;
mod network;
mod platforms;
mod record;
mod run;
mod service;
pub mod sources;
mod trial;

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use xshell::cmd;

use crate::process::temp_dir::TempDir;
use crate::process::{Call, Runner, Watch};

pub use build::{Build, Cache, Output};
pub use config::DockerConfig;
pub use container::{Container, ContainerState};
pub use engine::Engine;
pub use network::Network;
pub use record::{Built, RanStep};
pub use run::{LABEL, Run};

/// Advice where docker is missing or too old.
pub const INSTALL: &str =
    "install docker 26 or newer with buildx 0.13 or newer: https://docs.docker.com/engine/install/";

/// Advice for an engine that does not answer.
const START_ENGINE: &str =
    "start it, for example with `systemctl start docker`, or set `DOCKER_HOST` to where it listens";

/// docker with one configuration directory.
pub struct Docker<'a> {
    runner: &'a Runner,
    config: &'a DockerConfig,
}

/// The driver and version of a builder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuilderVersion {
    /// `docker`, `docker-container`, `remote`, `kubernetes`.
    pub driver: String,
    /// `BuildKit`'s version, such as `v0.13.2`.
    pub buildkit: String,
}

impl<'a> Docker<'a> {
    /// docker with `config` in place of the user's own configuration.
    #[must_use]
    pub fn new(runner: &'a Runner, config: &'a DockerConfig) -> Self {
        Self { runner, config }
    }

    /// Queries the engine, which proves that it runs.
    ///
    /// # Errors
    /// When docker is not installed or its engine does not answer.
    pub fn engine(&self) -> Result<Engine> {
        let call = self.call(&["info", "--format", "{{json .}}"])?.timeout(Duration::from_secs(20));
        let answer = call.output().and_then(crate::process::Output::success);
        let answer = answer.with_context(|| format!("docker's engine does not answer; {START_ENGINE}"))?;
        engine::parse(&answer.text()?)
    }

    /// The builder that a build would use.
    ///
    /// # Errors
    /// When there is no such builder.
    pub fn builder(&self, name: &str) -> Result<BuilderVersion> {
        let mut arguments = vec!["buildx", "inspect", "--bootstrap"];
        arguments.extend((!name.is_empty()).then_some(name));
        let text = self.call(&arguments)?.timeout(Duration::from_secs(60)).read()?;
        parse_builder(&text)
    }

    /// Whether the builder that a build would use can reach servers on this machine's loopback.
    ///
    /// # Errors
    /// When there is no such builder.
    pub fn builds_beside_loopback(&self, name: &str) -> Result<bool> {
        let mut arguments = vec!["buildx", "inspect"];
        arguments.extend((!name.is_empty()).then_some(name));
        let text = self.call(&arguments)?.timeout(Duration::from_secs(60)).read()?;
        Ok(!has_own_network(&text))
    }

    /// Builds, and ends the build when `watch` reports an error. The result is read from the metadata file, never from
    /// prose.
    ///
    /// # Errors
    /// When the build or the push fails, the metadata file cannot be read, and the watch's own error.
    pub fn build(&self, build: &Build, watch: Option<&Watch<'_>>) -> Result<Built> {
        let scratch = TempDir::new()?;
        let metadata = scratch.path().join("metadata.json");
        let file = format!("--metadata-file={}", metadata.display());
        let call = self.build_call(build, scratch.path(), Some(file))?;
        call.env(record::VARIABLE.0, record::VARIABLE.1).run_watched(watch)?;
        let json = fs::read(&metadata).with_context(|| format!("reading `{}`", metadata.display()))?;
        record::read(&json)
    }

    /// Runs a build whose result has no digest: [`Output::Files`].
    ///
    /// # Errors
    /// When the build fails.
    pub fn build_files(&self, build: &Build) -> Result<()> {
        let scratch = TempDir::new()?;
        self.build_call(build, scratch.path(), None)?.run()
    }

    /// The call for `build`. The policy of its sources is written to `scratch`.
    fn build_call(&self, build: &Build, scratch: &Path, more: Option<String>) -> Result<Call> {
        let policy = build.sources.write(scratch)?;
        let mut arguments = build.arguments();
        arguments.extend(more);
        arguments.push(build.context.display().to_string());
        let call = self.call(&arguments)?.timeout(build.timeout).env(sources::VARIABLE, policy);
        let secrets = build.secrets.iter();
        Ok(secrets.fold(call, |call, (name, secret)| call.secret_env(&build::carrier(name), secret)))
    }

    /// The manifest or index at `reference`, as its registry stores it.
    ///
    /// # Errors
    /// When it does not exist or its registry does not answer.
    pub fn raw_manifest(&self, reference: &str) -> Result<String> {
        self.call(&["buildx", "imagetools", "inspect", "--raw", reference])?.repeatable().read()
    }

    /// Pulls `reference` for `platform`, and ends the pull when `watch` reports an error.
    ///
    /// # Errors
    /// When it cannot be pulled, and the watch's own error.
    pub fn pull(
        &self,
        reference: &str,
        platform: &str,
        timeout: Duration,
        watch: Option<&Watch<'_>>,
    ) -> Result<()> {
        let words = ["pull", "--quiet", "--platform", platform, reference];
        self.call(&words)?.timeout(timeout).repeatable().run_watched(watch)
    }

    /// The platform of the image that the engine has for `reference`, such as `linux/amd64`. If it has images for
    /// several platforms, the engine's own platform is preferred. `None` if it has no image.
    ///
    /// # Errors
    /// When docker cannot be run.
    pub fn platform_of(&self, reference: &str) -> Result<Option<String>> {
        let format = "{{.Os}}/{{.Architecture}}";
        let output = self.call(&["image", "inspect", "--format", format, reference])?.output()?;
        if !output.status.success() {
            return Ok(None);
        }
        Ok(Some(output.text()?.trim().to_owned()))
    }

    /// Makes a network without access to the outside, for a smoke test that takes at most `longest`. Before that,
    /// removes what killed runs with the same `label` have left behind.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn network(&self, label: &str, longest: Duration) -> Result<Network<'_>> {
        Network::new(self, label, longest)
    }

    fn call_for_containers(&self, arguments: &[String]) -> Result<Call> {
        Ok(self.call(arguments)?.env("DOCKER_CONFIG", self.config.for_containers()))
    }

    fn call<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> Result<Call> {
        let sh = self.runner.shell()?;
        let call = self.runner.call_with_ssh_agent(cmd!(sh, "docker {arguments...}")).install_hint(INSTALL);
        // Otherwise buildx would start git with the secrets of the build, and git knows nothing about an exported
        // commit.
        let call = call.env("DOCKER_CONFIG", self.config.path()).env("BUILDX_GIT_INFO", "false");
        Ok(match self.config.buildx() {
            Some(buildx) => call.env("BUILDX_CONFIG", buildx),
            None => call,
        })
    }
}

/// Parses `docker buildx inspect`, which has no machine-readable form: `Driver:` and the first node's version.
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

/// Whether the builder in the output of `docker buildx inspect` runs in a container with a loopback of its own.
fn has_own_network(text: &str) -> bool {
    let values = |wanted| {
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        lines.filter(move |(key, _)| key.trim() == wanted).map(|(_, value)| value.trim())
    };
    let on_host =
        |options: &str| options.replace('"', "").split_whitespace().any(|one| one == "network=host");
    values("Driver").any(|driver| ["docker-container", "kubernetes"].contains(&driver))
        && !values("Driver Options").any(on_host)
}

#[cfg(test)]
mod tests {
    use super::{BuilderVersion, has_own_network, parse_builder};

    #[test]
    fn a_builder_in_a_container_has_its_own_loopback_unless_it_uses_the_hosts_network() {
        for (driver, options, expected) in [
            ("docker", "", false),
            ("remote", "", false),
            ("docker-container", "", true),
            ("kubernetes", "Driver Options: namespace=\"build\"\n", true),
            ("docker-container", "Driver Options: image=\"x\" network=\"host\"\n", false),
            ("docker-container", "Driver Options: network=\"hosts\"\n", true),
        ] {
            let text = format!(
                "Name:   mine\nDriver: {driver}\n\nNodes:\nName:   mine0\n{options}Status: inactive\n"
            );
            assert_eq!(has_own_network(&text), expected, "{text}");
        }
    }

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
