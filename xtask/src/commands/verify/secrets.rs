//! Which secrets of the environment `verify --rebuild` uses, and whether it builds at all. The commit that is verified
//! names the hosts that get a login and the variables that its build reads, and nobody has vouched for it yet. So a
//! name counts only with `--login`, and only if the configuration that the command was started with has it too.

use anyhow::Result;

use crate::evidence::claims;
use crate::inputs::config::{BaseRegistry, Config, VariableName};
use crate::inputs::pin::document;
use crate::verify::claim::{Claim, Verdict};

use super::options::Options;
use super::subject::Repository;

/// The secrets that a commit may ask for.
pub(super) enum Allowed {
    /// None, because there is no `--login`.
    WithoutLogin,
    /// None, because the only configuration is that of the repository at `--source`.
    Elsewhere,
    /// Those that the checkout's own configuration names.
    Named(Box<Config>),
}

impl Allowed {
    /// What `options` allow in `repository`.
    ///
    /// # Errors
    /// When the checkout's configuration is needed and cannot be read.
    pub(super) fn of(options: &Options, repository: &Repository) -> Result<Self> {
        if !(options.rebuild && options.login) {
            return Ok(Self::WithoutLogin);
        }
        if !repository.is_here() {
            return Ok(Self::Elsewhere);
        }
        Ok(Self::Named(Box::new(repository.own_config()?)))
    }

    fn registry(&self, asked: &BaseRegistry) -> bool {
        matches!(self, Self::Named(own) if own.names_login(asked))
    }

    fn build_secret(&self, asked: &VariableName) -> bool {
        matches!(self, Self::Named(own) if own.build_secrets.contains(asked))
    }

    /// `config` with no other login than the allowed ones, and the hosts that are therefore queried without one.
    pub(super) fn logins(&self, config: &Config) -> (Config, Vec<String>) {
        let mut config = config.clone();
        let left_out = config.registries.extract_if(.., |asked| !self.registry(asked));
        let hosts = left_out.map(|asked| asked.host.to_string()).collect();
        (config, hosts)
    }

    /// Why a host is queried without a login.
    pub(super) const fn why_without_login(&self) -> &'static str {
        match self {
            Self::WithoutLogin => "there is no `--login`",
            Self::Elsewhere => "with `--source` nobody gets one",
            Self::Named(_) => "`registries` in your work tree has no such entry",
        }
    }

    /// Why the commit with `config` is not built, if it is not: the secrets that it asks for, or a claim about it.
    pub(super) fn why_not_built(&self, config: &Config, claims: &[Claim]) -> Option<String> {
        self.why_refused(config).or_else(|| why_doubtful(claims, !config.build_secrets.is_empty()))
    }

    fn why_refused(&self, config: &Config) -> Option<String> {
        let secrets = config.build_secrets.iter().filter(|asked| !self.build_secret(asked));
        let secrets: Vec<_> = secrets.map(|name| format!("`{name}`")).collect();
        // A build often works without a login, so a missing one prevents it only where adding an entry would help.
        let logins = config.registries.iter().filter(|asked| !self.registry(asked));
        let logins: Vec<_> = logins.map(BaseRegistry::to_string).collect();
        match self {
            Self::WithoutLogin if !secrets.is_empty() => Some(format!(
                "not built: the build reads {} as secrets (`build-secrets`), and without `--login` it gets none; set them and \
                 add `--login`",
                secrets.join(", ")
            )),
            Self::Elsewhere if !secrets.is_empty() => Some(format!(
                "not built: the build reads {} as secrets (`build-secrets`), and with `--source` it gets none; clone the \
                 repository, read its `Cargo.toml`, and verify in the clone",
                secrets.join(", ")
            )),
            Self::Named(_) if !(secrets.is_empty() && logins.is_empty()) => {
                let asked: Vec<_> = [("build-secrets", secrets), ("registries", logins)]
                    .into_iter()
                    .filter(|(_, names)| !names.is_empty())
                    .map(|(key, names)| format!("`{key}`: {}", names.join(", ")))
                    .collect();
                Some(format!(
                    "not built: the commit asks for secrets that `Cargo.toml` in your work tree does not name: {}; if the commit \
                     may have them, add the same entries to your `Cargo.toml`, then verify again",
                    asked.join("; ")
                ))
            }
            _ => None,
        }
    }
}

/// Why a commit of doubtful origin is not built: its author must get neither a build on this machine nor a secret. A
/// build with secrets requires that every claim about the commit holds; one without secrets, only that none is false.
/// After the loss of a key, the claim about its continuity is false for ever; it is ignored if the reader gives the
/// key with `--key`, and so knows it from elsewhere.
fn why_doubtful(claims: &[Claim], has_secrets: bool) -> Option<String> {
    let is_key_known = claims.iter().any(|claim| claim.id == claims::KEY && claim.verdict == Verdict::Holds);
    let is_about_source = |id| match id {
        claims::KEY => true,
        claims::KEY_CONTINUITY => !is_key_known,
        _ => claims::OF_SOURCE.contains(&id) || claims::OF_KEYS.contains(&id),
    };
    let least = if has_secrets { Verdict::Unchecked } else { Verdict::False };
    let doubtful = claims.iter().filter(|claim| is_about_source(claim.id) && claim.verdict >= least);
    let worst = doubtful.max_by_key(|claim| claim.verdict)?;
    Some(format!(
        "not built: `{}` {}, and a build runs what the commit says; clear that up first, or build it by hand \
         ({})",
        worst.id,
        worst.verdict,
        document!("reproducible.md#check-it-yourself")
    ))
}

