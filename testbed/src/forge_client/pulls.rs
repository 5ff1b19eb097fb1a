//! Pull requests, as people open and merge them.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde::Deserialize;
use serde_json::json;
use xtask::http::Method;

use super::Repository;

/// The forge checks a new pull request in the background and merges it only after that.
const TIMEOUT: Duration = Duration::from_secs(30);
const INTERVAL: Duration = Duration::from_millis(100);

/// `POST /repos/{o}/{r}/pulls`
#[derive(Deserialize)]
struct Pull {
    number: u64,
}

impl Repository {
    /// Opens a pull request of `branch` into `main`, merges it in the forge's `style` (`merge`, `rebase`, `squash`, …), and
    /// returns its number.
    ///
    /// # Errors
    /// When the forge refuses.
    pub fn merge_pull_request(&self, branch: &str, style: &str) -> Result<u64> {
        let body = json!({ "base": "main", "head": branch, "title": format!("from {branch}") });
        let pull: Pull =
            self.client.expect(&[201], Method::Post, &self.path("pulls"), Some(&body))?.json()?;
        let (path, body) = (self.path(&format!("pulls/{}/merge", pull.number)), json!({ "Do": style }));
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let response = self.client.api(Method::Post, &path, Some(&body))?;
            if response.status == 200 {
                return Ok(pull.number);
            }
            let may_retry = matches!(response.status, 405 | 409 | 423) && Instant::now() < deadline;
            ensure!(may_retry, response.unexpected());
            thread::sleep(INTERVAL);
        }
    }
}
