//! Where the tests get their forge from: Gitea, built here; Forgejo's published image; or one that already exists.
//! The exports only have its address and its administrator's token, so the tests cannot tell which it is.

mod administration;
mod existing;
mod forgejo;
mod gitea;
mod settings;

use std::net::SocketAddr;

use anyhow::Result;

pub(crate) use administration::Forge;
use existing::Existing;

use super::{end, runner};
use crate::context::Context;
use crate::exports::State;
use crate::http;
use crate::parts::docker::Docker;
use crate::parts::{Found, Part as _};

/// Its name in messages.
pub(crate) const NAME: &str = "forge";

/// The exported address, without a trailing slash.
pub(crate) const URL: &str = "TESTBED_FORGE_URL";

/// The exported token of an administrator, with all scopes.
pub(crate) const ADMIN_TOKEN: &str = "TESTBED_FORGE_ADMIN_TOKEN";

/// Tried first, because a fixed address is easier to read in logs.
const PREFERRED_PORT: u16 = 3055;

/// Where the forge comes from.
pub(crate) enum Origin {
    /// Built here.
    Gitea,
    /// Its published image.
    Forgejo,
    /// Given by the environment; it has its own runner.
    Existing(Existing),
}

impl Origin {
    /// A forge from the environment takes precedence over `forgejo`.
    pub(crate) fn decide(cx: &Context, forgejo: bool) -> Result<Self> {
        Ok(match (Existing::given(cx)?, forgejo) {
            (Some(existing), _) => Self::Existing(existing),
            (None, true) => Self::Forgejo,
            (None, false) => Self::Gitea,
        })
    }

    /// Whether it needs the part of that name.
    pub(crate) fn needs(&self, part: &str) -> bool {
        match self {
            Self::Gitea => true,
            Self::Forgejo => part != NAME,
            Self::Existing(_) => part != NAME && part != runner::NAME,
        }
    }

    /// Starts it with its runner, and ends what is not needed. Exports its address and the administrator's token.
    pub(crate) fn ensure<'a>(
        &self,
        cx: &Context,
        part: impl Fn(&str) -> Result<&'a Found>,
        state: &mut State,
    ) -> Result<()> {
        let docker = &part("docker")?.program;
        let forge = match self {
            Self::Existing(existing) => {
                runner::stop(cx)?;
                end(cx, NAME)?;
                forgejo::stop(cx, docker, state)?;
                return existing.ensure(cx, state);
            }
            Self::Forgejo => {
                end(cx, NAME)?;
                forgejo::ensure(cx, docker, state)?
            }
            Self::Gitea => {
                forgejo::stop(cx, docker, state)?;
                gitea::ensure(cx, part(NAME)?, state)?
            }
        };
        let token = forge.admin_token(cx)?;
        state.export(URL, &forge.url);
        state.export(ADMIN_TOKEN, token.expose());
        runner::ensure(cx, part(runner::NAME)?, &forge, state)
    }
}

/// Ends the forge and its runner, whatever the origin of the forge.
pub(crate) fn stop(cx: &Context) -> Result<()> {
    runner::stop(cx)?;
    end(cx, NAME)?;
    // An engine of our own ends with its containers, but the machine's own goes on.
    if forgejo::was_used(cx)?
        && let Some(docker) = Docker.find(cx)?
        && docker.prefix.is_none()
    {
        forgejo::stop(cx, &docker.program, &State::default())?;
    }
    Ok(())
}

fn is_ready(address: SocketAddr) -> Result<bool> {
    let answer = http::over_tcp(address, "GET", "/api/healthz")?;
    Ok(answer.is_some_and(|answer| answer.status == 200))
}
