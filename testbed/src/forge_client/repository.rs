//! One repository of a forge: what a release needs there, and what it leaves there.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use xshell::cmd;
use xtask::http::Method;
use xtask::oci::reference::Image;
use xtask::oci::registry::{self, Credentials};
use xtask::process::secret::Secret;

use super::{Client, Release, State, Status, User};

/// Enough to push a whole project while the machine also builds images.
const PUSH: Duration = Duration::from_secs(5 * 60);

/// Gives git the token by the protocol of gitcredentials(7). The token is in git's environment, and never on an
/// argv or in a file.
const CREDENTIAL_HELPER: &str =
    r#"!f() { test "$1" = get && printf 'username=x\npassword=%s\n' "$FORGE_TOKEN"; }; f"#;

/// A repository, with its owner's rights.
#[derive(Clone)]
pub struct Repository {
    pub(super) client: Client,
    pub(super) owner: String,
    pub(super) name: String,
    image: Image,
}

impl Repository {
    pub(super) fn new(client: Client, owner: String, name: String, image: Image) -> Self {
        Self { client, owner, name, image }
    }

    /// The same repository with the rights of `user`.
    #[must_use]
    pub fn with_rights_of(&self, user: &User) -> Self {
        Self { client: self.client.with_token(user.token()), ..self.clone() }
    }

    /// Lets `user` write to it.
    ///
    /// # Errors
    /// When the forge refuses.
    pub fn let_write(&self, user: &User) -> Result<()> {
        let path = self.path(&format!("collaborators/{}", user.name()));
        self.client.expect(&[204], Method::Put, &path, Some(&json!({ "permission": "write" }))).map(|_| ())
    }

    /// Protects the tags or branches that match `pattern`: only `users` may push them. `kind` is `tag` or `branch`.
    ///
    /// # Errors
    /// When the forge refuses.
    pub fn protect(&self, kind: &str, pattern: &str, users: &[&User]) -> Result<()> {
        let names: Vec<_> = users.iter().map(|user| user.name()).collect();
        let body = match kind {
            "tag" => json!({ "name_pattern": pattern, "whitelist_usernames": names }),
            _ => json!({
                "rule_name": pattern,
                "enable_push": true,
                "enable_push_whitelist": true,
                "push_whitelist_usernames": names,
            }),
        };
        self.client
            .expect(&[201], Method::Post, &self.path(&format!("{kind}_protections")), Some(&body))
            .map(|_| ())
    }

