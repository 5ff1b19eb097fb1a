//! What anyone may ask of the forge and its registry.

use std::collections::BTreeSet;

use anyhow::Result;
use serde::Deserialize;

use super::http::{Answer, Server};

/// A manifest is only shown to who says which kinds it takes.
const ACCEPT: &str = "Accept: application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json";

/// An anonymous client of one project.
pub(super) struct Anonymous {
    server: Server,
    /// `owner/name`, of the repository and of its image alike.
    name: String,
    token: String,
}

impl Anonymous {
    /// Of the project `name` on the forge at `url`.
    pub(super) fn new(url: &str, name: &str) -> Result<Self> {
        let (server, name) = (Server::of(url)?, name.to_owned());
        let mut anonymous = Self { server, name, token: String::new() };
        anonymous.token = anonymous.new_token()?;
        Ok(anonymous)
    }

    /// The tags of all release pages.
    pub(super) fn pages(&self) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Page {
            tag_name: String,
        }
        let path = format!("/api/v1/repos/{}/releases?limit=50", self.name);
        let pages: Vec<Page> = self.server.ask("GET", &path, &[])?.json()?;
        Ok(pages.into_iter().map(|page| page.tag_name).collect())
    }

    /// All tags of the image; none where there is no image.
    pub(super) fn tags(&mut self) -> Result<BTreeSet<String>> {
        #[derive(Deserialize)]
        struct Tags {
            tags: Option<BTreeSet<String>>,
        }
        let answer = self.registry("GET", "tags/list?n=100", &[])?;
        if answer.status == 404 {
            return Ok(BTreeSet::new());
        }
        Ok(answer.json::<Tags>()?.tags.unwrap_or_default())
    }

    /// What a tag names; `None` where there is none.
    pub(super) fn digest(&mut self, tag: &str) -> Result<Option<String>> {
        let answer = self.registry("HEAD", &format!("manifests/{tag}"), &[ACCEPT])?;
        Ok(answer.header("Docker-Content-Digest").filter(|_| answer.status == 200).map(str::to_owned))
    }

    /// The manifest of a digest.
    pub(super) fn manifest(&mut self, digest: &str) -> Result<Answer> {
        self.registry("GET", &format!("manifests/{digest}"), &[ACCEPT])
    }

    fn registry(&mut self, method: &str, rest: &str, headers: &[&str]) -> Result<Answer> {
        let path = format!("/v2/{}/{rest}", self.name);
        let ask = |token: &str| {
            let authorization = format!("Authorization: Bearer {token}");
            self.server.ask(method, &path, &[headers, &[&authorization]].concat())
        };
        let answer = ask(&self.token)?;
        if answer.status != 401 {
            return Ok(answer);
        }
        let token = self.new_token()?;
        let answer = ask(&token)?;
        self.token = token;
        Ok(answer)
    }

    /// What anyone gets who asks.
    fn new_token(&self) -> Result<String> {
        #[derive(Deserialize)]
        struct Token {
            token: String,
        }
        let path = format!("/v2/token?service=container_registry&scope=repository:{}:pull", self.name);
        Ok(self.server.ask("GET", &path, &[])?.json::<Token>()?.token)
    }
}
