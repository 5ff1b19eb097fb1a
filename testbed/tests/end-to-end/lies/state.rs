//! Everything of a release that someone else could change, and how it is restored.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use testbed::forge_client::Client;
use xtask::http::Method;
use xtask::oci::reference::Digest;

use super::registry::Registry;
use crate::forge::project::Project;
use crate::harness::{environment, wait_for};

/// What is public under the release's names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct State {
    /// Every tag of the image.
    tags: BTreeMap<String, Digest>,
    /// The manifests of the platforms, by digest.
    manifests: Vec<Digest>,
    page: Option<Page>,
    git_tag: Option<String>,
}

/// The parts of the page that a reader sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) body: String,
    pub(super) draft: bool,
    pub(super) prerelease: bool,
}

/// The forge's API for one page and one tag, with an administrator's rights.
pub(super) struct Forge {
    client: Client,
    repository: String,
    tag: String,
}

impl State {
    /// The current state, with those of `manifests` that exist.
    pub(super) fn of(registry: &Registry, forge: &Forge, manifests: &[Digest]) -> Result<Self> {
        let mut found = Vec::new();
        for digest in manifests {
            found.extend(registry.find(digest.as_str())?.map(|manifest| manifest.digest()));
        }
        let page = forge.find()?.map(|(_, page)| page);
        Ok(Self { tags: registry.tags()?, manifests: found, page, git_tag: forge.git_tag()? })
    }

    /// Restores this state. `kept` has a copy of each manifest.
    pub(super) fn put_back(
        &self,
        project: &Project,
        registry: &Registry,
        kept: &Registry,
        forge: &Forge,
    ) -> Result<()> {
        let now = Self::of(registry, forge, &self.manifests)?;
        for digest in self.manifests.iter().filter(|digest| !now.manifests.contains(digest)) {
            registry.copy(digest.as_str(), kept)?;
        }
        for tag in now.tags.keys().filter(|tag| !self.tags.contains_key(*tag)) {
            registry.delete(tag)?;
        }
        for (tag, digest) in self.tags.iter().filter(|(tag, digest)| now.tags.get(*tag) != Some(digest)) {
            registry.copy(tag, kept).with_context(|| format!("putting `{tag}` back on {digest}"))?;
        }
        if now.git_tag != self.git_tag {
            forge.push_tag(project, &format!("refs/tags/{}", forge.tag))?;
        }
        match (&self.page, forge.find()?) {
            (Some(page), Some((_, found))) if *page == found => {}
            (Some(page), Some(_)) => forge.change(&page.json())?,
            (Some(page), None) => forge.publish(page)?,
            (None, _) => {}
        }
        let after = Self::of(registry, forge, &self.manifests)?;
        ensure!(&after == self, "after the undo it is {after:#?}\nand was {self:#?}");
        Ok(())
    }
}

impl Page {
    fn read(answer: &Value) -> Result<Self> {
        let flag = |key: &str| answer[key].as_bool().with_context(|| format!("a page without `{key}`"));
        let body = answer["body"].as_str().context("a page without a body")?.to_owned();
        Ok(Self { body, draft: flag("draft")?, prerelease: flag("prerelease")? })
    }

    fn json(&self) -> Value {
        json!({ "body": self.body, "draft": self.draft, "prerelease": self.prerelease })
    }
}

impl Forge {
    /// For `tag` of `project`.
    pub(super) fn new(project: &Project, tag: &str) -> Result<Self> {
        let client = Client::from_environment(&environment())?;
        Ok(Self { client, repository: project.repository.full_name(), tag: tag.to_owned() })
    }

    fn ask(&self, method: Method, rest: &str, body: Option<&Value>) -> Result<Option<Value>> {
        let response = self.client.api(method, &format!("/repos/{}/{rest}", self.repository), body)?;
        match response.status {
            200 | 201 => response.json().map(Some),
            204 | 404 => Ok(None),
            _ => Err(response.unexpected()),
        }
    }

    /// The page and its number, even if it is a draft.
    fn find(&self) -> Result<Option<(u64, Page)>> {
        let pages = self.ask(Method::Get, "releases?limit=50", None)?.context("the forge lists no pages")?;
        let is_ours = |page: &&Value| page["tag_name"].as_str() == Some(&*self.tag);
        let Some(found) = pages.as_array().into_iter().flatten().find(is_ours) else { return Ok(None) };
        Ok(Some((found["id"].as_u64().context("a page without `id`")?, Page::read(found)?)))
    }

    /// The page, which must be there.
    pub(super) fn page(&self) -> Result<Page> {
        Ok(self.find()?.context("there is no page")?.1)
    }

    /// Changes fields of the page.
    pub(super) fn change(&self, fields: &Value) -> Result<()> {
        let (id, _) = self.find()?.context("there is no page to change")?;
        self.ask(Method::Patch, &format!("releases/{id}"), Some(fields))?
            .context("the page is gone")
            .map(|_| ())
    }

    fn publish(&self, page: &Page) -> Result<()> {
        let mut fields = page.json();
        fields["tag_name"] = self.tag.clone().into();
        fields["name"] = format!("carol {}", self.tag).into();
        self.ask(Method::Post, "releases", Some(&fields))?.context("the page was not made").map(|_| ())
    }

    /// The commit of the tag.
    pub(super) fn git_tag(&self) -> Result<Option<String>> {
        let found = self.ask(Method::Get, &format!("tags/{}", self.tag), None)?;
        found
            .map(|tag| tag["commit"]["sha"].as_str().map(str::to_owned).context("a tag without a commit"))
            .transpose()
    }

    /// Pushes the commit or tag `what` to the tag, wherever the tag is.
    pub(super) fn push_tag(&self, project: &Project, what: &str) -> Result<()> {
        let refspec = format!("+{what}:refs/tags/{}", self.tag);
        project.repository.push(project.checkout.top(), &[&refspec])
    }

    /// Deletes the tag, and waits until the forge has turned the page into a draft.
    pub(super) fn delete_tag(&self, project: &Project) -> Result<()> {
        project.repository.push(project.checkout.top(), &[&format!(":refs/tags/{}", self.tag)])?;
        wait_for("the page to follow its tag", || Ok(self.page()?.draft.then_some(())))
    }
}
