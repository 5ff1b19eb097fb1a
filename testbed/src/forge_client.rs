//! A forge as the end-to-end tests use it: users, repositories, secrets, pushes, runs and their results. It only
//! uses what both Forgejo 15 and Gitea 1.26 have. Where their answers differ, `answers.rs` tells them apart by
//! their shape, never by the product's name.

mod answers;
mod attachments;
mod packages;
mod pulls;
mod removal;
mod repository;
mod runs;
mod seen;

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use xtask::http::{Authorization, Curl, Method, Request, Response};
use xtask::oci::reference::Image;
use xtask::process::Runner;
use xtask::process::environment::Environment;
use xtask::process::secret::Secret;
use xtask::process::temp_dir::random_hex;

pub use answers::{Asset, Release, Run, State, Status};
pub use repository::Repository;

use crate::services::forge::{ADMIN_TOKEN, URL};

/// Enough for one request while the machine also builds images.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A forge, with the right to administer it.
#[derive(Clone)]
pub struct Client {
    curl: Curl,
    runner: Runner,
    url: String,
    token: Secret,
}

/// A fresh user of the forge, who owns whatever a test makes.
#[derive(Clone)]
pub struct User {
    client: Client,
    name: String,
    password: Secret,
    token: Secret,
}

impl Client {
    /// The forge that the testbed's exports name.
    ///
    /// # Errors
    /// When `environment` does not have them.
    pub fn from_environment(environment: &Environment) -> Result<Self> {
        let missing = |name: &str| format!("`{name}` is not set; `eval \"$(cargo testbed env)\"` sets it");
        let url = environment.get(URL)?.with_context(|| missing(URL))?;
        let token = environment.token(ADMIN_TOKEN)?.with_context(|| missing(ADMIN_TOKEN))?;
        let runner = Runner::new(environment);
        let url = url.trim_end_matches('/').to_owned();
        Ok(Self { curl: Curl::new(&runner, TIMEOUT), runner, url, token })
    }

    /// Its address, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its container registry, as in image references: `127.0.0.1:3055`.
    #[must_use]
    pub fn registry(&self) -> &str {
        self.url.split_once("://").map_or(&*self.url, |(_, host)| host)
    }

    /// Makes a user with a random name that begins with `prefix` (lower-case letters and digits).
    ///
    /// # Errors
    /// When the forge refuses.
    pub fn new_user(&self, prefix: &str) -> Result<User> {
        self.new_user_seen_by(prefix, "public")
    }

    /// Like [`Client::new_user`], but nobody else sees what the user owns, packages included.
    ///
    /// # Errors
    /// When the forge refuses.
    pub fn new_hidden_user(&self, prefix: &str) -> Result<User> {
        self.new_user_seen_by(prefix, "private")
    }

    fn new_user_seen_by(&self, prefix: &str, visibility: &str) -> Result<User> {
        let random = random_hex()?;
        let (name, password) = (format!("{prefix}-{}", &random[..8]), Secret::new(random_hex()?));
        let body = json!({
            "username": name,
            "email": format!("{name}@example.org"),
            "password": password.expose(),
            "must_change_password": false,
            "visibility": visibility,
        });
        self.expect(&[201], Method::Post, "/admin/users", Some(&body))?;
        let mut user = User { client: self.clone(), name, password, token: self.token.clone() };
        user.token = user.new_token(&["all"])?;
        Ok(user)
    }

    /// The same forge with another `token`.
    fn with_token(&self, token: &Secret) -> Self {
        Self { token: token.clone(), ..self.clone() }
    }

    /// Calls the API. Any status is an answer. `path` begins with a slash.
    ///
    /// # Errors
    /// When no answer comes.
    pub fn api(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Response> {
        self.send(Authorization::Token(self.token.clone()), method, &format!("/api/v1{path}"), body)
    }

    /// Like [`Client::api`], but any other status is an error with the forge's message.
    fn expect(&self, statuses: &[u16], method: Method, path: &str, body: Option<&Value>) -> Result<Response> {
        let response = self.api(method, path, body)?;
        ensure!(statuses.contains(&response.status), response.unexpected());
        Ok(response)
    }

    fn send(
        &self,
        authorization: Authorization,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Response> {
        let mut request = Request::new(method, format!("{}{path}", self.url)).authorization(authorization);
        if let Some(body) = body {
            request = request.body("application/json", body.to_string());
        }
        self.curl.send(&request)
    }
}

impl User {
    /// The account's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A token of this user with all scopes.
    #[must_use]
    pub fn token(&self) -> &Secret {
        &self.token
    }

    /// Makes a token with `scopes`, such as `write:package` or `write:repository`.
    ///
    /// # Errors
    /// When the forge refuses.
    pub fn new_token(&self, scopes: &[&str]) -> Result<Secret> {
        #[derive(serde::Deserialize)]
        struct Answer {
            sha1: String,
        }
        // Both forges create a token only if the request has the user's password; another token is not enough.
        let who = Authorization::Basic(self.name.clone(), self.password.clone());
        let body = json!({ "name": random_hex()?, "scopes": scopes });
        let path = format!("/api/v1/users/{}/tokens", self.name);
        let response = self.client.send(who, Method::Post, &path, Some(&body))?;
        ensure!(response.status == 201, response.unexpected());
        Secret::single_line("the new token", response.json::<Answer>()?.sha1)
    }

    /// Makes an organisation that this user owns, and returns its random name.
    ///
    /// # Errors
    /// When the forge refuses.
    pub fn new_organization(&self) -> Result<String> {
        let name = format!("org-{}", &random_hex()?[..8]);
        let client = self.client.with_token(&self.token);
        client.expect(&[201], Method::Post, "/orgs", Some(&json!({ "username": name })))?;
        Ok(name)
    }

    /// Makes an empty repository with a random name and Actions switched on. `owner` is this user or an organisation of
    /// theirs.
    ///
    /// # Errors
    /// When the forge refuses.
    pub fn new_repository(&self, owner: &str, private: bool) -> Result<Repository> {
        self.new_repository_named(owner, &format!("repo-{}", &random_hex()?[..8]), private)
    }

    /// Like [`User::new_repository`], with a given name.
    ///
    /// # Errors
    /// When the forge refuses, or already has it.
    pub fn new_repository_named(&self, owner: &str, name: &str, private: bool) -> Result<Repository> {
        let client = self.client.with_token(&self.token);
        let path = if owner == self.name { "/user/repos".to_owned() } else { format!("/orgs/{owner}/repos") };
        let body = json!({ "name": name, "private": private, "default_branch": "main" });
        client.expect(&[201], Method::Post, &path, Some(&body))?;
        let switch = json!({ "has_actions": true, "has_releases": true, "has_packages": true });
        client.expect(&[200], Method::Patch, &format!("/repos/{owner}/{name}"), Some(&switch))?;
        let image: Image = format!("{}/{owner}/{name}", client.registry()).parse()?;
        Ok(Repository::new(client, owner.to_owned(), name.to_owned(), image))
    }
}
