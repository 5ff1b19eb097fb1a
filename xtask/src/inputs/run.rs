//! The workflow run that this process is part of, if the run belongs to the released repository. The variables of any
//! other run count for nothing: not its address, not its tag, not its number.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::inputs::config::Config;
use crate::process::environment::Environment;

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
    fn a_run_counts_where_server_and_repository_are_the_configured_ones() {
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
}
