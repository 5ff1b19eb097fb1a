//! The docker configuration for a build: the release's login, and the logins for base images.

use anyhow::Result;

use crate::inputs::config::{Config, Login};
use crate::oci::reference::Registry;
use crate::oci::registry::Credentials;
use crate::process::environment::Environment;
use crate::process::progress::Steps;
use crate::tool::docker::DockerConfig;

/// Creates the configuration. `push` is the login for the image's registry. A registry whose variables are not set is
/// queried anonymously, which may well work; a progress line says so.
///
/// # Errors
/// When the configuration cannot be written, or the environment holds an invalid login.
pub fn docker_config(
    config: &Config,
    environment: &Environment,
    push: Option<(&Registry, &Credentials)>,
    steps: &Steps,
) -> Result<DockerConfig> {
    let mut logins = Vec::new();
    for registry in &config.registries {
        match registry.login(environment)? {
            Login::With(credentials) => logins.push((registry.docker_key().to_owned(), credentials)),
            Login::Without(missing) => {
                let detail =
                    format!("`{}` is asked without a login: {} not set", registry.host, missing.join(", "));
                steps.line("login", &detail);
            }
        }
    }
    let docker = DockerConfig::for_builds(environment, push, &logins)?;
    if docker.drops_proxies() {
        steps.line(
            "proxy",
            "docker's own configuration has a proxy with a password, which is left out; set `HTTPS_PROXY` in its place",
        );
    }
    Ok(docker)
}
