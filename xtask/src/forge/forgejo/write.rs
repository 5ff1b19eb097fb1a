//! What a release does on a forge, and what it asks first with its token.

use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::Forgejo;
use super::answers::Release;
use crate::evidence::assets::{Asset, Listed};
use crate::evidence::page::{Page, PublishedPage};
use crate::forge::{Protections, Read as _, Rule, Write};
use crate::inputs::version::ReleaseTag;
use crate::process::parallel::joined;
use crate::process::problem::Problem;
use crate::tool::git::Commit;

/// The page API answers 422 while the server still processes the first push to a repository.
const SETTLING: [Duration; 5] = [
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
    Duration::from_millis(1600),
];

impl Write for Forgejo {
    fn preflight(&self, tag: &ReleaseTag, commit: &Commit) -> Result<Vec<Problem>> {
        let checks: [&(dyn Fn() -> Result<Option<Problem>> + Sync); 6] = [
            &|| self.check_sight(),
            &|| self.check_tag(tag, commit),
            &|| self.check_branch(commit),
            &|| self.check_clock(),
            &|| self.check_attachments(),
            &|| self.check_right(),
        ];
        let found: Vec<Result<Option<Problem>>> = thread::scope(|scope| {
            let running: Vec<_> = checks.iter().map(|check| scope.spawn(check)).collect();
            running.into_iter().map(|thread| joined(thread.join()).flatten()).collect()
        });
        let mut found = found
            .into_iter()
            .map(|result| result.unwrap_or_else(|error| Some(Problem::of_error("forge", &error))));
        // Who may not see the repository gets the same answer to each question about it.
        if let Some(unseen) = found.next().flatten() {
            return Ok(vec![unseen]);
        }
        Ok(found.chain([self.check_token()]).flatten().collect())
    }

    fn check_access(&self) -> Result<Vec<Problem>> {
        if let Some(unseen) = self.check_sight()? {
            return Ok(vec![unseen]);
        }
        let found = [self.check_token(), self.check_clock()?, self.check_attachments()?, self.check_right()?];
        Ok(found.into_iter().flatten().collect())
    }

    fn protections(&self) -> Result<Protections> {
        self.read_protections()
    }

    fn protect(&self, rule: &Rule, maintainers: &[String]) -> Result<()> {
        self.make_rule(rule, maintainers)
    }

    fn draft(&self, page: &Page) -> Result<PublishedPage> {
        let body = json!({
            "tag_name": page.tag.to_string(),
            "target_commitish": page.commit.as_str(),
            "name": page.title,
            "body": page.body,
            "draft": true,
            "prerelease": page.prerelease,
        });
        let (mut pauses, mut is_lost) = (SETTLING.iter(), false);
        loop {
            let failure = match self.send(self.request("POST", "releases", &body)) {
                Ok(response) => match response.status {
                    201 => return response.json::<Release>()?.into_page(&page.tag),
                    409 | 422 | 500..=599 => response.unexpected(),
                    _ => return Err(response.unexpected()),
                },
                // Only once, because each attempt may take its full timeout.
                Err(lost) if !is_lost => {
                    is_lost = true;
                    lost
                }
                Err(lost) => return Err(lost),
            };
            // Another run made the page meanwhile, or the forge made it although its answer was an error or was lost:
            // what exists now decides. A tag has at most one page, so a second `POST` is refused.
            if let Some(found) = self.page(&page.tag)? {
                return Ok(found);
            }
            match pauses.next() {
                Some(pause) => crate::process::interrupt::pause(*pause)?,
                None => return Err(failure),
            }
        }
    }

    fn upload(&self, published: &PublishedPage, asset: &Asset) -> Result<()> {
        self.attach(published, asset)
    }

    fn remove(&self, published: &PublishedPage, listed: &Listed) -> Result<()> {
        self.detach(published, listed)
    }

    fn update(&self, published: &PublishedPage, page: &Page) -> Result<()> {
        let (found, mut changes) = (&published.page, serde_json::Map::new());
        if found.body != page.body {
            changes.insert("body".to_owned(), page.body.clone().into());
        }
        if found.prerelease != page.prerelease {
            changes.insert("prerelease".to_owned(), page.prerelease.into());
        }
        if published.draft {
            changes.insert("draft".to_owned(), false.into());
        }
        if changes.is_empty() { Ok(()) } else { self.patch(published.id, &changes.into()) }
    }

    fn settle_latest(&self, highest: &ReleaseTag) -> Result<bool> {
        if self.shows_as_latest(highest)? {
            return Ok(false);
        }
        // The forge shows the page with the newest date, which is the wrong one after a backport. Hiding and showing a
        // page gives it a new date (docs/facts.md#latest-page); nothing else about it changes.
        let Some(page) = self.page(highest)? else { return Ok(false) };
        // Somebody took the mark from it by hand, and a new date does not give it back.
        if page.page.prerelease {
            return Ok(false);
        }
        // Showing a page whose tag was deleted would make that tag again.
        let Some(tagged) = self.tag(highest)? else { return Ok(false) };
        // A draft may be a person's, or one whose own run is still uploading its files and shows it when they are there.
        if page.draft && !(page.is_complete() && page.page.commit == tagged) {
            return Ok(false);
        }
        let hidden = self.patch(page.id, &json!({ "draft": true }));
        // The first change may have arrived although it failed or a signal ended it, and this is another release's page.
        self.show(page.id).with_context(|| {
            format!(
                "the page of {highest} may be hidden now: run this again, or publish that draft at {}",
                page.address
            )
        })?;
        hidden.map(|()| true)
    }
}
