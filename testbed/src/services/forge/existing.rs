//! A forge that already exists, given by the environment: Forgejo or Gitea, with a runner that has the label
//! `docker`.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use xtask::http::{Authorization, Curl, Method, Request};
use xtask::process::failure::Misuse;
use xtask::process::secret::Secret;

use super::{ADMIN_TOKEN, NAME, URL, forgejo};
use crate::context::Context;
use crate::exports::State;
use crate::services::ports;

/// Enough for a forge elsewhere on the network.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The forge that the user named.
pub(crate) struct Existing {
    url: String,
    token: Secret,
}

impl Existing {
    /// The forge in `TESTBED_FORGE_URL` and `TESTBED_FORGE_ADMIN_TOKEN`. A shell may have our own exports, which
    /// name the forge that we start.
    pub(crate) fn given(cx: &Context) -> Result<Option<Self>> {
        let own = [ports::last(cx, NAME)?, ports::last(cx, forgejo::NAME)?];
        Self::among(own.into_iter().flatten(), cx.variable(URL)?, cx.variable(ADMIN_TOKEN)?)
    }

    /// The forge at `url`, unless its address is one of our `own`.
    fn among(
        mut own: impl Iterator<Item = SocketAddr>,
        url: Option<&str>,
        token: Option<&str>,
    ) -> Result<Option<Self>> {
        let url = url.map(|url| url.trim_end_matches('/').to_owned());
        match (url, token) {
            (None, None) => Ok(None),
            (Some(url), _) if own.any(|address| url == format!("http://{address}")) => Ok(None),
            (Some(url), Some(token)) => {
                Ok(Some(Self { url, token: Secret::single_line(ADMIN_TOKEN, token)? }))
            }
            _ => Err(Misuse::new(format!("set both `{URL}` and `{ADMIN_TOKEN}`, or neither of them")).into()),
        }
    }

    /// Makes sure that it answers and that the token belongs to an administrator. Exports both.
    pub(crate) fn ensure(&self, cx: &Context, state: &mut State) -> Result<()> {
        #[derive(Deserialize)]
        struct User {
            login: String,
            is_admin: bool,
        }
        let request = Request::new(Method::Get, format!("{}/api/v1/user", self.url))
            .authorization(Authorization::Token(self.token.clone()));
        let response = Curl::new(&cx.runner, TIMEOUT).send(&request);
        let response =
            response.with_context(|| format!("querying the forge in `{URL}`; unset it to start one"))?;
        if response.status != 200 {
            return Err(response.unexpected()).with_context(|| {
                format!("the forge refuses `{ADMIN_TOKEN}`; make one with all scopes, or unset `{URL}` to start a forge")
            });
        }
        let user: User = response.json()?;
        if !user.is_admin {
            bail!(
                "`{ADMIN_TOKEN}` is the token of `{}`, who is not an administrator; use an administrator's token",
                user.login
            );
        }
        cx.progress.line(NAME, &format!("{} is used; its runner must have the label `docker`", self.url));
        state.export(URL, &self.url);
        state.export(ADMIN_TOKEN, self.token.expose());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Existing;
    use crate::services::ports::loopback;

    #[test]
    fn a_forge_that_we_started_does_not_count_as_given() {
        let given = |url, token| {
            let existing = Existing::among([3055, 3056].map(loopback).into_iter(), url, token);
            existing.map(|existing| existing.map(|existing| existing.url)).map_err(|error| error.to_string())
        };
        assert_eq!(given(None, None), Ok(None));
        for own in ["http://127.0.0.1:3055", "http://127.0.0.1:3056/"] {
            assert_eq!(given(Some(own), Some("t")), Ok(None), "{own}");
        }
        assert_eq!(
            given(Some("http://127.0.0.1:3057/"), Some("t")),
            Ok(Some("http://127.0.0.1:3057".to_owned()))
        );
        for (url, token) in [(Some("http://127.0.0.1:3057"), None), (None, Some("t"))] {
            assert!(given(url, token).unwrap_err().contains("set both"));
        }
    }
}
