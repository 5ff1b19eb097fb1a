//! `cargo xtask release`: releases to the configured forge. A workflow and a person run the same command; the
//! provenance records which of the two it was.

use anyhow::{Context as _, Result};

use crate::evidence::provenance::{Invocation, RELEASE, RELEASE_WORKFLOW};
use crate::forge::forgejo::Forgejo;
use crate::http::Curl;
use crate::inputs::PUBLIC_KEY;
use crate::inputs::config::Config;
use crate::inputs::run::Run;
use crate::inputs::source::Source;
use crate::inputs::stand_in::StandIn;
use crate::process::Runner;
use crate::process::environment::Environment;
use crate::process::failure::refused;
use crate::process::progress::Steps;
use crate::process::progress::events::Event;
use crate::process::shown;
use crate::process::stderr;
use crate::process::stdout;
use crate::process::temp_dir::random_hex;
use crate::release::preflight;
use crate::release::secrets::Secrets;
use crate::release::target::Target;
use crate::release::unfinished;
use crate::release::{self, Outcome, Session};
use crate::tool::git::Git;

/// Releases `asked`, else the tag that the workflow was started for, else the tag at HEAD. `json` prints events instead
/// of text.
///
/// # Errors
/// As [`release::run`]; exit code 2 or 3 when the release cannot even begin.
pub fn run(environment: &Environment, asked: Option<&str>, json: bool) -> Result<()> {
    let released = release(environment, asked, json);
    if json
        && let Err(error) = &released
        && let Err(unprinted) = Event::failed(error).print()
    {
        // The reason for the failure is printed on standard error as well, and decides the exit code.
        stderr::line(format_args!("xtask: {unprinted:#}"));
    }
    released
}

fn release(environment: &Environment, asked: Option<&str>, json: bool) -> Result<()> {
    let runner = &Runner::new(environment);
    let git = Git::here(runner)?;
    let own = Config::of_head(&git)?;
    let run = Run::to_release(environment, &own, asked)?;
    let source = Source::to_release(&git, run.as_ref(), asked)?;
    let steps = Steps::new(environment)?;
    let steps = if json { steps.with_events() } else { steps };
    steps.line("release", &format!("{} at {}", source.tag, source.commit));
    preflight::check_disk()?;
    let config = Config::of_commit(&git, &source.commit)?;
    if run.is_none() && environment.runner("RUN_ID")?.is_some() {
        let detail = format!("this is no run of `{}`: the provenance says local run", own.source_url());
        steps.line("run", &detail);
    }
    let secrets = Secrets::to_release(environment, &own)?;
    let mut problems = secrets.problems.clone();
    problems.extend(secrets.check_others(environment, &own, &config).map_err(refused)?);
    problems.extend(secrets.check_hosts(environment, &own, &config).map_err(refused)?);
    if !problems.is_empty() {
        return Err(preflight::refusal(&problems));
    }
    let target = with_secrets(environment, runner, &config, &git, secrets, run.as_ref())?;
    let session = Session { runner, environment, git: &git, config: &config, steps: &steps };
    let outcome = release::run(&session, &target, &source)?;
    let reported = if json {
        report_event(&target, &source, &outcome).print()
    } else {
        report(&target, &source, &outcome, &steps)
    };
    reported.map_err(unfinished::after_the_end)
}

/// The target that `config` names, with whatever `secrets` there are. `doctor` checks the rest even when one is
/// missing.
///
/// # Errors
/// When the environment is invalid.
pub(crate) fn with_secrets(
    environment: &Environment,
    runner: &Runner,
    config: &Config,
    git: &Git,
    secrets: Secrets,
    run: Option<&Run>,
) -> Result<Target> {
    let curl = Curl::new(runner, config.timeouts.http());
    let token = secrets.keychain.token(&config.forge).cloned();
    Ok(Target {
        image: config.image()?,
        keychain: secrets.keychain,
        key: secrets.key,
        public_key: None,
        public_key_name: PUBLIC_KEY.to_owned(),
        is_throwaway: false,
        registry_remedy: "check that `REGISTRY_TOKEN` is right, has not expired and has the scope `write:package`, that its \
            account (`REGISTRY_USER`) may write packages there, and `image` in `Cargo.toml`",
        forge: Box::new(Forgejo::new(curl, git, config, token, run)),
        stand_ins: StandIn::of_environment(environment)?,
        cosign: "cosign".into(),
        invocation: invocation(config, run)?,
    })
}

