//! The secrets of a release from the environment, and the problems with them.

use anyhow::Result;

use crate::build::missing_secrets;
use crate::forge::NO_TOKEN;
use crate::inputs::config::{self, Config};
use crate::inputs::credentials::{keychain, registry_of};
use crate::inputs::pin::document;
use crate::oci::keychain::Keychain;
use crate::process::environment::Environment;
use crate::process::problem::Problem;
use crate::process::secret::Secret;
use crate::tool::cosign::SigningKey;

const MAKE_TOKEN: &str = "make a token with `write:package` for an account that may write the packages of the owner, \
    and store it as the secret `REGISTRY_TOKEN`";

/// The signing key, and which credential may be sent to which host.
pub(crate) struct Secrets {
    /// `None` for a reader, or if a part of the key is missing.
    pub(crate) key: Option<SigningKey>,
    pub(crate) keychain: Keychain,
    pub(crate) problems: Vec<Problem>,
}

impl Secrets {
    /// The credentials of a reader; no signing key.
    pub(crate) fn to_read(keychain: Keychain) -> Self {
        Self { key: None, keychain, problems: Vec::new() }
    }

    /// All secrets in the environment. `own` is the configuration that the command was started with, not that of the
    /// released commit: it says which hosts the secrets are for.
    pub(crate) fn to_release(environment: &Environment, own: &Config) -> Result<Self> {
        let private_key = environment.secret("COSIGN_PRIVATE_KEY")?.filter(|key| !key.expose().is_empty());
        let password = environment.secret("COSIGN_PASSWORD")?;
        let token = environment.token("REGISTRY_TOKEN")?;
        let mut problems = Vec::new();
        let key =
            [("`COSIGN_PRIVATE_KEY`", private_key.is_none()), ("`COSIGN_PASSWORD`", password.is_none())];
        let unset: Vec<_> = key.into_iter().filter_map(|(name, is_unset)| is_unset.then_some(name)).collect();
        if !unset.is_empty() {
            let (names, is) = (unset.join(" and "), if unset.len() > 1 { "are" } else { "is" });
            let text = format!(
                "{names} {is} not set; use those of the release key, or make the first key with `cargo xtask keygen DIR`: {}",
                document!("keys.md#storing")
            );
            problems.push(Problem::new("signing key", text));
        }
        match &token {
            None => problems.push(Problem::new("registry", format!("`REGISTRY_TOKEN` is not set; {MAKE_TOKEN}"))),
            Some(token) if is_automatic(environment, token)? => problems.push(Problem::new(
                "registry",
                format!(
                    "`REGISTRY_TOKEN` is the automatic token of the run: the forge lets it log in, but refuses every \
                     package that it pushes; {MAKE_TOKEN}"
                ),
            )),
            Some(_) => {}
        }
        let key = private_key.zip(password).map(|(private, password)| SigningKey::new(private, password));
        Ok(Self { key, keychain: keychain(environment, own)?, problems })
    }

    /// What else has to be in the environment to release a commit with the configuration `released`: a token for the
    /// forge of `own`, and the build's secrets. No server is queried, so that every problem is listed at once.
    pub(crate) fn check_others(
        &self,
        environment: &Environment,
        own: &Config,
        released: &Config,
    ) -> Result<Vec<Problem>> {
        let mut problems = Vec::new();
        if self.keychain.token(&own.forge).is_none() {
            problems.push(Problem::new("forge token", NO_TOKEN));
        }
        let found = config::build_secrets(&released.build_secrets, environment)?;
        problems.extend(found.err().map(|names| Problem::new("build secrets", missing_secrets(&names))));
        Ok(problems)
    }