#[cfg(test)]
mod tests {
    use super::{Allowed, why_doubtful};
    use crate::evidence::claims;
    use crate::inputs::config::{BaseRegistry, Config, tests::example};
    use crate::verify::claim::{Claim, Unavailable};

    /// A configuration with registries, as host, user and token, and with build secrets.
    fn config(registries: &[(&str, &str, &str)], secrets: &[&str]) -> Config {
        let registry = |(host, user, token): &(&str, &str, &str)| -> BaseRegistry {
            let json = serde_json::json!({"host": host, "user": user, "token": token});
            serde_json::from_value(json).unwrap()
        };
        let name = |name: &&str| (*name).to_owned().try_into().unwrap();
        let mut config = example();
        config.registries = registries.iter().map(registry).collect();
        config.build_secrets = secrets.iter().map(name).collect();
        config
    }

    fn named(config: Config) -> Allowed {
        Allowed::Named(Box::new(config))
    }

    const HUB: (&str, &str, &str) = ("docker.io", "HUB_USER", "HUB_TOKEN");

    #[test]
    fn a_commit_cannot_name_new_login_hosts_or_secret_variables() {
        let own = named(config(&[HUB], &["NPM_TOKEN"]));
        let evil = [
            ("evil.example", HUB.1, HUB.2),
            (HUB.0, HUB.1, "AWS_SECRET_ACCESS_KEY"),
            (HUB.0, "AWS_SECRET_ACCESS_KEY", HUB.2),
        ];
        for asked in evil {
            let (kept, left_out) = own.logins(&config(&[asked], &[]));
            assert!(kept.registries.is_empty() && left_out == [asked.0], "{asked:?}");
            let why = own.why_not_built(&config(&[asked], &[]), &[]).unwrap();
            for words in ["`registries`", asked.0, asked.2, "add the same entries"] {
                assert!(why.contains(words), "{why}");
            }
        }
        let why = own.why_not_built(&config(&[HUB], &["NPM_TOKEN", "AWS_SECRET_ACCESS_KEY"]), &[]).unwrap();
        assert!(why.contains("`AWS_SECRET_ACCESS_KEY`") && !why.contains("`NPM_TOKEN`"), "{why}");
        let same = config(&[HUB], &["NPM_TOKEN"]);
        assert_eq!(own.logins(&same).0.registries, same.registries);
        assert_eq!(own.why_not_built(&same, &[]), None);
        assert_eq!(own.why_not_built(&config(&[], &[]), &[]), None);
    }

    #[test]
    fn without_login_or_with_source_logins_are_dropped_and_build_secrets_refused() {
        for (allowed, remedy) in
            [(Allowed::WithoutLogin, "add `--login`"), (Allowed::Elsewhere, "verify in the clone")]
        {
            let (kept, left_out) = allowed.logins(&config(&[HUB], &[]));
            assert!(kept.registries.is_empty() && left_out == [HUB.0]);
            assert_eq!(allowed.why_not_built(&config(&[HUB], &[]), &[]), None);
            let why = allowed.why_not_built(&config(&[HUB], &["NPM_TOKEN"]), &[]).unwrap();
            assert!(why.contains("`NPM_TOKEN`") && why.contains(remedy), "{why}");
        }
    }

    #[test]
    fn nothing_is_built_from_a_commit_of_doubtful_origin() {
        let claim = |id, unseen: &Unavailable| Claim::unavailable(id, unseen);
        let (wrong, away) = (Unavailable::Invalid("no".to_owned()), Unavailable::Transient("503".to_owned()));
        for id in [
            claims::SOURCE_BRANCH,
            claims::TAG_SIGNED,
            claims::KEY_HISTORY,
            claims::KEY_CONTINUITY,
            claims::KEY,
        ] {
            let why = why_doubtful(&[claim(id, &wrong)], false).unwrap();
            assert!(why.contains(&format!("`{id}` is false")), "{why}");
            assert_eq!(why_doubtful(&[claim(id, &away)], false), None, "{id}");
            let why = why_doubtful(&[claim(id, &away)], true).unwrap();
            assert!(why.contains(&format!("`{id}` could not be checked")), "{why}");
        }
        let known = Claim::judge(claims::KEY, &Ok(()), |()| Ok(String::new()));
        for (id, is_built) in
            [(claims::KEY_CONTINUITY, true), (claims::KEY_HISTORY, false), (claims::SOURCE_BRANCH, false)]
        {
            assert_eq!(why_doubtful(&[known.clone(), claim(id, &wrong)], true).is_none(), is_built, "{id}");
        }
        // A false claim about the image prevents no build: the rebuild tells an honest image from a forged one.
        assert_eq!(why_doubtful(&[claim(claims::SIGNATURE, &wrong)], true), None);
    }
}
