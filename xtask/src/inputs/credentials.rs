//! The tokens in the environment, and the host to which each may go. Only the configuration at hand decides that, never
//! the commit, argument or answer that the program works on.

use anyhow::{Context as _, Result};

use crate::inputs::config::Config;
use crate::oci::keychain::Keychain;
use crate::oci::reference::Registry;
use crate::oci::registry::Credentials;
use crate::process::environment::Environment;
use crate::process::secret::Secret;

/// The tokens in the environment, each bound to its host. The hosts are those of `own`, unless `REGISTRY` names another
/// registry.
///
/// # Errors
/// When a variable is invalid.
pub fn keychain(environment: &Environment, own: &Config) -> Result<Keychain> {
    let mut keychain = Keychain::default();
    if let Some(login) = registry_login(environment, own)? {
        keychain = keychain.with_registry(registry_of(environment, own)?, login);
    }
    let token = match forge_token(environment, own)? {
        Some(token) => Some(token),
        None => automatic_token(environment, own)?,
    };
    if let Some(token) = token {
        keychain = keychain.with_forge(own.forge.clone(), token);
    }
    Ok(keychain)
}

/// `REGISTRY_TOKEN` and its user, if it is set.
///
/// # Errors
/// When a variable is invalid.
pub fn registry_login(environment: &Environment, own: &Config) -> Result<Option<Credentials>> {
    let Some(token) = environment.token("REGISTRY_TOKEN")? else { return Ok(None) };
    let user = environment.get("REGISTRY_USER")?.unwrap_or(&own.repository.owner);
    Ok(Some(Credentials::new(user, token)))
}

/// The registry to which `REGISTRY_TOKEN` belongs.
///
/// # Errors
/// When `REGISTRY` is not a registry.
pub fn registry_of(environment: &Environment, own: &Config) -> Result<Registry> {
    match named_registry(environment)? {
        Some(named) => Ok(own.with_configured_scheme(named)),
        None => Ok(own.image()?.registry),
    }
}

/// The registry to which `REGISTRY_TOKEN` belongs, if the environment names one.
///
/// # Errors
/// When `REGISTRY` is not a registry.
pub fn named_registry(environment: &Environment) -> Result<Option<Registry>> {
    environment.get("REGISTRY")?.map(|name| name.parse().context("reading `REGISTRY`")).transpose()
}

/// `FORGEJO_TOKEN`, except when it is the automatic token of a run on a forge other than that of `own`: every step of a
/// run has that token.
///
/// # Errors
/// When one of the variables is invalid.
pub fn forge_token(environment: &Environment, own: &Config) -> Result<Option<Secret>> {
    let automatic = environment.get("GITHUB_TOKEN")?;
    let is_foreign = environment.runner("SERVER_URL")?.is_some_and(|server| !is_forge(server, own));
    let given = environment.token("FORGEJO_TOKEN")?;
    Ok(given.filter(|token| !(is_foreign && automatic == Some(token.expose()))))
}

/// `GITHUB_TOKEN`, if it is the automatic token of a run on the forge of `own`. Some runners set it under this name.
///
/// # Errors
/// When one of the variables is invalid.
pub fn automatic_token(environment: &Environment, own: &Config) -> Result<Option<Secret>> {
    let is_ours = environment.get("GITHUB_SERVER_URL")?.is_some_and(|server| is_forge(server, own));
    Ok(environment.token("GITHUB_TOKEN")?.filter(|_| is_ours))
}

fn is_forge(server: &str, own: &Config) -> bool {
    server.trim_end_matches('/').eq_ignore_ascii_case(&own.forge.to_string())
}

#[cfg(test)]
mod tests {
    use super::{automatic_token, forge_token, named_registry};
    use crate::inputs::config;
    use crate::process::environment::Environment;

    #[test]
    fn the_automatic_token_of_a_run_on_another_forge_is_ignored() {
        let own = config::tests::example();
        let found = |pairs: &[(&str, &str)]| {
            let environment = Environment::from_pairs(pairs.iter().copied());
            let given = forge_token(&environment, &own).unwrap();
            let token = given.or(automatic_token(&environment, &own).unwrap());
            token.map(|token| token.expose().to_owned())
        };
        let (ours, theirs) = (
            ("GITHUB_SERVER_URL", "https://forge.example.org/"),
            ("GITHUB_SERVER_URL", "https://github.com"),
        );
        let (forgejo, github) = (("FORGEJO_TOKEN", "made-by-hand"), ("GITHUB_TOKEN", "automatic"));
        let same = ("FORGEJO_TOKEN", "automatic");
        assert_eq!(found(&[forgejo]).as_deref(), Some("made-by-hand"));
        assert_eq!(found(&[github]), None, "it is unknown which forge it is for");
        assert_eq!(found(&[github, theirs]), None);
        assert_eq!(found(&[github, ours]).as_deref(), Some("automatic"));
        assert_eq!(found(&[github, same, ours]).as_deref(), Some("automatic"));
        assert_eq!(found(&[github, same, theirs]), None);
        assert_eq!(found(&[github, forgejo, theirs]).as_deref(), Some("made-by-hand"));
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn the_environment_may_name_the_registry_of_the_token() {
        let named = |value: &str| named_registry(&Environment::from_pairs([("REGISTRY", value)]));
        assert_eq!(
            named("registry.example.org:5000").unwrap().unwrap().as_str(),
            "registry.example.org:5000"
        );
        assert!(named("").unwrap().is_none());
        assert!(named("https://registry.example.org").is_err());
    }
}
