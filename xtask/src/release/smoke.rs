//! Step 6, smoke: the pushed image, pulled back, run as strictly as a careful self-hoster would, and asked from outside.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use crate::reference::Digest;
use crate::release::source::Source;
use crate::release::{Release, Session};
use crate::tool::curl::{Curl, Request, Response};
use crate::tool::docker::Container;

/// Between two questions to a service that is still starting.
const PAUSE: Duration = Duration::from_millis(25);

/// The version path's answer; a service may say more.
#[derive(Deserialize)]
struct Version {
    version: String,
    commit: String,
}

/// Pulls, runs, asks and stops the image.
///
/// # Errors
/// When it does not start, answer, say what it is, or stop on SIGTERM; with the container's last log lines.
pub fn run(release: &Release<'_>, digest: &Digest) -> Result<()> {
    let Release { session, tools, target, source, .. } = release;
    let docker = &tools.docker;
    let smoke = &session.config.smoke;
    let reference = target.image.pinned(digest);
    docker.pull(&reference, session.config.timeouts.pull(), &release.registry_watch())?;
    let container = docker.start(&reference, smoke.port)?;
    let tried = try_out(session, &container, source);
    tried.map_err(|error| match container.logs() {
        Ok(logs) => error.context(format!("trying `{reference}`; its last log lines:\n{logs}")),
        Err(second) => {
            error.context(format!("trying `{reference}` (and its log cannot be read: {second:#})"))
        }
    })
}

fn try_out(session: &Session<'_>, container: &Container<'_>, source: &Source) -> Result<()> {
    let smoke = &session.config.smoke;
    let base = format!("http://{}", container.address(smoke.port)?);
    let curl = Curl::new(session.runner, Duration::from_secs(5)).without_retries();
    wait_until_healthy(&curl, container, &format!("{base}{}", smoke.health), smoke.start_timeout())?;

    let answer = curl.send(&Request::new("GET", format!("{base}{}", smoke.version)))?;
    ensure!(answer.status == 200, answer.unexpected());
    let found: Version = answer.json()?;
    let expected = (source.tag.version().to_string(), source.commit.as_str());
    ensure!(
        (&found.version, found.commit.as_str()) == (&expected.0, expected.1),
        "the service says that it is {} of {}: expected {} of {}",
        found.version,
        found.commit,
        expected.0,
        expected.1
    );

    container.stop(smoke.stop_timeout())?;
    let state = container.state()?;
    ensure!(
        !state.running && state.exit_code == 0,
        "the service exited with {} within {} s of SIGTERM: expected 0",
        state.exit_code,
        smoke.stop_timeout().as_secs()
    );
    Ok(())
}

fn wait_until_healthy(
    curl: &Curl,
    container: &Container<'_>,
    url: &str,
    patience: Duration,
) -> Result<Response> {
    let deadline = Instant::now() + patience;
    loop {
        // No answer at all is what a starting service looks like; the last one is told when time is up.
        let tried = curl.send(&Request::new("GET", url));
        if tried.as_ref().is_ok_and(|answer| answer.status == 200) {
            return tried;
        }
        crate::interrupt::check()?;
        if Instant::now() >= deadline {
            let last = tried.and_then(|answer| Err::<Response, _>(answer.unexpected()));
            return last
                .with_context(|| format!("`{url}` did not answer 200 within {} s", patience.as_secs()));
        }
        let state = container.state()?;
        if !state.running {
            bail!("the service exited with {} before it answered", state.exit_code);
        }
        thread::sleep(PAUSE);
    }
}
