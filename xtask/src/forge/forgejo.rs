//! Forgejo and Gitea through their common API (docs/facts.md#recorded-answers).
//! Decisions follow status codes and JSON fields, never the words of a message.

mod answers;
mod checks;
mod status;

use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use crate::config::Config;
use crate::failure::NotPublic;
use crate::forge::run::Run;
use crate::forge::{CiState, Forge, Page, PublishedPage};
use crate::problem::Problem;
use crate::secret::Secret;
use crate::tool::curl::{Authorization, Curl, Request, Response};
use crate::tool::git::{Commit, Git};
use crate::version::ReleaseTag;

use answers::{Release, TagAnswer};

/// The page's API answers 422 while the server still takes in the first push to a repository.
const SETTLING: [Duration; 5] = [
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
    Duration::from_millis(1600),
];

/// Releases in one answer: the most that a forge gives unless its administrator allows more.
const PAGE_SIZE: usize = 50;

/// A forge that lists more than this is not listing one repository's releases.
const MOST_PAGES: usize = 200;

/// The forge of a real release.
pub struct Forgejo {
    curl: Curl,
    git: Git,
    config: Config,
    api: String,
    token: Option<Secret>,
    own_run: status::OwnRun,
    /// Whether anyone may read the repository; asked where it matters.
    is_public: OnceLock<bool>,
}

impl Forgejo {
    /// The forge of `config`, asked with `token`, or as anyone may; in its own `run` at the address that the runner gives,
    /// which may be an internal one.
    #[must_use]
    pub fn new(curl: Curl, git: &Git, config: &Config, token: Option<Secret>, run: Option<&Run>) -> Self {
        let api = match run.and_then(|run| run.value("API_URL")) {
            Some(address) => address.trim_end_matches('/').to_owned(),
            None => format!("{}/api/v1", config.forge),
        };
        let own_run = status::OwnRun::new(run);
        let (git, config, is_public) = (git.clone(), config.clone(), OnceLock::new());
        Self { curl, git, config, api, token, own_run, is_public }
    }

    fn url(&self, rest: &str) -> String {
        format!("{}/repos/{}/{rest}", self.api, self.config.repository)
    }

    fn send(&self, request: Request) -> Result<Response> {
        let request = request.header("Accept", "application/json");
        self.curl.send(&match &self.token {
            Some(token) => request.authorization(Authorization::Token(token.clone())),
            None => request,
        })
    }

    fn get<T: serde::de::DeserializeOwned>(&self, rest: &str) -> Result<Option<T>> {
        let response = self.send(Request::new("GET", self.url(rest)))?;
        match response.status {
            200 => response.json().map(Some),
            404 => self.check_public().map(|()| None),
            401 | 403 if self.token.is_none() => Err(self.not_public().context(response.unexpected())),
            _ => Err(response.unexpected()),
        }
    }