    /// The problems with sending the secrets to the hosts that the released commit names. The commit must not be able
    /// to choose them.
    pub(crate) fn check_hosts(
        &self,
        environment: &Environment,
        own: &Config,
        released: &Config,
    ) -> Result<Vec<Problem>> {
        let (ours, theirs) = (registry_of(environment, own)?, released.image()?.registry);
        let mut problems = Vec::new();
        if ours != theirs {
            let text = format!(
                "`REGISTRY_TOKEN` is for `{ours}`, and the commit's image belongs to `{theirs}`; set `REGISTRY={theirs}` if \
                 the token is for that one"
            );
            problems.push(Problem::new("registry", text));
        }
        if own.forge != released.forge {
            let text = format!(
                "`FORGEJO_TOKEN` is for `{}`, the `forge` of HEAD, and the commit's is `{}`; run the release from a checkout \
                 whose `Cargo.toml` names that one, if the token is for it",
                own.forge, released.forge
            );
            problems.push(Problem::new("forge token", text));
        }
        problems.extend(not_named(own, released).into_iter().map(|(check, asked)| {
            let text = format!(
                "the commit asks for {asked}, which `Cargo.toml` at HEAD does not name; if the commit may have it, check out its \
                 tag and run this again"
            );
            Problem::new(check, text)
        }));
        Ok(problems)
    }
}

