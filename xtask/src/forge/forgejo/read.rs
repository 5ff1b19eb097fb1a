//! What anyone may read from a forge.

use anyhow::{Context as _, Result, bail};

use super::answers::{Branch, Release, Repository, TagAnswer};
use super::{Forgejo, PAGE_SIZE, branches};
use crate::evidence::assets::Listed;
use crate::evidence::page::PublishedPage;
use crate::forge::{BranchHead, CiState, Read, RunLookup};
use crate::http::{MAX_LISTING_SIZE, Method, Request};
use crate::inputs::signers::SignedTag;
use crate::inputs::version::ReleaseTag;
use crate::process::problem::Problem;
use crate::tool::git::Commit;

/// More pages than the releases of one repository fill.
const MAX_PAGES: usize = 200;

impl Read for Forgejo {
    fn run(&self, id: u64) -> Result<RunLookup> {
        self.read_run(id)
    }

    fn ci_state(&self, commit: &Commit) -> Result<CiState> {
        self.read_ci_state(commit)
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

    fn tag_object(&self, tag: SignedTag<'_>) -> Result<Option<Commit>> {
        let answer: Option<TagAnswer> = self.get(&format!("tags/{tag}"))?;
        answer.map(|found| Commit::parse(&found.id)).transpose()
    }

    fn default_branch(&self) -> Result<Option<BranchHead>> {
        let repository = &self.config.repository;
        let found: Option<Repository> = self.get("")?;
        let name = found.with_context(|| format!("the forge has no `{repository}`"))?.default_branch;
        let head = self.branch(&name)?;
        let head = head.with_context(|| {
            format!("`{name}`, the forge's default branch of `{repository}`, is not there; push it first")
        })?;
        Ok(Some(BranchHead { name, head }))
    }

    fn branch(&self, name: &str) -> Result<Option<Commit>> {
        branches::check_name(name)?;
        let branch: Option<Branch> = self.get(&format!("branches/{name}"))?;
        branch.map(|branch| Commit::parse(&branch.commit.id)).transpose()
    }

    fn file(&self, commit: &Commit, path: &str) -> Result<Option<Vec<u8>>> {
        let response = self.send(Request::new(Method::Get, self.url(&format!("raw/{path}?ref={commit}"))))?;
        match response.status {
            200 => Ok(Some(response.body)),
            404 => self.check_public().map(|()| None),
            _ => Err(response.unexpected()),
        }
    }

    fn page(&self, tag: &ReleaseTag) -> Result<Option<PublishedPage>> {
        let release: Option<Release> = self.get(&format!("releases/tags/{tag}"))?;
        release.map(|release| release.into_page(tag)).transpose()
    }

    fn pages(&self) -> Result<Vec<PublishedPage>> {
        let (mut pages, mut left) = (Vec::new(), MAX_LISTING_SIZE);
        for number in 1..=MAX_PAGES {
            let path = format!("releases?limit={PAGE_SIZE}&page={number}");
            let listed: Option<Vec<Release>> = self.get_page(&path, &mut left)?;
            let listed = listed.with_context(|| format!("the forge has no `{}`", self.config.repository))?;
            if listed.is_empty() {
                return Ok(pages);
            }
            // Other tags may have releases as well; they are ignored here.
            for release in listed {
                if let Ok(tag) = release.tag_name.parse() {
                    pages.push(release.into_page(&tag)?);
                }
            }
        }
        bail!("listing the releases of `{}`: no end after {MAX_PAGES} pages", self.config.repository)
    }

    fn assets(&self, tag: &ReleaseTag, wanted: &[&Listed]) -> Vec<Result<Option<Vec<u8>>>> {
        self.download(tag, wanted)
    }

    fn shows_as_latest(&self, highest: &ReleaseTag) -> Result<bool> {
        let latest: Option<Release> = self.get("releases/latest")?;
        let is_shown = latest.is_some_and(|latest| latest.tag_name == highest.to_string());
        Ok(is_shown || self.page(highest)?.is_none())
    }

    fn raw_address(&self, commit: &Commit, path: &str) -> Option<String> {
        Some(super::raw_address(&self.config, commit, path))
    }
}
