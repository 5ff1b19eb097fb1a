//! What anyone can query from the forge and its registry.

use std::collections::BTreeSet;

use anyhow::Result;
use serde::Deserialize;
use xtask::evidence::assets;
use xtask::evidence::page::Format;

use crate::forge_client::Asset;

use super::http::{Answer, Server};

/// A registry shows a manifest only to a client that accepts its media type.
const ACCEPT: &str = "Accept: application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json";

/// The fields of a release page that the watcher checks.
#[derive(Deserialize)]
pub(super) struct Page {
    pub(super) tag_name: String,
    pub(super) body: String,
    pub(super) assets: Vec<Asset>,
}

impl Page {
    /// The files that a page's commands name and that the page does not have. A page made by a person names none.
    pub(super) fn missing_files(&self) -> Result<Vec<String>> {
        if Format::of(&self.body) != Ok(Format::Two) {
            return Ok(Vec::new());
        }
        let has = |name: &String| self.assets.iter().any(|asset| asset.name == *name);
        Ok(assets::names(&self.tag_name.parse()?).into_iter().filter(|name| !has(name)).collect())
    }
}

/// An anonymous client of one project.
pub(super) struct Anonymous {
    server: Server,
    /// `owner/name`, of both the repository and its image.
    name: String,
    token: String,
}

impl Anonymous {
    /// A client for the project `name` on the forge at `url`.
    pub(super) fn new(url: &str, name: &str) -> Result<Self> {
        let (server, name) = (Server::of(url)?, name.to_owned());
        let mut anonymous = Self { server, name, token: String::new() };
        anonymous.token = anonymous.new_token()?;
        Ok(anonymous)
    }

    /// All release pages.
    pub(super) fn pages(&self) -> Result<Vec<Page>> {
        let path = format!("/api/v1/repos/{}/releases?limit=50", self.name);
        self.server.ask("GET", &path, &[])?.json()
    }

    /// All tags of the image; none if there is no image.
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

    /// The digest that a tag names; `None` if there is no such tag.
    pub(super) fn digest(&mut self, tag: &str) -> Result<Option<String>> {
        let answer = self.registry("HEAD", &format!("manifests/{tag}"), &[ACCEPT])?;
        Ok(answer.header("Docker-Content-Digest").filter(|_| answer.status == 200).map(str::to_owned))
    }

    /// The manifest with a digest.
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

    /// The token that anonymous clients get.
    fn new_token(&self) -> Result<String> {
        #[derive(Deserialize)]
        struct Token {
            token: String,
        }
        let path = format!("/v2/token?service=container_registry&scope=repository:{}:pull", self.name);
        Ok(self.server.ask("GET", &path, &[])?.json::<Token>()?.token)
    }
}

#[cfg(test)]
mod tests {
    use super::Page;
    use serde_json::json;
    use xtask::evidence::assets;
    use xtask::evidence::page::Format;

    #[test]
    fn files_that_a_page_names_but_lacks_are_reported() {
        let page = |body: &str, assets: &[&str]| -> Page {
            let assets: Vec<_> = assets.iter().map(|name| json!({ "id": 1, "name": name })).collect();
            let page = json!({ "tag_name": "v0.1.0", "body": body, "assets": assets });
            serde_json::from_value(page).unwrap()
        };
        let mark = Format::Two.mark();
        let names = assets::names(&"v0.1.0".parse().unwrap());
        let all: Vec<_> = names.iter().map(String::as_str).collect();
        assert!(page(&mark, &all).missing_files().unwrap().is_empty());
        assert_eq!(page(&mark, &all[1..]).missing_files().unwrap(), names[..1]);
        assert!(page("by hand", &[]).missing_files().unwrap().is_empty());
    }
}