fn invocation(config: &Config, run: Option<&Run>) -> Result<Invocation> {
    let value = |name: &str| run.and_then(|run| run.value(name)).map(str::to_owned);
    let (Some(run_id), Some(run_number)) = (value("RUN_ID"), value("RUN_NUMBER")) else {
        return Ok(Invocation::Local { command: RELEASE.to_owned(), nonce: random_hex()? });
    };
    let path = match value("WORKFLOW_REF") {
        Some(reference) => workflow_path(&reference, config)?.to_owned(),
        None => RELEASE_WORKFLOW.to_owned(),
    };
    let event = value("EVENT_NAME").unwrap_or_else(|| "push".to_owned());
    let attempt = value("RUN_ATTEMPT").unwrap_or_else(|| "1".to_owned());
    Ok(Invocation::Workflow { path, event, run_id, run_number, attempt })
}

/// The file in `owner/repo/.forgejo/workflows/x.yml@refs/tags/v1`; owner and repository must be the configured ones.
fn workflow_path<'a>(reference: &'a str, config: &Config) -> Result<&'a str> {
    let found = reference.split_once('@').and_then(|(file, _)| {
        let (owner, rest) = file.split_once('/')?;
        let (name, path) = rest.split_once('/')?;
        let is_ours = format!("{owner}/{name}").eq_ignore_ascii_case(&config.repository.to_string());
        (is_ours && !path.is_empty()).then_some(path)
    });
    found.with_context(|| {
        format!("reading `WORKFLOW_REF`: `{reference}` is no workflow of `{}`, such as `{}/{RELEASE_WORKFLOW}@refs/tags/v1.2.3`", config.repository, config.repository)
    })
}

fn report(target: &Target, source: &Source, outcome: &Outcome, steps: &Steps) -> Result<()> {
    stderr::line(format_args!("\n{}", steps.table()));
    let what = if outcome.was_finished { "finished before, nothing was changed" } else { "released" };
    let commands: String = outcome.commands.iter().map(|command| format!("{command}\n")).collect();
    stdout::print(&format!(
        "{what}: {} at {}\nimage   {}\ndigest  {}\npage    {}\n\n{commands}",
        source.tag,
        source.commit,
        target.image.tagged(&source.tag.registry_tag()),
        outcome.digest,
        shown::one_line(&outcome.page)
    ))
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
    use super::{invocation, workflow_path};
    use crate::evidence::provenance::Invocation;
    use crate::inputs::config::tests::example;
    use crate::inputs::run::Run;
    use crate::process::environment::Environment;

    #[test]
    fn the_workflows_path_is_read_from_its_reference() {
        let config = example();
        let reference = "acme/carol/.forgejo/workflows/x.yml@refs/tags/v0.2.0";
        assert_eq!(workflow_path(reference, &config).unwrap(), ".forgejo/workflows/x.yml");
        for bad in [
            "",
            "acme/carol",
            "acme/carol/x.yml",
            "acme/carol/@x",
            "acme/other/x.yml@x",
            "carol/acme/x.yml@x",
        ] {
            assert!(workflow_path(bad, &config).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_run_of_this_repository_is_a_workflow_and_anything_else_is_local() {
        let config = example();
        let gitea = Environment::from_pairs([("GITHUB_RUN_ID", "9"), ("GITHUB_RUN_NUMBER", "4")]);
        let invocation = |environment: &Environment| {
            invocation(&config, Run::of(environment, &config).unwrap().as_ref()).unwrap()
        };
        let ours = gitea
            .with([("GITHUB_SERVER_URL", "https://forge.example.org"), ("GITHUB_REPOSITORY", "acme/carol")]);
        let Invocation::Workflow { path, run_number, attempt, .. } = invocation(&ours) else {
            panic!("a run of this repository is a workflow");
        };
        assert_eq!(
            (path.as_str(), run_number.as_str(), attempt.as_str()),
            (".forgejo/workflows/release.yml", "4", "1")
        );
        for other in [
            Environment::default(),
            gitea.clone(),
            ours.with([("GITHUB_SERVER_URL", "https://github.com")]),
            ours.with([("GITHUB_REPOSITORY", "acme/other")]),
        ] {
            assert!(matches!(invocation(&other), Invocation::Local { .. }));
        }
    }
}
