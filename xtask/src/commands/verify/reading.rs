//! The registry, the forge and cosign, from which `verify` reads for one configuration. Nothing here writes.

use anyhow::Result;

use crate::build::logins;
use crate::contents::cache::Cache;
use crate::forge::forgejo::Forgejo;
use crate::http::Curl;
use crate::inputs::PUBLIC_KEY;
use crate::inputs::config::Config;
use crate::inputs::release::Release;
use crate::inputs::stand_in::StandIn;
use crate::oci::keychain::Keychain;
use crate::oci::reference::Image;
use crate::oci::registry::Client;
use crate::process::Runner;
use crate::process::environment::Environment;
use crate::process::progress::Steps;
use crate::tool::cosign::{Cosign, Program};
use crate::tool::docker::{Docker, DockerConfig};
use crate::tool::git::Git;
use crate::verify::{Anonymous, Verifier};

use super::secrets::Allowed;
use super::subject::Subject;

/// What [`Reading`] is made from.
pub(super) struct Access<'a> {
    pub(super) runner: &'a Runner,
    pub(super) environment: &'a Environment,
    pub(super) git: &'a Git,
    pub(super) config: &'a Config,
    /// Empty without `--login`.
    pub(super) keychain: &'a Keychain,
    /// Whether the commit is built again. If so, base images are read with the logins that the configuration names
    /// and `allowed` permits.
    pub(super) builds: bool,
    pub(super) allowed: &'a Allowed,
    pub(super) cosign: &'a Program,
}

/// The parts that `verify` reads from, and what they need.
pub(super) struct Reading<'a> {
    pub(super) image: Image,
    pub(super) forge: Forgejo,
    pub(super) registry: Client,
    pub(super) docker: Docker<'a>,
    cosign: Cosign<'a>,
    anonymous: Anonymous<'a>,
    stand_ins: Vec<StandIn>,
    runner: &'a Runner,
    cache: Cache,
    steps: &'a Steps,
}

/// Runs `work` with the parts made from `access`, for `image`.
pub(super) fn with<T>(
    access: &Access<'_>,
    image: &Image,
    work: impl FnOnce(&Reading<'_>) -> Result<T>,
) -> Result<T> {
    let Access { runner, environment, git, config, keychain, builds, allowed, cosign } = access;
    let timeouts = config.timeouts;
    let curl = Curl::new(runner, timeouts.http());
    let credentials = keychain.credentials(&image.registry);
    let login = credentials.map(|credentials| (&image.registry, credentials));
    let steps = &Steps::new(environment)?;
    let docker = &if *builds {
        let (config, left_out) = allowed.logins(config);
        for host in left_out {
            steps.line(
                "login",
                &format!("`{host}` is asked without a login: {}", allowed.why_without_login()),
            );
        }
        logins::docker_config(&config, environment, login, steps)?
    } else {
        DockerConfig::new(environment, login)?
    };
    let nobody = &DockerConfig::new(environment, None)?;
    let cosign = |docker| Cosign::new(runner, (*cosign).clone(), docker, timeouts.cosign());
    let client = |credentials| {
        Client::new(curl.clone(), image.clone(), credentials).with_plain_http(&config.plain_http)
    };
    work(&Reading {
        forge: Forgejo::new(curl.clone(), git, config, keychain.token(&config.forge).cloned(), None),
        registry: client(credentials.cloned()),
        docker: Docker::new(runner, docker),
        cosign: cosign(docker),
        anonymous: Anonymous { cosign: cosign(nobody), registry: client(None) },
        stand_ins: StandIn::of_environment(environment)?,
        image: image.clone(),
        runner,
        cache: Cache::new(environment)?,
        steps,
    })
}

impl Reading<'_> {
    /// The verifier of `release`. `key` replaces the commit's public key, if given.
    pub(super) fn verifier<'b>(&'b self, release: Release<'b>, key: Option<&'b [u8]>) -> Verifier<'b> {
        Verifier {
            release,
            key,
            forge: &self.forge,
            registry: &self.registry,
            cosign: &self.cosign,
            anonymous: &self.anonymous,
            docker: &self.docker,
            runner: self.runner,
            cache: &self.cache,
            steps: self.steps,
        }
    }
}

impl Subject {
    /// The release that the commit describes, at the location that is read.
    pub(super) fn release<'b>(&'b self, config: &'b Config, reading: &'b Reading<'_>) -> Release<'b> {
        Release {
            config,
            source: &self.source,
            inputs: &self.inputs,
            image: &reading.image,
            key_name: PUBLIC_KEY,
            stand_ins: &reading.stand_ins,
        }
    }
}
