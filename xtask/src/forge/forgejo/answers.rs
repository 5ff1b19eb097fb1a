//! The parts of the API's answers that are read.

use anyhow::{Result, ensure};
use serde::Deserialize;

use crate::evidence::assets::Listed;
use crate::evidence::page::{Page, PublishedPage};
use crate::inputs::version::ReleaseTag;
use crate::tool::git::Commit;

/// `GET /repos/{o}/{r}/tags/{tag}`; `id` is the tag object of an annotated tag, `commit` is peeled.
#[derive(Deserialize)]
pub(super) struct TagAnswer {
    pub(super) id: String,
    pub(super) commit: TagCommit,
}

#[derive(Deserialize)]
pub(super) struct TagCommit {
    pub(super) sha: String,
}

/// `GET /repos/{o}/{r}`.
#[derive(Deserialize)]
pub(super) struct Repository {
    pub(super) default_branch: String,
}

/// `GET /repos/{o}/{r}/branches/{branch}`.
#[derive(Deserialize)]
pub(super) struct Branch {
    pub(super) commit: BranchCommit,
}

#[derive(Deserialize)]
pub(super) struct BranchCommit {
    pub(super) id: String,
}

/// A release.
#[derive(Deserialize)]
pub(super) struct Release {
    pub(super) id: u64,
    pub(super) tag_name: String,
    pub(super) target_commitish: String,
    pub(super) name: String,
    pub(super) body: String,
    pub(super) draft: bool,
    pub(super) prerelease: bool,
    pub(super) html_url: String,
    #[serde(default)]
    pub(super) assets: Vec<Attachment>,
}

/// `GET /settings/attachment`
#[derive(Deserialize)]
pub(super) struct AttachmentSettings {
    pub(super) enabled: bool,
}

/// A file of a release.
#[derive(Deserialize)]
pub(super) struct Attachment {
    id: u64,
    name: String,
    size: u64,
}

impl From<Attachment> for Listed {
    fn from(Attachment { id, name, size }: Attachment) -> Self {
        Self { id, name, size }
    }
}

impl Release {
    /// The release as a page of `tag`. The forge finds tags case-insensitively, so the name is compared.
    pub(super) fn into_page(self, tag: &ReleaseTag) -> Result<PublishedPage> {
        ensure!(
            self.tag_name == tag.to_string(),
            "the forge answered with the release of `{}` for `{tag}`",
            self.tag_name
        );
        // A page that a person made names a branch, or nothing. Such a page says nothing about the commit.
        let commit =
            Commit::parse(&self.target_commitish).or_else(|_no_commit| Commit::parse(&"0".repeat(40)))?;
        let page =
            Page { tag: tag.clone(), commit, title: self.name, body: self.body, prerelease: self.prerelease };
        let assets = self.assets.into_iter().map(Listed::from).collect();
        Ok(PublishedPage { id: self.id, page, draft: self.draft, address: self.html_url, assets })
    }
}

#[cfg(test)]
mod tests {
    use super::{Release, TagAnswer};
    use serde_json::Value;

    /// The answers that the two servers gave (docs/facts.md#recorded-answers).
    fn recorded(probe: &str) -> Vec<Value> {
        let servers = [
            include_str!("../../../testdata/forgejo-15.0.3.jsonl"),
            include_str!("../../../testdata/gitea-1.26.0.jsonl"),
        ];
        let answer = |server: &str| {
            let lines = server.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            lines.into_iter().find(|line| line["probe"] == probe).unwrap()["response"].clone()
        };
        servers.into_iter().map(answer).collect()
    }

    #[test]
    fn an_annotated_tag_is_read_as_its_commit_on_both_servers() {
        for response in recorded("tag after push (annotated)") {
            let tag: TagAnswer = serde_json::from_value(response["body"].clone()).unwrap();
            assert_ne!(tag.id, tag.commit.sha, "the tag object is not the commit");
            assert_eq!((tag.id.len(), tag.commit.sha.len()), (40, 40));
        }
    }

    #[test]
    fn a_release_is_read_on_both_servers_and_belongs_to_its_tag() {
        for response in recorded("release by tag: published") {
            let read = || serde_json::from_value::<Release>(response["body"].clone()).unwrap();
            let page = read().into_page(&"v0.1.0".parse().unwrap()).unwrap();
            assert!(!page.draft && !page.page.prerelease);
            assert_eq!(page.page.commit.as_str(), response["body"]["target_commitish"].as_str().unwrap());
            assert!(read().into_page(&"v0.1.1".parse().unwrap()).is_err());
        }
        for response in recorded("draft by tag: writer") {
            let release: Release = serde_json::from_value(response["body"].clone()).unwrap();
            assert!(release.into_page(&"v0.2.0".parse().unwrap()).unwrap().draft);
        }
    }

    #[test]
    fn both_servers_answer_with_the_same_status_codes() {
        for (probe, status) in [
            ("create on pushed tag", 201),
            ("create again: duplicate", 409),
            ("create over draft", 409),
            ("release by tag: tag-only row", 404),
            ("bad token", 401),
        ] {
            for response in recorded(probe) {
                assert_eq!(response["status"], status, "{probe}");
            }
        }
    }
}
