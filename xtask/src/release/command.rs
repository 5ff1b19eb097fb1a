//! `cargo xtask release`: the release to the configured forge, by its workflow or by a person. The same command for both;
//! the provenance says which.

use anyhow::{Context as _, Result};

use crate::config::Config;
use crate::environment::Environment;
use crate::failure::refused;
use crate::forge::forgejo::Forgejo;
use crate::inputs::PUBLIC_KEY;
use crate::progress::Steps;
use crate::progress::events::Event;
use crate::provenance::{Invocation, RELEASE, RELEASE_WORKFLOW};
use crate::registry::Credentials;
use crate::release::preflight::{self, Problem};
use crate::release::source::Source;
use crate::release::target::Target;
use crate::release::{self, Outcome, Session};
use crate::scratch::random_hex;
use crate::secret::Secret;
use crate::tool::Runner;
use crate::tool::cosign::SigningKey;
use crate::tool::curl::Curl;
use crate::tool::git::Git;

/// Releases `asked`, or the tag that the workflow was started for, or the tag at HEAD; `json` prints events in place of
/// text.
///
/// # Errors
/// As [`release::run`]; exit code 2 or 3 when it cannot even begin.
pub fn run(environment: &Environment, asked: Option<&str>, json: bool) -> Result<()> {
    let released = release(environment, asked, json);
    if json && let Err(error) = &released {
        Event::failed(error).print()?;
    }
    released
}

fn release(environment: &Environment, asked: Option<&str>, json: bool) -> Result<()> {
    let runner = &Runner::new(environment);
    let here = std::env::current_dir().context("finding the current directory")?;
    let git = Git::discover(runner, &here)?;
    let source = Source::to_release(&git, environment, asked)?;
    let steps = Steps::new(environment)?;
    let steps = if json { steps.with_events() } else { steps };
    steps.line("release", &format!("{} at {}", source.tag, source.commit));
    preflight::check_disk()?;
    let config = Config::of_commit(&git, &source.commit).map_err(refused)?;
    let target = target(environment, runner, &config, &git)?;
    let session = Session { runner, environment, git: &git, config: &config, steps: &steps };
    let outcome = release::run(&session, &target, &source)?;
    if json {
        report_event(&target, &source, &outcome).print()
    } else {
        report(&target, &source, &outcome, &steps)
    }
}

/// The configured forge and the secrets for it; everything that is missing is said at once.
fn target(environment: &Environment, runner: &Runner, config: &Config, git: &Git) -> Result<Target> {
    let secrets = Secrets::read(environment, config)?;
    match secrets.problems.as_slice() {
        [] => with_secrets(environment, runner, config, git, secrets),
        problems => Err(preflight::refusal(problems)),
    }
}

/// The target with whatever secrets there are: `doctor` looks at the rest even when one is missing.
///
/// # Errors
/// When the environment holds something that cannot be meant.
pub(crate) fn with_secrets(
    environment: &Environment,
    runner: &Runner,
    config: &Config,
    git: &Git,
    secrets: Secrets,
) -> Result<Target> {
    let curl = Curl::new(runner, config.timeouts.http());
    Ok(Target {
        image: config.image()?,
        credentials: secrets.credentials,
        key: secrets.key,
        public_key: None,
        public_key_name: PUBLIC_KEY.to_owned(),
        registry_remedy: "set `REGISTRY_USER` and `REGISTRY_TOKEN` to an account that may write packages there, and check \
            `image` in `Cargo.toml`",
        forge: Box::new(Forgejo::new(environment, curl, git, config)?),
        stand_in: environment.get("TESTBED_BASE_STAND_IN")?.map(str::to_owned),
        cosign: "cosign".into(),
        invocation: invocation(environment)?,
    })
}

/// What the environment has of the secrets, and what is wrong with them.
pub(crate) struct Secrets {
    key: SigningKey,
    credentials: Option<Credentials>,
    pub(crate) problems: Vec<Problem>,
}

