//! What the forge must confirm about a commit, a token and the clock before a release begins.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;

use super::answers::AttachmentSettings;
use super::{Forgejo, PAGE_SIZE, status};
use crate::forge::{CiState, NO_TOKEN, Read as _};
use crate::http::{MAX_LISTING_SIZE, Method, Request};
use crate::inputs::config::{CiStatus, RepositoryName};
use crate::process::command_line::quote;
use crate::process::problem::Problem;
use crate::tool::git::Commit;

/// In seconds. With a larger clock skew, tokens and timestamps are worthless.
const MAX_CLOCK_SKEW: u64 = 120;

/// More pages of contexts than people would ever look at.
const MAX_STATUS_PAGES: usize = 40;

/// The finding that a commit is on none of the branches that may be released.
pub(super) struct OffBranches {
    /// The branches and the commits that they are at.
    pub(super) text: String,
    /// Whether the clone has the head of each of them.
    pub(super) is_certain: bool,
}

impl Forgejo {
    /// Whether this run may see the repository at all, and whether the repository still has the configured name,
    /// which runs and provenance refer to.
    pub(super) fn check_visibility(&self) -> Result<Option<Problem>> {
        let response = self.send(Request::new(Method::Get, self.url("")))?;
        let repository = self.config.source_url();
        match response.status {
            200 => self.renamed.get().map(|name| self.is_renamed(name)).transpose(),
            401 | 403 | 404 if self.token.is_none() => {
                let text = format!("`{repository}` is not there, or not public: {NO_TOKEN}");
                Ok(Some(Problem::new("forge token", text)))
            }
            401 | 403 | 404 => {
                let status = response.status;
                let text = format!(
                    "with `FORGEJO_TOKEN`, the forge answers {status} for `{repository}`: the token is wrong, has expired or \
                     lacks the scope `write:repository`, its account may not see that repository, or `forge` and `repository` \
                     in `Cargo.toml` name another"
                );
                Ok(Some(Problem::new("forge token", text)))
            }
            _ => Err(response.unexpected()),
        }
    }

    fn is_renamed(&self, name: &RepositoryName) -> Result<Problem> {
        let old = &self.config.repository;
        // Images belong to the owner, whatever the repository is called.
        let image = if name.owner == old.owner {
            format!(" (and `image = \"{}\"` if the image is to keep its name)", self.config.image()?)
        } else {
            String::new()
        };
        let text = format!(
            "`{old}` is now `{name}` on the forge; write `repository = \"{name}\"`{image} in `Cargo.toml` on the default \
             branch, run `cargo xtask policies`, commit both, and tag the next version there"
        );
        Ok(Problem::new("repository", text))
    }

    pub(super) fn check_branch(&self, commit: &Commit) -> Result<Option<Problem>> {
        let Some(OffBranches { text, .. }) = self.off_branches(commit)? else { return Ok(None) };
        let text = format!("{text}; merge it first, or add its branch to `branches` in `Cargo.toml`");
        Ok(Some(Problem::new("branch", text)))
    }

    /// Why `commit` is on no branch that may be released, as far as this clone shows.
    pub(super) fn off_branches(&self, commit: &Commit) -> Result<Option<OffBranches>> {
        let (mut seen, mut is_certain) = (Vec::new(), true);
        for name in &self.config.branches {
            let Some(head) = self.branch(name)? else { continue };
            if self.git.peel(head.as_str())?.is_none() {
                is_certain = false;
                seen.push(not_here(name, &head));
            } else if self.git.is_ancestor(commit, &head)? {
                return Ok(None);
            } else {
                seen.push(format!("`{name}` is at {head}"));
            }
        }
        let branches = self.config.branches.join("`, `");
        let found = if seen.is_empty() { "the forge has none of them".to_owned() } else { seen.join("; ") };
        let text =
            format!("{commit} is on none of the branches that may be released (`{branches}`): {found}");
        Ok(Some(OffBranches { text, is_certain }))
    }

