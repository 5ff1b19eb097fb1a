//! Where a rehearsal's image goes. In the tool's own repository it is the testbed's registry. Elsewhere it is a
//! throwaway registry: one that `--registry` names, or one that the local docker engine starts.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::commands::testbed::{self, Purpose};
use crate::http::{Curl, Method, Request};
use crate::oci::reference::{Registry, undigested};
use crate::process::Runner;
use crate::process::environment::Environment;
use crate::process::failure::Misuse;
use crate::refuse;
use crate::tool::docker::{Docker, DockerConfig};

/// The image of the registry that is started. The distribution specification grew from this registry.
const IMAGE: &str = "registry:2@sha256:a3d8aaa63ed8681a604f1dea0aa03f100d5895b6a58ace528858a7b332415373";

/// The registry's container. It keeps running so that the printed commands can be tried; the next rehearsal reuses it.
const CONTAINER: &str = "xtask-rehearsal-registry";

/// How long a registry that was started may take to answer.
const START: Duration = Duration::from_secs(30);

/// A registry on this machine, and the environment to work in.
pub(super) struct Place {
    pub(super) environment: Environment,
    pub(super) registry: Registry,
    /// What to do when the registry does not answer.
    pub(super) remedy: &'static str,
    /// How to get the tools for the printed commands, or how to remove what was started. Empty if there is nothing to
    /// say.
    pub(super) note: &'static str,
}

/// The two kinds of value for `--registry`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Named {
    /// A running registry.
    Running(Registry),
    /// The image of a registry to start.
    Image(String),
}

impl Named {
    fn parse(text: &str) -> Result<Self> {
        if text.contains("@sha256:") {
            return Ok(Self::Image(text.to_owned()));
        }
        let misuse = |error: anyhow::Error| Misuse::new(format!("`--registry`: {error:#}"));
        let registry: Registry = text.parse().map_err(misuse)?;
        if !registry.is_loopback() {
            let words = format!(
                "`--registry` is `{text}`: a rehearsal stays on this machine; name a registry that runs on it, such as \
                 `--registry 127.0.0.1:5000`, or an image to start here, as `--registry IMAGE@sha256:DIGEST`"
            );
            return Err(Misuse::new(words).into());
        }
        Ok(Self::Running(registry))
    }
}

/// Makes the registry ready. `named` is the value of `--registry`.
///
/// # Errors
/// [`Misuse`] when `named` is not a registry on this machine; other errors when a registry cannot be started.
pub(super) fn ensure(environment: &Environment, root: &Path, named: Option<&str>) -> Result<Place> {
    let named = named.map(Named::parse).transpose()?;
    if named.is_none() && testbed::is_in(root) {
        let environment = testbed::ensure(environment, root, Purpose::Rehearsal)?;
        let registry = testbed::registry(&environment)?.parse()?;
        return Ok(Place {
            environment,
            registry,
            remedy: "start the testbed's registry with `cargo testbed up`",
            note: "`eval \"$(cargo testbed env)\"` finds cosign",
        });
    }
    let registry = match named {
        Some(Named::Running(registry)) => {
            return Ok(Place {
                environment: environment.clone(),
                registry,
                remedy: "start the registry that `--registry` names",
                note: "",
            });
        }
        Some(Named::Image(image)) => start(environment, Some(&image))?,
        None => start(environment, None)?,
    };
    Ok(Place {
        environment: environment.clone(),
        registry,
        remedy: "look at it with `docker logs xtask-rehearsal-registry`",
        note: "`docker rm --force --volumes xtask-rehearsal-registry` removes the registry that these commands use",
    })
}

/// `named` is the image that `--registry` names. Without it, a registry that runs is used, whatever its image.
fn start(environment: &Environment, named: Option<&str>) -> Result<Registry> {
    let runner = &Runner::new(environment);
    let config = &DockerConfig::new(environment, None)?;
    let docker = Docker::new(runner, config);
    if let Some(named) = named
        && let Some(running) = docker.service_image(CONTAINER)?
    {
        check_image(&running, named)?;
    }
    let image = named.unwrap_or(IMAGE);
    let address = docker.service(CONTAINER, image, 5000).with_context(|| {
        format!(
            "starting a throwaway registry from `{image}`; name one that runs with `--registry 127.0.0.1:PORT`, or another \
             image to start with `--registry IMAGE@sha256:DIGEST`"
        )
    })?;
    let registry: Registry = address.parse()?;
    let request = Request::new(Method::Get, format!("{}/v2/", registry.base_url()));
    let (curl, deadline) = (Curl::new(runner, Duration::from_secs(2)), Instant::now() + START);
    loop {
        match curl.send(&request) {
            Ok(answer) if answer.status == 200 => return Ok(registry),
            Ok(answer) => {
                bail!(
                    "the throwaway registry at `{registry}` answered {}: expected 200; see `docker logs {CONTAINER}`",
                    answer.status
                )
            }
            Err(error) if Instant::now() > deadline => {
                return Err(error.context(format!("`docker logs {CONTAINER}` shows why it does not answer")));
            }
            Err(_not_yet) => {
                crate::process::interrupt::pause(Duration::from_millis(200))?;
            }
        }
    }
}

/// Refuses to use a registry that runs from another image than the one that `--registry` names.
/// An image may have several names, but only one digest.
fn check_image(running: &str, named: &str) -> Result<()> {
    if undigested(running).1 == undigested(named).1 {
        return Ok(());
    }
    refuse!(
        "the registry of an earlier rehearsal, `{CONTAINER}`, runs from `{running}`, and `--registry` names `{named}`; remove \
         it with the images in it, `docker rm --force --volumes {CONTAINER}`, and run the same command again"
    )
}

#[cfg(test)]
mod tests {
    use super::{IMAGE, Named, check_image};
    use crate::process::failure::exit_code;

    #[test]
    fn a_registry_that_runs_from_another_image_than_the_named_one_is_refused() {
        let named = format!("mirror.example.org/registry@sha256:{}", "a".repeat(64));
        check_image(&named, &named).unwrap();
        check_image(&format!("registry:2@sha256:{}", "a".repeat(64)), &named).unwrap();
        for running in [IMAGE, "registry:2", ""] {
            let error = check_image(running, &named).unwrap_err();
            let text = format!("{error:#}");
            assert_eq!(exit_code(&error), 3, "{text}");
            assert!(text.contains(&named) && text.contains("`docker rm --force --volumes xtask-"), "{text}");
        }
    }

    #[test]
    fn a_rehearsal_stays_on_this_machine() {
        let running = Named::parse("127.0.0.1:5000").unwrap();
        assert_eq!(running, Named::Running("127.0.0.1:5000".parse().unwrap()));
        assert_eq!(Named::parse(IMAGE).unwrap(), Named::Image(IMAGE.to_owned()));
        for other in ["forge.example.org", "192.168.1.10:5000", "registry:2", ""] {
            assert_eq!(exit_code(&Named::parse(other).unwrap_err()), 2, "{other}");
        }
    }
}
