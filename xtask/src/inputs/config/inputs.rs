//! Inputs that not everyone may read, and hosts without TLS. A commit holds only names of variables and hosts. Every
//! secret value comes from the environment.

use std::fmt;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use super::Config;
use super::values::VariableName;
use crate::http::WebUrl;
use crate::oci::reference::Registry;
use crate::oci::registry::Credentials;
use crate::process::environment::Environment;
use crate::process::secret::Secret;

/// Docker Hub's key in docker's configuration, whatever host the name of an image has.
const HUB_KEY: &str = "https://index.docker.io/v1/";

/// A registry of base images, and the variables with the login for it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BaseRegistry {
    /// The host and port, as in the `FROM` line; `docker.io` for Docker Hub.
    pub host: Registry,
    /// The variable with the user's name.
    user: Option<VariableName>,
    /// The user's name itself, as an alternative to `user`.
    user_name: Option<String>,
    /// The variable with the password or token.
    token: VariableName,
}

/// A login, or the reason why there is none.
pub enum Login {
    /// The login, only for that registry.
    With(Credentials),
    /// The variables that are not set: requests to the registry are anonymous.
    Without(Vec<String>),
}

impl BaseRegistry {
    /// Its key in docker's configuration.
    #[must_use]
    pub fn docker_key(&self) -> &str {
        if self.host.as_str() == "docker.io" { HUB_KEY } else { self.host.as_str() }
    }

    /// The login for it from the environment.
    ///
    /// # Errors
    /// When a variable does not hold a valid user or token.
    pub fn login(&self, environment: &Environment) -> Result<Login> {
        let mut missing = Vec::new();
        let mut value = |name: &VariableName| -> Result<Option<Secret>> {
            let found = environment.token(name.as_str())?;
            if found.is_none() {
                missing.push(name.to_string());
            }
            Ok(found)
        };
        let user = match (&self.user, &self.user_name) {
            (Some(variable), _) => value(variable)?.map(|user| user.expose().to_owned()),
            (None, name) => name.clone(),
        };
        let token = value(&self.token)?;
        Ok(match (user, token) {
            (Some(user), Some(token)) => Login::With(Credentials::new(user, token)),
            _ => Login::Without(missing),
        })
    }

    /// Whether `other` sends the same variables to the same host.
    fn is_same_login(&self, other: &Self) -> bool {
        (&self.host, &self.user, &self.token) == (&other.host, &other.user, &other.token)
    }

    fn check(&self) -> Result<()> {
        ensure!(
            !["index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"]
                .contains(&self.host.as_str()),
            "`registries`: write `host = \"docker.io\"` for Docker Hub, and not `{}`",
            self.host
        );
        match (&self.user, &self.user_name) {
            (Some(_), None) => Ok(()),
            (None, Some(name))
                if !name.is_empty() && !name.contains(':') && !name.chars().any(char::is_control) =>
            {
                Ok(())
            }
            (None, Some(name)) => bail!("`registries`: `{name}` is not the name of a user"),
            _ => bail!(
                "`registries`: `{}` needs either `user`, the variable that holds the user's name, or `user-name`, the \
                 name itself",
                self.host
            ),
        }
    }
}

impl Config {
    /// Whether this configuration sends the same variables to the same host as `registry`.
    #[must_use]
    pub fn names_login(&self, registry: &BaseRegistry) -> bool {
        self.registries.iter().any(|own| own.is_same_login(registry))
    }
}

impl fmt::Display for BaseRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` with `{}`", self.host, self.token)?;
        self.user.as_ref().map_or(Ok(()), |user| write!(f, " of `{user}`"))
    }
}

/// Without TLS, somebody on the network path can withhold responses and see who makes a request.
pub(super) fn check_npm_registries(
    registries: &[WebUrl],
    is_plain: impl Fn(&Registry) -> bool,
) -> Result<()> {
    for registry in registries.iter().filter(|registry| registry.is_http()) {
        let host: Registry = registry.authority().parse().context("reading `npm-registries`")?;
        ensure!(
            host.is_loopback() || is_plain(&host),
            "`npm-registries` has `{registry}`, without TLS; write `https://`, or, in a network that you trust, name the host: \
             `plain-http = [\"{host}\"]`"
        );
    }
    Ok(())
}

/// Checks that each registry is listed once, with a way to name the user, and that none of them is the image's
/// registry, which has a login of its own.
pub(super) fn check_registries(registries: &[BaseRegistry], released_to: &Registry) -> Result<()> {
    for (number, registry) in registries.iter().enumerate() {
        registry.check()?;
        let host = registry.host.as_str();
        ensure!(
            registries[..number].iter().all(|earlier| earlier.host.as_str() != host),
            "`registries` names `{host}` twice"
        );
        ensure!(
            released_to.as_str() != host,
            "`registries` names `{host}`, which the image goes to: `REGISTRY_USER` and `REGISTRY_TOKEN` are for it"
        );
    }
    Ok(())
}