    /// CI's result from the statuses of `commit`. All pages are read, because the newest statuses come first and the
    /// context that failed first is on the last page. Only an empty page marks the end: the server decides how many
    /// statuses a page has, and the total that Gitea reports is wrong.
    pub(super) fn read_ci_state(&self, commit: &Commit) -> Result<CiState> {
        if self.config.ci_status == CiStatus::Off {
            return Ok(CiState::Green);
        }
        let (mut statuses, mut left) = (Vec::new(), MAX_LISTING_SIZE);
        for page in 1..=MAX_STATUS_PAGES {
            let path = format!("commits/{commit}/status?limit={PAGE_SIZE}&page={page}");
            let combined: Option<status::Combined> = self.get_page(&path, &mut left)?;
            let combined =
                combined.with_context(|| format!("the forge does not know the commit {commit}"))?;
            let found = combined.statuses.unwrap_or_default();
            if found.is_empty() {
                return Ok(status::judge(&statuses, &self.config.ci_contexts, &self.own_run));
            }
            statuses.extend(found);
        }
        bail!("listing the statuses of {commit}: no end after {MAX_STATUS_PAGES} pages")
    }

    pub(super) fn check_clock(&self) -> Result<Option<Problem>> {
        let response = self.send(Request::new(Method::Get, format!("{}/version", self.api)))?;
        ensure!(response.status == 200, response.unexpected());
        let date = response.header("Date").with_context(|| format!("{response} without a `Date`"))?;
        let theirs = crate::process::time::parse_http_date(date)?;
        let skew = theirs.abs_diff(crate::process::time::now()?);
        Ok((skew > MAX_CLOCK_SKEW).then(|| {
            Problem::new("clock", format!("this machine's clock is {skew} s off the forge's; set it, for example with `timedatectl set-ntp true`"))
        }))
    }

    /// Whether the forge accepts files for its pages at all. The types and sizes that it reports are those for
    /// issues, and it may not answer this query: whether it accepts a file shows only at the upload.
    pub(super) fn check_attachments(&self) -> Result<Option<Problem>> {
        let response = self.send(Request::new(Method::Get, format!("{}/settings/attachment", self.api)))?;
        if matches!(response.status, 401 | 403 | 404) {
            return Ok(None);
        }
        ensure!(response.status == 200, response.unexpected());
        let AttachmentSettings { enabled } = response.json()?;
        Ok((!enabled).then(|| {
            let text = "the forge accepts no files for release pages, which need them for the attestations and the SBOM; its administrator \
                        can allow them with `ENABLED = true` in `[attachment]` of its `app.ini`";
            Problem::new("attachments", text)
        }))
    }

    /// Whether the token may write release pages. A forge checks that before it looks for the page, and no page has
    /// the id 0 (docs/facts.md#right-to-write).
    pub(super) fn check_right(&self) -> Result<Option<Problem>> {
        if self.token.is_none() {
            return Ok(None);
        }
        let response = self.send(self.request(Method::Patch, "releases/0", &json!({})))?;
        match response.status {
            404 => Ok(None),
            403 => {
                let repository = &self.config.repository;
                Ok(Some(Problem::new(
                    "forge token",
                    format!(
                        "the token may not write release pages of `{repository}`: set `FORGEJO_TOKEN` to one with the scope \
                         `write:repository`, of an account that may write there"
                    ),
                )))
            }
            _ => Err(response.unexpected()),
        }
    }

    pub(super) fn check_token(&self) -> Option<Problem> {
        self.token.is_none().then(|| Problem::new("forge token", NO_TOKEN))
    }
}

/// The branch name is quoted, because it may contain a shell command.
fn not_here(name: &str, head: &Commit) -> String {
    format!("`{name}` is at {head}, which is not in this clone (`git fetch origin {}`)", quote(name))
}

#[cfg(test)]
mod tests {
    use super::not_here;
    use crate::tool::git::Commit;

    #[test]
    fn a_branch_name_is_quoted_in_a_suggested_command() {
        let head = Commit::parse(&"a".repeat(40)).unwrap();
        assert!(not_here("main", &head).ends_with("(`git fetch origin main`)"));
        assert!(not_here("x;$(id)", &head).ends_with("(`git fetch origin 'x;$(id)'`)"));
    }
}
