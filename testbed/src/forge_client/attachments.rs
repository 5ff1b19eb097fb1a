//! The files of releases, as a person attaches and removes them in a browser.

use anyhow::{Context as _, Result, ensure};
use xtask::http::{Authorization, Method, Request};

use super::Repository;

impl Repository {
    /// Adds a file to the page of `tag`, even if there is one with that name.
    ///
    /// # Errors
    /// When the forge refuses, or there is no page.
    pub fn attach(&self, tag: &str, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path(&format!("releases/{}/assets?name={name}", self.number(tag)?));
        let request = Request::new(Method::Post, format!("{}/api/v1{path}", self.client.url()));
        let request = request.authorization(Authorization::Token(self.client.token.clone()));
        let response = self.client.curl.send(&request.body("application/octet-stream", bytes))?;
        ensure!(response.status == 201, response.unexpected());
        Ok(())
    }

    /// The content of the file `name` on the page of `tag`.
    ///
    /// # Errors
    /// When the forge refuses, or there is no such file.
    pub fn file(&self, tag: &str, name: &str) -> Result<Vec<u8>> {
        let request = Request::new(Method::Get, format!("{}/releases/download/{tag}/{name}", self.url()));
        let request = request.authorization(Authorization::Token(self.client.token.clone()));
        let response = self.client.curl.send(&request)?;
        ensure!(response.status == 200, response.unexpected());
        Ok(response.body)
    }

    /// Removes every file of that name from the page of `tag`.
    ///
    /// # Errors
    /// When the forge refuses, or there is no such file.
    pub fn detach(&self, tag: &str, name: &str) -> Result<()> {
        let page = self.release(tag)?.with_context(|| format!("there is no page of `{tag}`"))?;
        let found: Vec<_> = page.assets.iter().filter(|asset| asset.name == name).collect();
        ensure!(!found.is_empty(), "the page of `{tag}` has no file `{name}`");
        for asset in found {
            let path = self.path(&format!("releases/{}/assets/{}", self.number(tag)?, asset.id));
            self.client.expect(&[204], Method::Delete, &path, None)?;
        }
        Ok(())
    }

    /// The forge's own number for the page of `tag`.
    fn number(&self, tag: &str) -> Result<u64> {
        let page = self.release(tag)?.with_context(|| format!("there is no page of `{tag}`"))?;
        Ok(page.id)
    }
}