/// Whether this is the token that the forge gives every run (docs/facts.md#automatic-token).
fn is_automatic(environment: &Environment, token: &Secret) -> Result<bool> {
    if environment.runner("RUN_ID")?.is_none() {
        return Ok(false);
    }
    for name in ["FORGEJO_TOKEN", "GITEA_TOKEN", "GITHUB_TOKEN"] {
        if environment.get(name)? == Some(token.expose()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The logins and build secrets that `released` asks for and `own` does not name.
fn not_named(own: &Config, released: &Config) -> Vec<(&'static str, String)> {
    let logins = released.registries.iter().filter(|asked| !own.names_login(asked));
    let secrets = released.build_secrets.iter().filter(|asked| !own.build_secrets.contains(asked));
    let logins = logins.map(|asked| ("login", format!("the login {asked} (`registries`)")));
    let secrets = secrets.map(|asked| ("build secrets", format!("the secret `{asked}` (`build-secrets`)")));
    logins.chain(secrets).collect()
}

#[cfg(test)]
mod tests {
    use super::Secrets;
    use crate::inputs::config::Config;
    use crate::inputs::config::tests::{example, example_with};
    use crate::inputs::credentials::keychain;
    use crate::process::environment::Environment;

    fn problems(environment: &Environment) -> String {
        let own = example_with("build-secrets = [\"NPM_TOKEN\"]");
        let secrets = Secrets::to_release(environment, &own).unwrap();
        let others = secrets.check_others(environment, &own, &own).unwrap();
        secrets.problems.iter().chain(&others).map(|problem| format!("{}\n", problem.text)).collect()
    }

    #[test]
    fn missing_secrets_are_all_named_at_once() {
        let text = problems(&Environment::default());
        for name in [
            "`COSIGN_PRIVATE_KEY` and `COSIGN_PASSWORD` are",
            "`REGISTRY_TOKEN`",
            "`FORGEJO_TOKEN`",
            "`NPM_TOKEN`",
        ] {
            assert!(text.contains(name), "expected {name} in:\n{text}");
        }
        let half = problems(&Environment::from_pairs([("COSIGN_PRIVATE_KEY", "key-material")]));
        assert!(half.starts_with("`COSIGN_PASSWORD` is not set"), "{half}");
    }

    #[test]
    fn the_automatic_token_is_refused_with_what_to_make_instead() {
        let environment = Environment::from_pairs([
            ("GITHUB_RUN_ID", "9"),
            ("GITHUB_TOKEN", "automatic-token"),
            ("REGISTRY_TOKEN", "automatic-token"),
            ("COSIGN_PRIVATE_KEY", "key-material"),
            ("COSIGN_PASSWORD", ""),
            ("FORGEJO_TOKEN", "made-by-hand"),
            ("NPM_TOKEN", "for-packages"),
        ]);
        let text = problems(&environment);
        assert!(text.contains("automatic token of the run") && text.contains("write:package"), "{text}");
        assert!(!text.contains("automatic-token"), "{text}");
        assert_eq!(problems(&environment.with([("REGISTRY_TOKEN", "another-token")])), "");
    }

    /// The registry in `REGISTRY` is the one that holds the image, even if it is reached without TLS. Only the
    /// configuration that the command was started with can allow that, not the one in the commit.
    #[test]
    fn only_the_configuration_at_hand_can_allow_plain_http_for_the_registry() {
        let environment =
            Environment::from_pairs([("REGISTRY_TOKEN", "one-token"), ("REGISTRY", "192.168.1.10:3000")]);
        let (with_tls, without) = (
            example_with("image = \"192.168.1.10:3000/acme/carol\""),
            example_with("image = \"192.168.1.10:3000/acme/carol\"\nplain-http = [\"192.168.1.10:3000\"]"),
        );
        let accepts = |own: &Config, released: &Config| {
            let secrets = Secrets::to_release(&environment, own).unwrap();
            let problems = secrets.check_hosts(&environment, own, released).unwrap();
            let registry = released.image().unwrap().registry;
            problems.is_empty() && keychain(&environment, own).unwrap().credentials(&registry).is_some()
        };
        assert!(accepts(&without, &without) && accepts(&with_tls, &with_tls));
        assert!(!accepts(&with_tls, &without), "the token would cross the network in the clear");
    }

    #[test]
    fn tokens_go_to_the_hosts_of_the_configuration_at_hand_and_not_of_the_commit() {
        let environment =
            Environment::from_pairs([("REGISTRY_TOKEN", "one-token"), ("FORGEJO_TOKEN", "other-token")]);
        let (own, elsewhere) = (example(), example_with("image = \"evil.example.org/acme/carol\""));
        let chain = keychain(&environment, &own).unwrap();
        assert!(chain.credentials(&own.image().unwrap().registry).is_some());
        assert!(chain.credentials(&elsewhere.image().unwrap().registry).is_none());
        let problems = |environment: &Environment| {
            let secrets = Secrets::to_release(environment, &own).unwrap();
            secrets.check_hosts(environment, &own, &elsewhere).unwrap()
        };
        let [problem] = &problems(&environment)[..] else { panic!("one problem was expected") };
        assert!(problem.text.contains("`REGISTRY=evil.example.org`"), "{}", problem.text);
        let named = environment.with([("REGISTRY", "evil.example.org")]);
        assert!(problems(&named).is_empty(), "the person named that registry");
        assert!(keychain(&named, &own).unwrap().credentials(&elsewhere.image().unwrap().registry).is_some());
        let mut moved = example();
        moved.forge = "https://other.example.org".to_owned().try_into().unwrap();
        let secrets = Secrets::to_release(&environment, &own).unwrap();
        let [registry, forge] = &secrets.check_hosts(&environment, &own, &moved).unwrap()[..] else {
            panic!("two problems were expected")
        };
        assert_eq!((registry.check, forge.check), ("registry", "forge token"));
    }

    #[test]
    fn a_commit_gets_only_logins_and_secrets_that_the_configuration_at_hand_names() {
        let asking = |host: &str, secret: &str| {
            let registry = format!("[{{ host = \"{host}\", user-name = \"x\", token = \"BASE_TOKEN\" }}]");
            example_with(&format!("registries = {registry}\nbuild-secrets = [\"{secret}\"]"))
        };
        let environment = Environment::from_pairs([("REGISTRY_TOKEN", "one-token")]);
        let own = asking("base.example.org", "NPM_TOKEN");
        let secrets = Secrets::to_release(&environment, &own).unwrap();
        let checks = |released: &Config| {
            let problems = secrets.check_hosts(&environment, &own, released).unwrap();
            problems.into_iter().map(|problem| problem.check).collect::<Vec<_>>()
        };
        assert_eq!(checks(&own), [""; 0]);
        assert_eq!(checks(&example()), [""; 0], "it asks for less");
        assert_eq!(checks(&asking("evil.example.org", "NPM_TOKEN")), ["login"]);
        assert_eq!(checks(&asking("base.example.org", "AWS_SECRET")), ["build secrets"]);
    }
}
