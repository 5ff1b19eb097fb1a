//! The docker configuration that a build works with: the login of the release, and those for base images.

use anyhow::Result;

use crate::config::Login;
use crate::release::Session;
use crate::release::target::Target;
use crate::tool::docker::DockerConfig;

/// Makes it. A registry whose variables are not set is asked as by anyone, and that is said: it may well answer.
///
/// # Errors
/// When it cannot be written, or the environment holds something that is no login.
pub fn docker_config(session: &Session<'_>, target: &Target) -> Result<DockerConfig> {
    let mut logins = Vec::new();
    for registry in &session.config.registries {
        match registry.login(session.environment)? {
            Login::With(credentials) => logins.push((registry.docker_key().to_owned(), credentials)),
            Login::Without(missing) => {
                let detail =
                    format!("`{}` is asked without a login: {} not set", registry.host, missing.join(", "));
                session.steps.line("login", &detail);
            }
        }
    }
    let config = DockerConfig::for_builds(session.environment, target.login(), &logins)?;
    if config.drops_proxies() {
        session.steps.line(
            "proxy",
            "docker's own configuration has a proxy with a password, which is left out; set `HTTPS_PROXY` in its place",
        );
    }
    Ok(config)
}
