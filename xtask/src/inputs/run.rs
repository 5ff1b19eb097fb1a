//! The workflow run that this process is part of, if the run belongs to the released repository. The variables of any
//! other run are ignored: its address, its tag and its number.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::inputs::config::Config;
use crate::process::environment::Environment;
use crate::refuse;

/// The variables of a run.
const NAMES: [&str; 9] = [
    "API_URL",
    "EVENT_NAME",
    "REF_NAME",
    "REF_TYPE",
    "RUN_ATTEMPT",
    "RUN_ID",
    "RUN_NUMBER",
    "WORKFLOW",
    "WORKFLOW_REF",
];

/// A run of this repository's workflows.
pub struct Run {
    values: BTreeMap<&'static str, String>,
}

impl Run {
    /// The run that `environment` describes, if its server and repository are those of `config`.
    ///
    /// # Errors
    /// When a variable is not UTF-8.
    pub fn of(environment: &Environment, config: &Config) -> Result<Option<Self>> {
        let (server, repository) = (environment.runner("SERVER_URL")?, environment.runner("REPOSITORY")?);
        let (Some(server), Some(repository)) = (server, repository) else { return Ok(None) };
        let named = format!("{}/{repository}", server.trim_end_matches('/'));
        if !named.eq_ignore_ascii_case(&config.source_url()) {
            return Ok(None);
        }
        let mut values = BTreeMap::new();
        for name in NAMES {
            if let Some(value) = environment.runner(name)? {
                values.insert(name, value.to_owned());
            }
        }
        Ok(Some(Self { values }))
    }

    /// The run whose tag is released, unless the command line names a tag, `named`.
    ///
    /// # Errors
    /// A [`crate::process::failure::Refusal`] when `named` is `None` and the run's own tag is ignored because of
    /// [`Run::other_address`]; also when a variable is not UTF-8.
    pub fn to_release(
        environment: &Environment,
        config: &Config,
        named: Option<&str>,
    ) -> Result<Option<Self>> {
        if named.is_none()
            && let Some(words) = Self::other_address(environment, config)?
        {
            refuse!("{words}; or name the tag: `target/debug/xtask release v0.1.0`");
        }
        Self::of(environment, config)
    }

    /// The problem if `environment` describes a run of the repository of `config` on a server with another address than
    /// `forge`: a runner names the forge by the address with which it was registered. `None` if there is no problem.
    ///
    /// # Errors
    /// When a variable is not UTF-8.
    pub fn other_address(environment: &Environment, config: &Config) -> Result<Option<String>> {
        let (server, repository) = (environment.runner("SERVER_URL")?, environment.runner("REPOSITORY")?);
        let (Some(server), Some(repository)) = (server, repository) else { return Ok(None) };
        let is_ours = repository.eq_ignore_ascii_case(&config.repository.to_string());
        if !is_ours || environment.runner("RUN_ID")?.is_none() || Self::of(environment, config)?.is_some() {
            return Ok(None);
        }
        Ok(Some(format!(
            "this is a run of `{repository}` on `{server}`, and `forge` is `{}`, so its tag and its number do not \
             count; register the runner with the address in `forge`",
            config.forge
        )))
    }

    /// The value of a runner's variable, by its name without `FORGEJO_` or `GITHUB_`.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::Run;
    use crate::process::environment::Environment;

    #[test]
    fn a_run_is_used_only_if_its_server_and_repository_are_the_configured_ones() {
        let config = crate::inputs::config::tests::example();
        let run = |pairs: &[(&str, &str)]| {
            let environment = Environment::from_pairs(pairs.iter().copied()).with([("GITHUB_RUN_ID", "9")]);
            Run::of(&environment, &config).unwrap().map(|run| run.value("RUN_ID").map(str::to_owned))
        };
        let (server, repository) =
            (("GITHUB_SERVER_URL", "https://forge.example.org"), ("GITHUB_REPOSITORY", "acme/carol"));
        assert_eq!(run(&[server, repository]), Some(Some("9".to_owned())));
        assert!(
            run(&[("GITHUB_SERVER_URL", "https://forge.example.org/"), ("FORGEJO_REPOSITORY", "Acme/carol")])
                .is_some()
        );
        for other in [
            &[] as &[_],
            &[server],
            &[repository],
            &[("GITHUB_SERVER_URL", "https://github.com"), repository],
            &[server, ("GITHUB_REPOSITORY", "acme/other")],
            &[("FORGEJO_SERVER_URL", "https://elsewhere.example.org"), server, repository],
        ] {
            assert!(run(other).is_none(), "{other:?}");
        }
    }

    #[test]
    fn a_run_on_another_address_of_the_forge_needs_a_tag_on_the_command_line() {
        let config = crate::inputs::config::tests::example();
        let run = |server: &str, repository: &str, id: &str, named: Option<&str>| {
            let environment = Environment::from_pairs([
                ("GITHUB_SERVER_URL", server),
                ("GITHUB_REPOSITORY", repository),
                ("GITHUB_RUN_ID", id),
                ("GITHUB_REF_TYPE", "tag"),
                ("GITHUB_REF_NAME", "v0.1.0"),
            ]);
            Run::to_release(&environment, &config, named).map(|run| run.is_some())
        };
        let (public, internal) = ("https://forge.example.org", "http://forgejo:3000");
        let refused = run(internal, "Acme/carol", "9", None).unwrap_err();
        assert!(refused.is::<crate::process::failure::Refusal>());
        let words = refused.to_string();
        for part in [public, internal, "register the runner", "release v0.1.0"] {
            assert!(words.contains(part), "{words}");
        }
        assert!(run(public, "acme/carol", "9", None).unwrap());
        for (server, repository, id, named) in [
            (internal, "acme/carol", "9", Some("v0.1.0")),
            (internal, "acme/other", "9", None),
            (internal, "acme/carol", "", None),
            ("", "acme/carol", "9", None),
        ] {
            assert!(!run(server, repository, id, named).unwrap(), "{server} {repository} {id} {named:?}");
        }
    }
}