    /// Forges deny a repository that one may not read: without a token "there is none" may mean just that.
    fn check_public(&self) -> Result<()> {
        if self.token.is_some() {
            return Ok(());
        }
        let is_public = match self.is_public.get() {
            Some(known) => *known,
            None => {
                let address = format!("{}/repos/{}", self.api, self.config.repository);
                let response = self.send(Request::new("GET", address))?;
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

    fn change(&self, method: &'static str, rest: &str, body: &Value) -> Result<Response> {
        self.send(Request::new(method, self.url(rest)).body("application/json", body.to_string()))
    }

    fn patch(&self, id: u64, body: &Value) -> Result<()> {
        let response = self.change("PATCH", &format!("releases/{id}"), body)?;
        ensure!(response.status == 200, response.unexpected());
        Ok(())
    }
}

impl Forge for Forgejo {
    fn preflight(&self, tag: &ReleaseTag, commit: &Commit) -> Result<Vec<Problem>> {
        let checks: [&(dyn Fn() -> Result<Option<Problem>> + Sync); 3] =
            [&|| self.check_tag(tag, commit), &|| self.check_branch(commit), &|| self.check_clock()];
        let found: Vec<Result<Option<Problem>>> = thread::scope(|scope| {
            let running: Vec<_> = checks.iter().map(|check| scope.spawn(check)).collect();
            running
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|_panic| bail!("the check panicked")))
                .collect()
        });
        let found = found
            .into_iter()
            .map(|result| result.unwrap_or_else(|error| Some(Problem::new("forge", format!("{error:#}")))));
        Ok(found.chain([self.check_token()]).flatten().collect())
    }

    fn ci_state(&self, commit: &Commit) -> Result<CiState> {
        self.read_ci_state(commit)
    }

    fn check_access(&self) -> Result<Vec<Problem>> {
        let mut problems: Vec<_> = [self.check_token(), self.check_clock()?].into_iter().flatten().collect();
        let response = self.send(Request::new("GET", self.url("releases?limit=1")))?;
        if response.status != 200 {
            let text = format!(
                "{:#}; check `forge` and `repository` in `Cargo.toml` and the rights of `FORGEJO_TOKEN`",
                response.unexpected()
            );
            problems.push(Problem::new("forge", text));
        }
        Ok(problems)
    }

    fn check_tag(&self, tag: &ReleaseTag, commit: &Commit) -> Result<Option<Problem>> {
        Ok(match self.tag(tag)? {
            None => {
                let text = format!("`{tag}` is not on the forge; push it with `git push origin {tag}`");
                Some(Problem::new("tag", text))
            }
            Some(found) if &found != commit => Some(Problem::new(
                "tag",
                format!(
                    "`{tag}` is at {found} on the forge and at {commit} here; `git fetch --tags --force` takes the forge's, \
                     and a tag that was released must not move"
                ),
            )),
            Some(_) => None,
        })
    }

    fn tag(&self, tag: &ReleaseTag) -> Result<Option<Commit>> {
        let answer: Option<TagAnswer> = self.get(&format!("tags/{tag}"))?;
        answer.map(|found| Commit::parse(&found.commit.sha)).transpose()
    }

    fn page(&self, tag: &ReleaseTag) -> Result<Option<PublishedPage>> {
        let release: Option<Release> = self.get(&format!("releases/tags/{tag}"))?;
        release.map(|release| release.into_page(tag)).transpose()
    }

    fn pages(&self) -> Result<Vec<PublishedPage>> {
        let mut pages = Vec::new();
        for number in 1..=MOST_PAGES {
            let listed: Option<Vec<Release>> =
                self.get(&format!("releases?limit={PAGE_SIZE}&page={number}"))?;
            let listed = listed.with_context(|| format!("the forge has no `{}`", self.config.repository))?;
            if listed.is_empty() {
                return Ok(pages);
            }
            // Other tags may have releases as well: they are ignored here.
            for release in listed {
                if let Ok(tag) = release.tag_name.parse() {
                    pages.push(release.into_page(&tag)?);
                }
            }
        }
        bail!("listing the releases of `{}`: no end after {MOST_PAGES} pages", self.config.repository)
    }

    fn publish(&self, page: &Page) -> Result<String> {
        let body = json!({
            "tag_name": page.tag.to_string(),
            "target_commitish": page.commit.as_str(),
            "name": page.title,
            "body": page.body,
            "draft": false,
            "prerelease": page.prerelease,
        });
        let (mut pauses, mut is_lost) = (SETTLING.iter(), false);
        loop {
            let failure = match self.change("POST", "releases", &body) {
                Ok(response) => match response.status {
                    201 => return Ok(response.json::<Release>()?.html_url),
                    409 | 422 | 500..=599 => response.unexpected(),
                    _ => return Err(response.unexpected()),
                },
                // Once: each time may take as long as a request may.
                Err(lost) if !is_lost => {
                    is_lost = true;
                    lost
                }
                Err(lost) => return Err(lost),
            };
            // Made by someone else meanwhile, or made although the answer was an error or none: what is there decides. A
            // tag has one page at the most, so a second `POST` makes no second one.
            if let Some(found) = self.page(&page.tag)? {
                self.update(&found, page)?;
                return Ok(found.address);
            }
            match pauses.next() {
                Some(pause) => thread::sleep(*pause),
                None => return Err(failure),
            }
        }
    }

    fn update(&self, published: &PublishedPage, page: &Page) -> Result<()> {
        let (found, mut changes) = (&published.page, serde_json::Map::new());
        if found.body != page.body {
            changes.insert("body".to_owned(), page.body.clone().into());
        }
        if found.prerelease != page.prerelease {
            changes.insert("prerelease".to_owned(), page.prerelease.into());
        }
        if published.draft {
            changes.insert("draft".to_owned(), false.into());
        }
        if changes.is_empty() { Ok(()) } else { self.patch(published.id, &changes.into()) }
    }

    fn shows_as_latest(&self, highest: &ReleaseTag) -> Result<bool> {
        let latest: Option<Release> = self.get("releases/latest")?;
        let is_shown = latest.is_some_and(|latest| latest.tag_name == highest.to_string());
        Ok(is_shown || self.page(highest)?.is_none())
    }

    fn settle_latest(&self, highest: &ReleaseTag) -> Result<bool> {
        if self.shows_as_latest(highest)? {
            return Ok(false);
        }
        // The forge shows the page with the newest date, which after a backport is the wrong one. Hiding and showing
        // a page stamps it anew (docs/facts.md#latest-page); nothing else about it changes.
        let Some(page) = self.page(highest)? else { return Ok(false) };
        if !page.draft {
            self.patch(page.id, &json!({ "draft": true }))?;
        }
        self.patch(page.id, &json!({ "draft": false }))?;
        Ok(true)
    }

    fn raw_address(&self, commit: &Commit, path: &str) -> Option<String> {
        Some(format!("{}/raw/commit/{commit}/{path}", self.config.source_url()))
    }
}
