//! What the forge must say of a commit, a token and a clock before a release begins.

use anyhow::{Context as _, Result, ensure};

use super::answers::Branch;
use super::{Forgejo, status};
use crate::config::CiStatus;
use crate::release::preflight::Problem;
use crate::tool::curl::Request;
use crate::tool::git::Commit;

/// A clock further off than this makes tokens and time stamps worthless.
const MOST_CLOCK_SKEW: u64 = 120;

impl Forgejo {
    pub(super) fn check_branch(&self, commit: &Commit) -> Result<Option<Problem>> {
        let mut seen = Vec::new();
        for name in &self.config.branches {
            let Some(branch) = self.get::<Branch>(&format!("branches/{name}"))? else { continue };
            let head = Commit::parse(&branch.commit.id)?;
            if self.git.peel(head.as_str())?.is_none() {
                seen.push(format!(
                    "`{name}` is at {head}, which is not in this clone (`git fetch origin {name}`)"
                ));
            } else if self.git.is_ancestor(commit, &head)? {
                return Ok(None);
            } else {
                seen.push(format!("`{name}` is at {head}"));
            }
        }
        let branches = self.config.branches.join("`, `");
        let found = if seen.is_empty() { "the forge has none of them".to_owned() } else { seen.join("; ") };
        let text = format!(
            "{commit} is on none of the branches that may be released (`{branches}`): {found}; merge it first, \
             or add its branch to `branches` in `Cargo.toml`"
        );
        Ok(Some(Problem::new("branch", text)))
    }

    pub(super) fn check_status(&self, commit: &Commit) -> Result<Option<Problem>> {
        if self.config.ci_status == CiStatus::Off {
            return Ok(None);
        }
        let combined = self.get(&format!("commits/{commit}/status"))?;
        let combined = combined.with_context(|| format!("the forge does not know the commit {commit}"))?;
        Ok(status::judge(&combined, &self.own_run).err().map(|text| Problem::new("ci status", text)))
    }

    pub(super) fn check_clock(&self) -> Result<Option<Problem>> {
        let response = self.send(Request::new("GET", format!("{}/version", self.api)))?;
        ensure!(response.status == 200, response.unexpected());
        let date = response.header("Date").with_context(|| format!("{response} without a `Date`"))?;
        let theirs = crate::time::parse_http_date(date)?;
        let skew = theirs.abs_diff(crate::time::now()?);
        Ok((skew > MOST_CLOCK_SKEW).then(|| {
            Problem::new("clock", format!("this machine's clock is {skew} s off the forge's; set it, for example with `timedatectl set-ntp true`"))
        }))
    }

    pub(super) fn check_token(&self) -> Option<Problem> {
        self.token.is_none().then(|| {
            Problem::new(
                "forge token",
                "`FORGEJO_TOKEN` is not set; in a workflow write `FORGEJO_TOKEN: ${{ github.token }}` into the step's `env`, \
                 elsewhere make a token with `write:repository` in your settings on the forge",
            )
        })
    }
}
