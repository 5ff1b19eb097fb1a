//! Forgejo and Gitea through their common API (docs/facts.md#recorded-answers). Decisions depend on status codes and
//! JSON fields, never on the words of a message.

mod answers;
mod assets;
mod branches;
mod checks;
mod protections;
pub mod pulls;
mod read;
mod renamed;
mod runs;
mod status;
mod write;
mod writers;

use std::sync::OnceLock;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::http::{Authorization, Curl, Method, Request, Response};
use crate::inputs::config::{Config, RepositoryName};
use crate::inputs::run::Run;
use crate::process::failure::NotPublic;
use crate::process::secret::Secret;
use crate::tool::git::{Commit, Git};

/// Entries per page of a list: the most that a forge returns unless its administrator allows more.
const PAGE_SIZE: usize = 50;

/// The address at which anyone can download the file `path` of `commit`, in the repository of `config`.
#[must_use]
pub fn raw_address(config: &Config, commit: &Commit, path: &str) -> String {
    format!("{}/raw/commit/{commit}/{path}", config.source_url())
}

/// The forge of a real release.
pub struct Forgejo {
    curl: Curl,
    git: Git,
    config: Config,
    api: String,
    token: Option<Secret>,
    own_run: status::OwnRun,
    /// Whether anyone may read the repository; queried only if needed.
    is_public: OnceLock<bool>,
    /// The repository's present name, if the forge has redirected from the configured one.
    renamed: OnceLock<RepositoryName>,
}

impl Forgejo {
    /// The forge of `config`, queried with `token`, or anonymously without one. In a `run` of the forge's own
    /// Actions, requests go to the address that the runner names, which may be an internal one.
    #[must_use]
    pub fn new(curl: Curl, git: &Git, config: &Config, token: Option<Secret>, run: Option<&Run>) -> Self {
        let api = match run.and_then(|run| run.value("API_URL")) {
            Some(address) => address.trim_end_matches('/').to_owned(),
            None => format!("{}/api/v1", config.forge),
        };
        let own_run = status::OwnRun::new(run);
        let (git, config) = (git.clone(), config.clone());
        let (is_public, renamed) = (OnceLock::new(), OnceLock::new());
        Self { curl, git, config, api, token, own_run, is_public, renamed }
    }

    /// The repository's name on the forge, as far as it is known.
    fn name(&self) -> &RepositoryName {
        self.renamed.get().unwrap_or(&self.config.repository)
    }

    fn url(&self, rest: &str) -> String {
        let address = format!("{}/repos/{}", self.api, self.name());
        if rest.is_empty() { address } else { format!("{address}/{rest}") }
    }

    /// Sends the request to the API. If the forge answers that the repository has another name now, it has not acted
    /// on the request, which is then sent again under that name.
    fn send(&self, request: Request) -> Result<Response> {
        let request = request.header("Accept", "application/json");
        let request = match &self.token {
            Some(token) => request.authorization(Authorization::Token(token.clone())),
            None => request,
        };
        renamed::follow(&format!("{}/repos/", self.api), request, |request| self.curl.send(request)).map(
            |(response, name)| {
                if let Some(name) = name {
                    self.renamed.get_or_init(|| name);
                }
                response
            },
        )
    }

    fn get<T: serde::de::DeserializeOwned>(&self, rest: &str) -> Result<Option<T>> {
        self.answer(rest)?.map(|response| response.json()).transpose()
    }

    /// As [`Forgejo::get`], for one page of a list, whose remaining pages may have `left` bytes together.
    fn get_page<T: serde::de::DeserializeOwned>(&self, rest: &str, left: &mut usize) -> Result<Option<T>> {
        self.answer(rest)?.map(|response| response.json_of_page(left)).transpose()
    }

    fn answer(&self, rest: &str) -> Result<Option<Response>> {
        let response = self.send(Request::new(Method::Get, self.url(rest)))?;
        match response.status {
            200 => Ok(Some(response)),
            404 => self.check_public().map(|()| None),
            401 | 403 if self.token.is_none() => Err(self.not_public().context(response.unexpected())),
            _ => Err(response.unexpected()),
        }
    }

    /// Forges answer 404 about a repository that the caller may not read. Without a token, any 404 may mean that.
    /// This fails if it does.
    fn check_public(&self) -> Result<()> {
        if self.token.is_some() {
            return Ok(());
        }
        let is_public = match self.is_public.get() {
            Some(known) => *known,
            None => {
                let response = self.send(Request::new(Method::Get, self.url("")))?;
                let is_public = match response.status {
                    200 => true,
                    401 | 403 | 404 => false,
                    _ => return Err(response.unexpected()),
                };
                *self.is_public.get_or_init(|| is_public)
            }
        };
        if is_public { Ok(()) } else { Err(self.not_public()) }
    }

    fn not_public(&self) -> anyhow::Error {
        NotPublic::new(format!("the repository `{}`", self.config.source_url())).into()
    }

    fn request(&self, method: Method, rest: &str, body: &Value) -> Request {
        Request::new(method, self.url(rest)).body("application/json", body.to_string())
    }

    fn patch(&self, id: u64, body: &Value) -> Result<()> {
        self.patched(self.request(Method::Patch, &format!("releases/{id}"), body))
    }

    /// Makes a page visible, also after Ctrl-C.
    fn show(&self, id: u64) -> Result<()> {
        let shown = json!({ "draft": false });
        self.patched(self.request(Method::Patch, &format!("releases/{id}"), &shown).after_interrupt())
    }

    fn patched(&self, request: Request) -> Result<()> {
        let response = self.send(request)?;
        ensure!(response.status == 200, response.unexpected());
        Ok(())
    }
}
