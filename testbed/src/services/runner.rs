//! Runs the forge's runner. Its jobs run on this machine and see the runner's whole environment. That environment
//! is therefore built here, from what a release needs and nothing else.

mod environment;

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use xshell::cmd;
use xtask::http::{Authorization, Curl, Method, Request};
use xtask::process::Runner;
use xtask::process::environment::Environment;
use xtask::process::secret::Secret;

use super::forge::{self, Forge};
use super::{end, marker, processes};
use crate::context::Context;
use crate::exports::State;
use crate::files::{private_dir, read_file, remove_dir, remove_file, write_private};
use crate::parts::Found;
use crate::process::{self, Service};
use crate::provision::text;

/// Its name in messages, and on the forge.
pub(crate) const NAME: &str = "runner";

/// It announces itself to the forge within a second.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long a job's processes may take to clean up when the runner is stopped.
const JOB_TIMEOUT: Duration = Duration::from_secs(20);

/// Starts it unless it already runs with the right configuration.
pub(crate) fn ensure(cx: &Context, found: &Found, forge: &Forge, state: &mut State) -> Result<()> {
    let dir = cx.layout.run(NAME);
    private_dir(&dir)?;
    state.services.push(NAME.to_owned());
    let jobs = environment::of_jobs(cx, state, &dir.join("tmp"))?;
    let text = configuration(&dir, &[&[found.version.clone(), forge.url.clone()], &jobs.own[..]].concat())?;
    let file = marker(&cx.layout, NAME);
    if read_file(&file)?.as_ref() == Some(&text)
        && !processes(&cx.layout, NAME)?.is_empty()
        && is_ready(cx, state)?
    {
        cx.progress.line(NAME, "already running");
        return Ok(());
    }
    stop(cx)?;
    for leftover in ["tmp", "jobs"] {
        remove_dir(&dir.join(leftover))?;
        private_dir(&dir.join(leftover))?;
    }
    private_dir(&cx.layout.data(environment::TARGET))?;
    remove_file(&file)?;
    register(cx, found, forge, &dir, &text)?;
    write_private(&file, &text)?;
    let service = Service {
        name: NAME,
        program: found.program.clone(),
        arguments: vec!["daemon".into(), "--config".into(), file.clone().into()],
        marker: file,
        environment: jobs.variables.into_iter().map(|(key, value)| (key, OsString::from(value))).collect(),
        log: cx.layout.log(NAME),
    };
    // This process's own environment is left out, even its allow-listed part: that is for our children, not for jobs.
    let pid = service.start(&Runner::new(&Environment::default()))?;
    service.wait(pid, TIMEOUT, || is_ready(cx, state))?;
    cx.progress.line(NAME, "started, label `docker`");
    Ok(())
}

/// Ends it, and the processes of its jobs, which a runner leaves behind.
pub(crate) fn stop(cx: &Context) -> Result<()> {
    end(cx, NAME)?;
    let marker = format!("TMPDIR={}", text(&cx.layout.run(NAME).join("tmp"))?);
    // Repeated, because a process that cleans up may start others.
    for _ in 0..5 {
        let leftovers = process::with_variable(&marker)?;
        if leftovers.is_empty() {
            return Ok(());
        }
        for process in leftovers {
            process.end(JOB_TIMEOUT)?;
            cx.progress.line(NAME, &format!("ended a job's process {}", process.pid));
        }
    }
    bail!(
        "the runner's jobs start new processes faster than they can be ended; look for `{marker}` with `ps e`"
    )
}

/// Registers the runner with the forge. The token goes over standard input, where the runner's own dialogue reads
/// it.
fn register(cx: &Context, found: &Found, forge: &Forge, dir: &Path, configuration: &str) -> Result<()> {
    remove_file(&dir.join("registration.json"))?;
    let draft = dir.join("registration.yaml");
    write_private(&draft, configuration)?;
    let token = forge.runner_token(cx)?;
    let (shell, program, url) = (cx.runner.shell()?, &found.program, &forge.url);
    let register = cmd!(shell, "{program} register --config {draft} --instance {url} --name {NAME}");
    let call = cx.runner.call(register).stdin(format!("{}\n", token.expose()));
    call.run().context("registering the runner")?;
    remove_file(&draft)
}

/// Whether the forge knows it and sees it online.
fn is_ready(cx: &Context, state: &State) -> Result<bool> {
    /// Gitea wraps the list, Forgejo does not.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Answer {
        Wrapped { runners: Vec<Known> },
        Bare(Vec<Known>),
    }
    #[derive(Deserialize)]
    struct Known {
        name: String,
        status: String,
    }
    let exported = |key: &str| state.exports.get(key).with_context(|| format!("`{key}` is not exported yet"));
    let token = Secret::single_line(forge::ADMIN_TOKEN, exported(forge::ADMIN_TOKEN)?)?;
    let url = format!("{}/api/v1/admin/actions/runners", exported(forge::URL)?);
    let request = Request::new(Method::Get, url).authorization(Authorization::Token(token));
    let response = Curl::new(&cx.runner, TIMEOUT).send(&request)?;
    if response.status != 200 {
        return Err(response.unexpected());
    }
    let (Answer::Wrapped { runners } | Answer::Bare(runners)) = response.json()?;
    Ok(runners.iter().any(|known| known.name == NAME && known.status != "offline"))
}

/// Two jobs at once, as on a forge that serves more than one repository. The hash over `inputs` restarts a runner
/// that was started with other inputs. Paths are written as JSON strings, which YAML can read.
fn configuration(dir: &Path, inputs: &[String]) -> Result<String> {
    let mut hash = Sha256::new();
    for input in inputs {
        hash.update(format!("{input}\0"));
    }
    let hash: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let quoted = |name: &str| serde_json::to_string(text(&dir.join(name))?).context("quoting a path");
    Ok(format!(
        "# {hash}\n\
         log: {{ level: info }}\n\
         runner:\n  file: {}\n  capacity: 2\n  labels: ['docker:host']\n\
         \x20 fetch_interval: 500ms\n  fetch_interval_max: 500ms\n\
         \x20 log_report_interval: 1s\n  log_report_max_latency: 500ms\n  state_report_interval: 1s\n\
         cache: {{ enabled: false }}\n\
         host: {{ workdir_parent: {} }}\n",
        quoted("registration.json")?,
        quoted("jobs")?
    ))
}

#[cfg(test)]
mod tests {
    use super::configuration;
    use std::path::Path;

    #[test]
    fn a_different_environment_or_forge_changes_the_configuration() {
        let of = |inputs: &[&str]| {
            let inputs: Vec<_> = inputs.iter().map(|input| (*input).to_owned()).collect();
            configuration(Path::new("/t/run/runner"), &inputs).unwrap()
        };
        let one = of(&["http://127.0.0.1:3055", "PATH=/t/bin"]);
        assert_eq!(one, of(&["http://127.0.0.1:3055", "PATH=/t/bin"]));
        assert_ne!(one, of(&["http://127.0.0.1:3056", "PATH=/t/bin"]));
        assert_ne!(one, of(&["http://127.0.0.1:3055PATH=/t/bin"]));
        assert!(one.contains("  file: \"/t/run/runner/registration.json\"\n  capacity: 2\n"), "{one}");
    }
}