/// Secrets with the names of their variables.
pub type NamedSecrets = Vec<(String, Secret)>;

/// Those of the build's secrets that are set.
///
/// # Errors
/// When a value is not UTF-8.
pub fn set_secrets(names: &[VariableName], environment: &Environment) -> Result<NamedSecrets> {
    let mut found = Vec::new();
    for name in names {
        let secret = environment.secret(name.as_str())?.filter(|secret| !secret.expose().is_empty());
        found.extend(secret.map(|secret| (name.to_string(), secret)));
    }
    Ok(found)
}

/// The values of the build's secrets. `Err` of the inner result names the variables that are not set.
///
/// # Errors
/// When a value is not UTF-8.
pub fn build_secrets(
    names: &[VariableName],
    environment: &Environment,
) -> Result<Result<NamedSecrets, Vec<String>>> {
    let found = set_secrets(names, environment)?;
    let is_set = |name: &VariableName| found.iter().any(|(set, _)| set == name.as_str());
    let missing: Vec<_> = names.iter().filter(|name| !is_set(name)).map(ToString::to_string).collect();
    Ok(if missing.is_empty() { Ok(found) } else { Err(missing) })
}

#[cfg(test)]
mod tests {
    use super::{BaseRegistry, Login, build_secrets, check_registries};
    use crate::inputs::config::VariableName;
    use crate::oci::reference::Registry;
    use crate::process::environment::Environment;

    fn registry(json: serde_json::Value) -> BaseRegistry {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_login_needs_both_a_user_and_a_token() {
        let hub =
            registry(serde_json::json!({"host": "docker.io", "user": "HUB_USER", "token": "HUB_TOKEN"}));
        assert_eq!(hub.docker_key(), "https://index.docker.io/v1/");
        let both = Environment::from_pairs([("HUB_USER", "alice"), ("HUB_TOKEN", "token-of-alice")]);
        let Login::With(credentials) = hub.login(&both).unwrap() else { panic!("both are set") };
        assert_eq!((credentials.user.as_str(), credentials.password.expose()), ("alice", "token-of-alice"));
        let missing = |environment: &Environment| match hub.login(environment).unwrap() {
            Login::With(_) => panic!("a part is missing"),
            Login::Without(missing) => missing,
        };
        assert_eq!(missing(&Environment::default()), ["HUB_USER", "HUB_TOKEN"]);
        assert_eq!(missing(&Environment::from_pairs([("HUB_USER", "alice")])), ["HUB_TOKEN"]);
        assert_eq!(missing(&both.with([("HUB_TOKEN", "")])), ["HUB_TOKEN"]);
        assert!(hub.login(&both.with([("HUB_TOKEN", "a\nb")])).is_err());

        let named = registry(
            serde_json::json!({"host": "r.example.org:5000", "user-name": "bob", "token": "R_TOKEN"}),
        );
        assert_eq!(named.docker_key(), "r.example.org:5000");
        let token = Environment::from_pairs([("R_TOKEN", "token-of-bob")]);
        assert!(
            matches!(named.login(&token).unwrap(), Login::With(credentials) if credentials.user == "bob")
        );
    }

    #[test]
    fn a_registry_needs_one_user_and_is_neither_a_duplicate_nor_the_images_own() {
        let released_to: Registry = "forge.example.org".parse().unwrap();
        let check = |hosts: &[&str]| {
            let each = |host: &&str| registry(serde_json::json!({"host": host, "user": "U", "token": "T"}));
            check_registries(&hosts.iter().map(each).collect::<Vec<_>>(), &released_to)
        };
        assert!(check(&["docker.io", "r.example.org"]).is_ok());
        for bad in [&["docker.io", "docker.io"][..], &["forge.example.org"], &["index.docker.io"]] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
        for user in [
            serde_json::json!({}),
            serde_json::json!({"user": "U", "user-name": "u"}),
            serde_json::json!({"user-name": ""}),
            serde_json::json!({"user-name": "a:b"}),
        ] {
            let mut json = serde_json::json!({"host": "docker.io", "token": "T"});
            json.as_object_mut().unwrap().extend(user.as_object().unwrap().clone());
            assert!(check_registries(&[registry(json.clone())], &released_to).is_err(), "{json}");
        }
    }

    #[test]
    fn an_empty_build_secret_is_reported_as_missing() {
        let names = ["NPM_TOKEN", "OTHER"].map(|name| VariableName::try_from(name.to_owned()).unwrap());
        let environment = Environment::from_pairs([("NPM_TOKEN", "npm-token-value"), ("OTHER", "")]);
        assert_eq!(build_secrets(&names, &environment).unwrap().err().unwrap(), ["OTHER"]);
        let all = build_secrets(&names[..1], &environment).unwrap().ok().unwrap();
        assert_eq!((all[0].0.as_str(), all[0].1.expose()), ("NPM_TOKEN", "npm-token-value"));
    }
}
