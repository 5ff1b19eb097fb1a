//! `cargo xtask release --plan`: what the same command without `--plan` would do, and the problems that would stop it
//! on any machine and with any account. It only reads.

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::commands::doctor::{conclude, told};
use crate::commands::release::with_secrets;
use crate::inputs::Inputs;
use crate::inputs::config::Config;
use crate::inputs::credentials::keychain;
use crate::inputs::release::Release;
use crate::inputs::run::Run;
use crate::inputs::source::Source;
use crate::oci::reference::Digest;
use crate::process::Runner;
use crate::process::environment::Environment;
use crate::process::problem::Problem;
use crate::process::progress::Steps;
use crate::process::secret::redact;
use crate::process::shown;
use crate::process::stdout;
use crate::refuse;
use crate::release::plan::{Action, Facts, Plan};
use crate::release::preflight;
use crate::release::secrets::Secrets;
use crate::release::state::{self, Public, State};
use crate::release::step::Step;
use crate::release::{Context, Session, Tools};
use crate::tool::docker::DockerConfig;
use crate::tool::git::Git;

/// The `--json` document. `schema` changes when a field does.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    tag: String,
    commit: &'a str,
    image: String,
    digest: Option<&'a Digest>,
    facts: &'a Facts,
    steps: Vec<Row>,
    problems: Vec<Wrong>,
}

/// A problem that would stop the release.
#[derive(Serialize)]
struct Wrong {
    check: &'static str,
    text: String,
    transient: bool,
}

#[derive(Serialize)]
struct Row {
    step: &'static str,
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// Says what a plan does not check.
const NOT_LOOKED_AT: &str = "not looked at: this machine, its secrets and the base images (`target/debug/xtask doctor` does), and what only a \
    build shows";

/// Prints the plan for `asked`, or for the tag at HEAD. It only reads, and needs a secret only for what is not
/// public. If the image is not there yet, it also prints the problems that would stop its release.
///
/// # Errors
/// A [`crate::process::failure::Refusal`] when a step is in conflict or the release would be refused;
/// [`crate::process::failure::Transient`] if all problems are transient; other errors when a server or tool does not
/// answer.
pub fn run(environment: &Environment, asked: Option<&str>, json: bool) -> Result<()> {
    let runner = &Runner::new(environment);
    let git = &Git::here(runner)?;
    let own = Config::of_head(git)?;
    let run = Run::to_release(environment, &own, asked)?;
    let source = &Source::to_release(git, run.as_ref(), asked)?;
    let config = &Config::of_commit(git, &source.commit)?;
    let inputs = &Inputs::of_commit(git, &source.commit, config)?;
    // Only for reading: a missing secret is no problem here, and a secret for another host is not sent.
    let secrets = Secrets::to_read(keychain(environment, &own)?);
    let target = &with_secrets(environment, runner, config, git, secrets, run.as_ref())?;
    let steps = &Steps::new(environment)?;
    let session = &Session { runner, environment, git, config, steps };
    let login = DockerConfig::new(environment, target.login())?;
    let anonymous = DockerConfig::new(environment, None)?;
    let tools = &Tools::new(session, target, &login, &anonymous);
    let context = &Context::new(session, tools, target, source, inputs)?;

    let digest = tools.registry.digest_of(&source.tag.registry_tag())?;
    let (facts, public) = match &digest {
        Some(digest) => {
            let State { facts, public, .. } = State::of_public(context, digest)?;
            (facts, Some(public))
        }
        None => (state::of_unreleased(context)?, None),
    };
    let plan = Plan::of(&facts);
    let looked = if plan.does(Step::Build) { preflight::look(context)? } else { Vec::new() };
    let (lines, problems) = told(looked, Vec::new());
    if json {
        stdout::print(&document(&context.release, digest.as_ref(), &facts, &plan, &problems)?)?;
    } else {
        stdout::print(&text(&context.release, digest.as_ref(), &plan))?;
        if !lines.is_empty() {
            stdout::print(&format!("\n{lines}{NOT_LOOKED_AT}\n"))?;
        }
    }
    if let Some(Public::Conflict { text, .. }) = public {
        refuse!("`{}` does not verify as this release: {text}", context.release.tagged());
    }
    conclude(&problems)
}

fn document(
    release: &Release<'_>,
    digest: Option<&Digest>,
    facts: &Facts,
    plan: &Plan,
    problems: &[Problem],
) -> Result<String> {
    let Source { tag, commit, .. } = release.source;
    let steps = plan.steps.iter().map(|(step, action)| Row::of(step.name(), *action)).collect();
    let wrong = |problem: &Problem| Wrong {
        check: problem.check,
        text: redact(&problem.text),
        transient: problem.is_transient,
    };
    let document = Document {
        schema: "xtask-plan/3",
        tag: tag.to_string(),
        commit: commit.as_str(),
        image: release.tagged(),
        digest,
        facts,
        steps,
        problems: problems.iter().map(wrong).collect(),
    };
    let document = serde_json::to_string_pretty(&document).context("writing the plan")?;
    Ok(format!("{}\n", shown::json(&document)))
}

fn text(release: &Release<'_>, digest: Option<&Digest>, plan: &Plan) -> String {
    let Source { tag, commit, .. } = release.source;
    let digest = digest.map_or("is not there yet", Digest::as_str);
    let mut text = format!("{tag} at {commit}\n{} {digest}\n\n", release.tagged());
    for (step, action) in &plan.steps {
        let Row { step, action, reason } = Row::of(step.name(), *action);
        let words = if action == "do" { "will do" } else { action };
        text += format!("{step:<8} {words:<9} {}", reason.unwrap_or_default()).trim_end();
        text.push('\n');
    }
    text
}

impl Row {
    fn of(step: &'static str, action: Action) -> Self {
        let (action, reason) = match action {
            Action::Done => ("done", None),
            Action::Do => ("do", None),
            Action::Conflict(reason) => ("conflict", Some(reason)),
        };
        Self { step, action, reason }
    }
}
