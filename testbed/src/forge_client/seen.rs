//! What people see of a repository on the web, and which notifications they get.

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::json;
use xtask::http::{Authorization, Method};

use super::{Repository, User};

/// `POST /repos/{o}/{r}/issues`
#[derive(Deserialize)]
struct Issue {
    number: u64,
}

/// `GET /notifications`
#[derive(Deserialize)]
struct Thread {
    subject: Subject,
}

#[derive(Deserialize)]
struct Subject {
    title: String,
}

/// `GET /repos/{o}/{r}/issues/{number}/timeline`
#[derive(Deserialize)]
struct Event {
    id: u64,
    r#type: String,
}

impl User {
    /// The titles of all notifications of this user, read or not.
    ///
    /// # Errors
    /// When the forge refuses.
    pub fn notifications(&self) -> Result<Vec<String>> {
        let client = self.client.with_token(&self.token);
        let threads: Vec<Thread> =
            client.expect(&[200], Method::Get, "/notifications?all=true", None)?.json()?;
        Ok(threads.into_iter().map(|thread| thread.subject.title).collect())
    }
}

impl Repository {
    /// Opens an issue, and returns its number.
    ///
    /// # Errors
    /// When the forge refuses.
    pub fn open_issue(&self, title: &str, body: &str) -> Result<u64> {
        let body = json!({ "title": title, "body": body });
        let issue: Issue =
            self.client.expect(&[201], Method::Post, &self.path("issues"), Some(&body))?.json()?;
        Ok(issue.number)
    }

    /// The events of an issue, including references to it.
    ///
    /// # Errors
    /// When the forge refuses.
    pub fn timeline(&self, issue: u64) -> Result<Vec<String>> {
        let path = self.path(&format!("issues/{issue}/timeline?limit=50"));
        // `null` if there are none.
        let events: Option<Vec<Event>> = self.client.expect(&[200], Method::Get, &path, None)?.json()?;
        let events = events.unwrap_or_default().into_iter();
        Ok(events.map(|event| format!("{} {}", event.id, event.r#type)).collect())
    }

    /// The page of a release, as a browser without a login gets it.
    ///
    /// # Errors
    /// When the forge refuses.
    pub fn release_html(&self, tag: &str) -> Result<String> {
        let path = format!("/{}/releases/tag/{tag}", self.full_name());
        let response = self.client.send(Authorization::Anonymous, Method::Get, &path, None)?;
        ensure!(response.status == 200, response.unexpected());
        String::from_utf8(response.body).context("reading the page of a release")
    }
}
