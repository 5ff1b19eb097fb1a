//! What needs a forge's own command line: creating an administrator, and a token for a runner.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use xshell::cmd;
use xtask::http::{Authorization, Curl, Method, Request};
use xtask::process::secret::Secret;
use xtask::process::temp_dir::random_hex;

use super::{ADMIN_TOKEN, NAME};
use crate::context::Context;
use crate::files::{private_dir, read_file, write_private};

/// Enough for one command.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A forge that answers, and that we administer on its command line.
pub(crate) struct Forge {
    /// Without a trailing slash.
    pub(crate) url: String,
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) runner_token: &'static [&'static str],
    pub(super) environment: Vec<(&'static str, String)>,
}

impl Forge {
    /// Runs its command line for administrators. The output may be a secret.
    fn administer(&self, cx: &Context, words: &[&str]) -> Result<String> {
        let (shell, program, arguments) = (cx.runner.shell()?, &self.program, &self.arguments);
        let mut call = cx.runner.call(cmd!(shell, "{program} {arguments...} {words...}"));
        for (key, value) in &self.environment {
            call = call.env(key, value);
        }
        // Warnings about the configuration come first, on the same stream.
        Ok(call.read()?.lines().last().unwrap_or_default().to_owned())
    }

    /// The token that registers a runner.
    pub(crate) fn runner_token(&self, cx: &Context) -> Result<Secret> {
        let token =
            self.administer(cx, self.runner_token).context("requesting a runner's token from the forge")?;
        Secret::single_line("the runner's registration token", token)
    }

    /// The administrator's token of this forge. It is made if there is none that the forge knows.
    pub(super) fn admin_token(&self, cx: &Context) -> Result<Secret> {
        let dir = cx.layout.run(NAME);
        private_dir(&dir)?;
        let path = dir.join("admin-token");
        if let Some(token) = read_file(&path)? {
            let token = Secret::single_line(ADMIN_TOKEN, token)?;
            if self.knows(cx, &token)? {
                return Ok(token);
            }
        }
        // A new name each time: a run that was killed between the two calls has left its user behind.
        let name = format!("testbed-{}", &random_hex()?[..8]);
        let email = format!("{name}@example.org");
        let create = ["admin", "user", "create", "--username", &name, "--email", &email, "--admin"];
        let flags = ["--random-password", "--must-change-password=false"];
        self.administer(cx, &[&create[..], &flags].concat()).context("making the forge's administrator")?;
        let generate =
            ["admin", "user", "generate-access-token", "--username", &name, "--token-name", "testbed"];
        let token = self.administer(cx, &[&generate[..], &["--scopes", "all", "--raw"]].concat());
        let token = token.context("making the administrator's token")?;
        ensure!(
            token.len() == 40 && token.chars().all(|c| c.is_ascii_hexdigit()),
            "making the administrator's token: `admin user generate-access-token --raw` printed something else"
        );
        write_private(&path, &token)?;
        Secret::single_line(ADMIN_TOKEN, token)
    }

    /// Whether the forge knows `token`. Another forge may have run here before, with the same state directory.
    fn knows(&self, cx: &Context, token: &Secret) -> Result<bool> {
        let request = Request::new(Method::Get, format!("{}/api/v1/user", self.url))
            .authorization(Authorization::Token(token.clone()));
        let response = Curl::new(&cx.runner, TIMEOUT).send(&request)?;
        match response.status {
            200 => Ok(true),
            401 => Ok(false),
            _ => Err(response.unexpected()),
        }
    }
}