    /// `owner/name`
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// Its page, which is also the address that git clones.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/{}", self.client.url(), self.full_name())
    }

    /// The image of the same name in the forge's registry.
    #[must_use]
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// The API path of something in this repository.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("/repos/{}/{rest}", self.full_name())
    }

    /// Switches the Actions unit on or off. While it is off, a push starts no workflow.
    ///
    /// # Errors
    /// When the forge refuses.
    pub fn switch_actions(&self, on: bool) -> Result<()> {
        let path = format!("/repos/{}", self.full_name());
        self.client.expect(&[200], Method::Patch, &path, Some(&json!({ "has_actions": on }))).map(|_| ())
    }

    /// Whether the forge has noticed the push of `commit`. It does so a moment after git has ended, and only then
    /// decides whether a workflow starts. The unit must not be switched before that.
    ///
    /// # Errors
    /// When the forge refuses.
    pub fn has_noticed(&self, commit: &str) -> Result<bool> {
        let feed = self.client.expect(&[200], Method::Get, &self.path("activities/feeds?limit=50"), None)?;
        Ok(String::from_utf8_lossy(&feed.body).contains(commit))
    }

    /// Stores a secret for workflows; the forge refuses names that begin with `FORGEJO_`, `GITEA_` or `GITHUB_`.
    ///
    /// # Errors
    /// When the forge refuses.
    pub fn set_secret(&self, name: &str, value: &Secret) -> Result<()> {
        let path = self.path(&format!("actions/secrets/{name}"));
        self.client
            .expect(&[201, 204], Method::Put, &path, Some(&json!({ "data": value.expose() })))
            .map(|_| ())
    }

    /// Sets a status of a commit on the forge, as a CI system does.
    ///
    /// # Errors
    /// When the forge refuses.
    pub fn set_status(&self, commit: &str, context: &str, state: State) -> Result<()> {
        let state = match state {
            State::Success => "success",
            State::Failure => "failure",
            State::Waiting | State::Running => "pending",
            State::Cancelled | State::Skipped => "error",
        };
        let body = json!({ "context": context, "state": state, "description": "set by a test" });
        self.client
            .expect(&[201], Method::Post, &self.path(&format!("statuses/{commit}")), Some(&body))
            .map(|_| ())
    }

    /// All statuses of a commit. Within a second their order is not reliable. The forge itself sets a status for
    /// every run as soon as the run exists.
    ///
    /// # Errors
    /// When the forge refuses.
    pub fn statuses(&self, commit: &str) -> Result<Vec<Status>> {
        let path = self.path(&format!("commits/{commit}/statuses?limit=50"));
        self.client.expect(&[200], Method::Get, &path, None)?.json()
    }

    /// `git push` of `refspecs` from the repository in `dir`; options such as `--tags` count as refspecs.
    ///
    /// # Errors
    /// When git fails; the error has its message.
    pub fn push(&self, dir: &Path, refspecs: &[&str]) -> Result<()> {
        let (shell, url) = (self.client.runner.shell()?, self.url());
        let call = self.client.runner.call(cmd!(shell, "git -C {dir} push --quiet {url} {refspecs...}"));
        let configuration = [("credential.helper", ""), ("credential.helper", CREDENTIAL_HELPER)];
        let mut call = call.env("GIT_CONFIG_COUNT", configuration.len().to_string()).timeout(PUSH);
        for (index, (key, value)) in configuration.into_iter().enumerate() {
            call = call.env(&format!("GIT_CONFIG_KEY_{index}"), key);
            call = call.env(&format!("GIT_CONFIG_VALUE_{index}"), value);
        }
        let pushed = call.secret_env("FORGE_TOKEN", &self.client.token).run();
        pushed.with_context(|| format!("pushing to the test repository `{url}`"))
    }

    /// Publishes a release, as a person does on the forge's page. `release` is in the API's own form.
    ///
    /// # Errors
    /// When the forge refuses.
    pub fn publish(&self, release: &Value) -> Result<()> {
        self.client.expect(&[201], Method::Post, &self.path("releases"), Some(release)).map(|_| ())
    }

    /// Replaces the text of a release's page, as a person does on the forge's page.
    ///
    /// # Errors
    /// When the forge refuses.
    pub fn rewrite(&self, release: &Release, body: &str) -> Result<()> {
        let path = self.path(&format!("releases/{}", release.id));
        self.client.expect(&[200], Method::Patch, &path, Some(&json!({ "body": body }))).map(|_| ())
    }

    /// All releases, drafts included, newest first.
    ///
    /// # Errors
    /// When the forge refuses.
    pub fn releases(&self) -> Result<Vec<Release>> {
        self.client.expect(&[200], Method::Get, &self.path("releases?limit=50"), None)?.json()
    }

    /// The release of `tag`, even if it is a draft.
    ///
    /// # Errors
    /// When the forge refuses.
    pub fn release(&self, tag: &str) -> Result<Option<Release>> {
        self.optional_release(&format!("releases/tags/{tag}"))
    }

    /// The release that the forge itself shows as the latest one.
    ///
    /// # Errors
    /// When the forge refuses.
    pub fn latest_release(&self) -> Result<Option<Release>> {
        self.optional_release("releases/latest")
    }

    fn optional_release(&self, path: &str) -> Result<Option<Release>> {
        let response = self.client.api(Method::Get, &self.path(path), None)?;
        ensure!(matches!(response.status, 200 | 404), response.unexpected());
        if response.status == 404 { Ok(None) } else { response.json().map(Some) }
    }

    /// The forge's registry for this repository's image: tags, digests, manifests.
    #[must_use]
    pub fn registry(&self) -> registry::Client {
        let credentials = Credentials::new(self.owner.clone(), self.client.token.clone());
        registry::Client::new(self.client.curl.clone(), self.image.clone(), Some(credentials))
    }

    /// The tags of this repository's image, sorted.
    ///
    /// # Errors
    /// When the registry refuses.
    pub fn registry_tags(&self) -> Result<Vec<String>> {
        let mut tags = self.registry().tags()?;
        tags.sort();
        Ok(tags)
    }
}
