//! The published Forgejo image instead of Gitea, for people whose docker can pull it: `testbed up --forge forgejo`.
//!
//! The image itself has not been tried yet, for lack of access to a public container registry. Only the steps around it
//! have been, with Gitea in the container's place. The settings are those of `settings.rs` in the image's own
//! spelling, the command line is the one that Forgejo 15 documents, and the runner is Gitea's. A second testbed on
//! the same engine would use the same name.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use xshell::cmd;

use super::{Forge, PREFERRED_PORT, is_ready};
use crate::context::Context;
use crate::exports::State;
use crate::image::with_docker;
use crate::process;
use crate::services::ports;

/// Forgejo 15, the long-term release, as an index of all its platforms.
const IMAGE: &str = "codeberg.org/forgejo/forgejo:15.0.3@sha256:55bb42bec9abef5223744804f164e37d37b20df7e8b8b4807ba213ad4f071d6d";

/// Its name in messages, and the name of the container.
pub(super) const NAME: &str = "carol-testbed-forgejo";

/// The time for the pull.
const PULL: Duration = Duration::from_secs(15 * 60);

/// The time for its start.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Starts a new one unless it runs and answers.
pub(super) fn ensure(cx: &Context, docker: &Path, state: &State) -> Result<Forge> {
    let last = ports::last(cx, NAME)?.unwrap_or(ports::loopback(PREFERRED_PORT));
    let address = if is_running(cx, docker, state)? && is_ready(last)? {
        cx.progress.line(NAME, &format!("already running on {last}"));
        last
    } else {
        start(cx, docker, state, last)?
    };
    let inside = ["exec", "--user", "git", NAME, "forgejo"].map(str::to_owned);
    Ok(Forge {
        url: format!("http://{address}"),
        program: docker.to_owned(),
        arguments: inside.to_vec(),
        runner_token: &["forgejo-cli", "actions", "generate-runner-token"],
        environment: client(state),
    })
}

/// Removes the container with everything that it stores, if there is one.
pub(super) fn stop(cx: &Context, docker: &Path, state: &State) -> Result<()> {
    if !was_used(cx)? {
        return Ok(());
    }
    let shell = cx.runner.shell()?;
    let remove = cmd!(shell, "{docker} rm --force --volumes {NAME}");
    with_docker(cx.runner.call(remove), state).run().with_context(|| format!("removing the container {NAME}"))
}

/// Whether this state directory has ever run it.
pub(super) fn was_used(cx: &Context) -> Result<bool> {
    Ok(ports::last(cx, NAME)?.is_some())
}

fn start(cx: &Context, docker: &Path, state: &State, wanted: SocketAddr) -> Result<SocketAddr> {
    stop(cx, docker, state)?;
    cx.progress.line(NAME, "pulling and starting the published image");
    let address = ports::claim(cx, NAME, wanted)?;
    let (shell, port, publish) =
        (cx.runner.shell()?, address.port(), format!("{address}:{}", address.port()));
    let settings = [
        format!("server__HTTP_PORT={port}"),
        format!("server__ROOT_URL=http://{address}/"),
        "server__DISABLE_SSH=true".to_owned(),
        "server__OFFLINE_MODE=true".to_owned(),
        "database__DB_TYPE=sqlite3".to_owned(),
        "security__INSTALL_LOCK=true".to_owned(),
        "service__DISABLE_REGISTRATION=true".to_owned(),
        "mailer__ENABLED=false".to_owned(),
        "actions__ENABLED=true".to_owned(),
        "packages__ENABLED=true".to_owned(),
    ];
    let settings = settings.iter().flat_map(|setting| ["--env".to_owned(), format!("FORGEJO__{setting}")]);
    let run = cmd!(shell, "{docker} run --detach --name {NAME} --publish {publish} {settings...} {IMAGE}");
    let run = with_docker(cx.runner.call(run), state).timeout(PULL).run();
    run.context("running the Forgejo image; without `--forge forgejo`, Gitea is built and used instead")?;
    if !process::poll(TIMEOUT, || is_ready(address))? {
        bail!("starting {NAME}: not ready after {TIMEOUT:?}; look at `docker logs {NAME}`");
    }
    cx.progress.line(NAME, &format!("started on {address}"));
    Ok(address)
}

fn is_running(cx: &Context, docker: &Path, state: &State) -> Result<bool> {
    let (shell, name) = (cx.runner.shell()?, format!("name=^{NAME}$"));
    let list = cmd!(shell, "{docker} ps --quiet --filter {name}");
    Ok(!with_docker(cx.runner.call(list), state).read()?.is_empty())
}

/// The variables with which the docker client finds the engine.
fn client(state: &State) -> Vec<(&'static str, String)> {
    let variables = ["DOCKER_HOST", "DOCKER_CONFIG"];
    variables.into_iter().filter_map(|key| Some((key, state.exports.get(key)?.clone()))).collect()
}
