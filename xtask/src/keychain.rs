//! Which secret may go to which host: each is bound to one when it is read, and no other host is given it, whatever a
//! commit, an argument or an answer names.

use anyhow::{Context as _, Result};

use crate::config::{Config, WebUrl};
use crate::environment::Environment;
use crate::reference::Registry;
use crate::registry::Credentials;
use crate::secret::Secret;

/// The secrets that requests may carry. Empty, it reads as anyone does.
#[derive(Clone, Default)]
pub struct Keychain {
    registry: Option<(Registry, Credentials)>,
    forge: Option<(WebUrl, Secret)>,
}

impl Keychain {
    /// With the credentials for `registry`, and for no other.
    #[must_use]
    pub fn with_registry(self, registry: Registry, credentials: Credentials) -> Self {
        Self { registry: Some((registry, credentials)), ..self }
    }

    /// With the token for `forge`, and for no other.
    #[must_use]
    pub fn with_forge(self, forge: WebUrl, token: Secret) -> Self {
        Self { forge: Some((forge, token)), ..self }
    }

    /// What `registry` may be told.
    #[must_use]
    pub fn credentials(&self, registry: &Registry) -> Option<&Credentials> {
        self.registry.as_ref().filter(|(bound, _)| bound == registry).map(|(_, credentials)| credentials)
    }

    /// What `forge` may be told.
    #[must_use]
    pub fn token(&self, forge: &WebUrl) -> Option<&Secret> {
        self.forge.as_ref().filter(|(bound, _)| bound == forge).map(|(_, token)| token)
    }

    /// The registry that there are credentials for.
    #[must_use]
    pub fn registry(&self) -> Option<&Registry> {
        self.registry.as_ref().map(|(registry, _)| registry)
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.registry.is_none() && self.forge.is_none()
    }
}

/// The registry that `REGISTRY_TOKEN` is for, where the environment says it.
///
/// # Errors
/// When `REGISTRY` is no registry.
pub fn named_registry(environment: &Environment) -> Result<Option<Registry>> {
    environment.get("REGISTRY")?.map(|name| name.parse().context("reading `REGISTRY`")).transpose()
}

/// `FORGEJO_TOKEN`, unless it is the automatic one of a run on another forge than that of `own`: every step of a run has it.
///
/// # Errors
/// When one of the variables holds something that cannot be meant.
pub fn forge_token(environment: &Environment, own: &Config) -> Result<Option<Secret>> {
    let automatic = environment.get("GITHUB_TOKEN")?;
    let is_foreign = environment.runner("SERVER_URL")?.is_some_and(|server| !is_forge(server, own));
    let given = environment.token("FORGEJO_TOKEN")?;
    Ok(given.filter(|token| !(is_foreign && automatic == Some(token.expose()))))
}

/// `GITHUB_TOKEN`, where it is the automatic one of a run on the forge of `own`: all that Gitea's runner sets.
///
/// # Errors
/// When one of the variables holds something that cannot be meant.
pub fn automatic_token(environment: &Environment, own: &Config) -> Result<Option<Secret>> {
    let is_ours = environment.get("GITHUB_SERVER_URL")?.is_some_and(|server| is_forge(server, own));
    Ok(environment.token("GITHUB_TOKEN")?.filter(|_| is_ours))
}

fn is_forge(server: &str, own: &Config) -> bool {
    server.trim_end_matches('/').eq_ignore_ascii_case(&own.forge.to_string())
}

#[cfg(test)]
mod tests {
    use super::{Keychain, automatic_token, forge_token, named_registry};
    use crate::environment::Environment;
    use crate::registry::Credentials;
    use crate::secret::Secret;

    #[test]
    fn each_secret_is_given_to_its_own_host_alone() {
        let (own, other) = ("forge.example.org".parse().unwrap(), "mirror.example.org".parse().unwrap());
        let web = |text: &str| text.to_owned().try_into().unwrap();
        let chain = Keychain::default()
            .with_registry(
                "forge.example.org".parse().unwrap(),
                Credentials::new("acme", Secret::new("one-token")),
            )
            .with_forge(web("https://forge.example.org"), Secret::new("another-token"));
        assert!(chain.credentials(&own).is_some());
        assert!(chain.credentials(&other).is_none());
        assert!(chain.credentials(&"forge.example.org:5000".parse().unwrap()).is_none());
        assert!(chain.token(&web("https://forge.example.org")).is_some());
        for foreign in ["http://forge.example.org", "https://forge.example.org.evil.org", "https://other.org"]
        {
            assert!(chain.token(&web(foreign)).is_none(), "{foreign}");
        }
    }

    #[test]
    fn the_automatic_token_of_another_forges_run_is_for_that_forge() {
        let own = crate::config::tests::example();
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
        assert_eq!(found(&[github]), None, "nobody says whose it is");
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