impl Secrets {
    pub(crate) fn read(environment: &Environment, config: &Config) -> Result<Self> {
        const MAKE_TOKEN: &str = "make a token with `write:package` for an account that may write the packages of the \
            owner, and store it as the secret `REGISTRY_TOKEN`";
        let private_key = environment.secret("COSIGN_PRIVATE_KEY")?.filter(|key| !key.expose().is_empty());
        let password = environment.secret("COSIGN_PASSWORD")?;
        let token = environment.token("REGISTRY_TOKEN")?;
        let mut problems = Vec::new();
        if private_key.is_none() || password.is_none() {
            let text = "`COSIGN_PRIVATE_KEY` or `COSIGN_PASSWORD` is not set; make them with `cargo xtask keygen DIR`, and store them as docs/keys.md says";
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
        let user = environment.get("REGISTRY_USER")?.unwrap_or(&config.repository.owner).to_owned();
        let none = || Secret::new("");
        let key = SigningKey {
            private_key: private_key.unwrap_or_else(none),
            password: password.unwrap_or_else(none),
        };
        Ok(Self { key, credentials: token.map(|password| Credentials::new(user, password)), problems })
    }
}

/// Whether it is the token that the forge gives every run (docs/facts.md#automatic-token).
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

fn invocation(environment: &Environment) -> Result<Invocation> {
    let value = |suffix: &str| Ok::<_, anyhow::Error>(environment.runner(suffix)?.map(str::to_owned));
    let (Some(run_id), Some(run_number)) = (value("RUN_ID")?, value("RUN_NUMBER")?) else {
        return Ok(Invocation::Local { command: RELEASE.to_owned(), nonce: random_hex()? });
    };
    Ok(Invocation::Workflow {
        path: environment
            .runner("WORKFLOW_REF")?
            .and_then(workflow_path)
            .unwrap_or(RELEASE_WORKFLOW)
            .to_owned(),
        event: value("EVENT_NAME")?.unwrap_or_else(|| "push".to_owned()),
        run_id,
        run_number,
        attempt: value("RUN_ATTEMPT")?.unwrap_or_else(|| "1".to_owned()),
    })
}

/// The file in `owner/repo/.forgejo/workflows/x.yml@refs/tags/v1`.
fn workflow_path(reference: &str) -> Option<&str> {
    let path = reference.split_once('@')?.0.splitn(3, '/').nth(2)?;
    (!path.is_empty()).then_some(path)
}

#[expect(clippy::print_stdout, reason = "this is the command's data")]
fn report(target: &Target, source: &Source, outcome: &Outcome, steps: &Steps) -> Result<()> {
    eprintln!("\n{}", steps.table());
    let what = if outcome.was_finished { "finished before, nothing was changed" } else { "released" };
    println!("{what}: {} at {}", source.tag, source.commit);
    println!("image   {}", target.image.tagged(&source.tag.registry_tag()));
    println!("digest  {}", outcome.digest);
    println!("page    {}", outcome.page);
    println!();
    for command in &outcome.commands {
        println!("{command}");
    }
    Ok(())
}

fn report_event<'a>(target: &Target, source: &'a Source, outcome: &'a Outcome) -> Event<'a> {
    Event::Released {
        tag: source.tag.to_string(),
        commit: source.commit.as_str(),
        image: target.image.tagged(&source.tag.registry_tag()),
        digest: outcome.digest.as_str(),
        page: &outcome.page,
        commands: outcome.commands.iter().map(ToString::to_string).collect(),
        finished_before: outcome.was_finished,
    }
}

#[cfg(test)]
mod tests {
    use super::{Secrets, invocation, workflow_path};
    use crate::environment::Environment;
    use crate::provenance::Invocation;

    fn config() -> crate::config::Config {
        serde_json::from_value(serde_json::json!({
            "forge": "https://forge.example.org", "repository": "acme/carol", "title": "carol",
            "description": "a service", "licenses": "MIT", "platforms": ["linux/amd64"],
            "branches": ["main"], "smoke": {"port": 3000, "health": "/healthz", "version": "/version"},
        }))
        .unwrap()
    }

    #[test]
    fn the_workflow_is_told_from_its_reference() {
        let reference = "acme/carol/.forgejo/workflows/x.yml@refs/tags/v0.2.0";
        assert_eq!(workflow_path(reference), Some(".forgejo/workflows/x.yml"));
        for bad in ["", "acme/carol", "acme/carol/x.yml", "acme/carol/@x"] {
            assert_eq!(workflow_path(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_run_of_either_forge_is_a_workflow_and_anything_else_a_person() {
        let gitea = Environment::from_pairs([("GITHUB_RUN_ID", "9"), ("GITHUB_RUN_NUMBER", "4")]);
        let Invocation::Workflow { path, run_number, attempt, .. } = invocation(&gitea).unwrap() else {
            panic!("a run number is a workflow");
        };
        assert_eq!(
            (path.as_str(), run_number.as_str(), attempt.as_str()),
            (".forgejo/workflows/release.yml", "4", "1")
        );
        assert!(matches!(invocation(&Environment::default()).unwrap(), Invocation::Local { .. }));
    }

    fn problems(environment: &Environment) -> String {
        let secrets = Secrets::read(environment, &config()).unwrap();
        secrets.problems.iter().map(|problem| format!("{}\n", problem.text)).collect()
    }

    #[test]
    fn missing_secrets_are_all_named_at_once() {
        let text = problems(&Environment::default());
        assert!(text.contains("COSIGN_PRIVATE_KEY") && text.contains("REGISTRY_TOKEN"), "{text}");
    }

    #[test]
    fn the_automatic_token_is_refused_with_what_to_make_instead() {
        let environment = Environment::from_pairs([
            ("GITHUB_RUN_ID", "9"),
            ("GITHUB_TOKEN", "automatic-token"),
            ("REGISTRY_TOKEN", "automatic-token"),
            ("COSIGN_PRIVATE_KEY", "key-material"),
            ("COSIGN_PASSWORD", ""),
        ]);
        let text = problems(&environment);
        assert!(text.contains("automatic token of the run") && text.contains("write:package"), "{text}");
        assert!(!text.contains("automatic-token"), "{text}");
        assert_eq!(problems(&environment.with([("REGISTRY_TOKEN", "another-token")])), "");
    }
}
