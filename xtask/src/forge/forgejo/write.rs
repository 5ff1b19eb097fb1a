//! What a release writes to a forge, and what it checks there first with its token.

use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::Forgejo;
use super::answers::Release;
use crate::evidence::assets::{Asset, Listed};
use crate::evidence::page::{Page, PublishedPage};
use crate::forge::{Protections, Read as _, Rule, Write};
use crate::http::Method;
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

/// The resolution of a page's date: after this pause, a new date is a later one.
const ONE_SECOND: Duration = Duration::from_secs(1);

/// A query to the forge that may find a problem.
type Check<'a> = &'a (dyn Fn() -> Result<Option<Problem>> + Sync);

impl Forgejo {
    /// What is wrong with publishing `tag` at `commit` here, and what `more` finds. The checks run in parallel.
    fn of_source(&self, tag: &ReleaseTag, commit: &Commit, more: &[Check<'_>]) -> Vec<Problem> {
        let checks: [Check<'_>; 5] = [
            &|| self.check_visibility(),
            &|| self.check_tag(tag, commit),
            &|| self.check_branch(commit),
            &|| self.check_clock(),
            &|| self.check_attachments(),
        ];
        let found: Vec<Result<Option<Problem>>> = thread::scope(|scope| {
            let running: Vec<_> = checks.iter().chain(more).map(|check| scope.spawn(check)).collect();
            running.into_iter().map(|thread| joined(thread.join()).flatten()).collect()
        });
        let mut found = found
            .into_iter()
            .map(|result| result.unwrap_or_else(|error| Some(Problem::of_error("forge", &error))));
        // An account that may not see the repository gets the same answer to every query about it.
        match found.next().flatten() {
            Some(unseen) => vec![unseen],
            None => found.flatten().collect(),
        }
    }
}

impl Write for Forgejo {
    fn check_source(&self, tag: &ReleaseTag, commit: &Commit) -> Result<Vec<Problem>> {
        Ok(self.of_source(tag, commit, &[]))
    }

    fn preflight(&self, tag: &ReleaseTag, commit: &Commit) -> Result<Vec<Problem>> {
        Ok(self.of_source(tag, commit, &[&|| self.check_right(), &|| Ok(self.check_token())]))
    }

    fn has_left_branches(&self, commit: &Commit) -> Result<Option<String>> {
        // Others may merge while a release runs. A head that the clone lacks is most likely a later commit.
        Ok(self.off_branches(commit)?.filter(|off| off.is_certain).map(|off| off.text))
    }

    fn check_access(&self) -> Result<Vec<Problem>> {
        if let Some(unseen) = self.check_visibility()? {
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
            let failure = match self.send(self.request(Method::Post, "releases", &body)) {
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
        let changes = changes(published, page);
        if changes.is_empty() { Ok(()) } else { self.patch(published.id, &changes.into()) }
    }

    fn fix_latest_mark(&self, highest: &ReleaseTag) -> Result<bool> {
        if self.shows_as_latest(highest)? {
            return Ok(false);
        }
        // The forge shows the page with the newest date, which is the wrong one after a backport. Hiding and showing a
        // page gives it a new date (docs/facts.md#latest-page); nothing else about it changes.
        let Some(page) = self.page(highest)? else { return Ok(false) };
        // Somebody made it a prerelease by hand. The forge marks none of these as latest, whatever its date.
        if page.page.prerelease {
            return Ok(false);
        }
        // Showing a page whose tag was deleted would create that tag again.
        let Some(tagged) = self.tag(highest)? else { return Ok(false) };
        // A draft may belong to a person, or to a run that is still uploading its files and will then show it.
        if page.draft && !(page.is_complete() && page.page.commit == tagged) {
            return Ok(false);
        }
        self.renew(&page)?;
        // Dates are in whole seconds: if the other page has the date of this same second, this page need not be the
        // newest.
        if !self.shows_as_latest(highest)? {
            crate::process::interrupt::pause(ONE_SECOND)?;
            self.renew(&page)?;
        }
        Ok(true)
    }
}

impl Forgejo {
    /// Hides the page and shows it again, which gives it a new date.
    fn renew(&self, page: &PublishedPage) -> Result<()> {
        let hidden = self.patch(page.id, &json!({ "draft": true }));
        // The page is shown even if hiding it failed or was interrupted: the request may have taken effect, and the
        // page may belong to another release.
        self.show(page.id).with_context(|| {
            format!(
                "the page of {} may be hidden now: run this again, or publish that draft at {}",
                page.page.tag, page.address
            )
        })?;
        hidden
    }
}

/// The fields of `published` to change, so that it is `page` and visible.
fn changes(published: &PublishedPage, page: &Page) -> serde_json::Map<String, serde_json::Value> {
    let (found, mut changes) = (&published.page, serde_json::Map::new());
    if found.body != page.body {
        changes.insert("body".to_owned(), page.body.clone().into());
    }
    // A page that a person began names a branch. `fix_latest_mark` hides a page for a moment. If a run ends then, the
    // next run shows the page again only if it names the commit: otherwise it could be a person's draft.
    if found.commit != page.commit {
        changes.insert("target_commitish".to_owned(), page.commit.as_str().into());
    }
    if found.prerelease != page.prerelease {
        changes.insert("prerelease".to_owned(), page.prerelease.into());
    }
    if published.draft {
        changes.insert("draft".to_owned(), false.into());
    }
    changes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::changes;
    use crate::evidence::page::{Page, PublishedPage};
    use crate::tool::git::Commit;

    fn page(commit: &str, body: &str) -> Page {
        Page {
            tag: "v1.0.0".parse().unwrap(),
            commit: Commit::parse(&commit.repeat(40)).unwrap(),
            title: "carol v1.0.0".to_owned(),
            body: body.to_owned(),
            prerelease: false,
        }
    }

    #[test]
    fn only_differing_fields_are_changed_and_a_page_made_by_hand_gets_its_commit() {
        let published = |page: Page, draft: bool| {
            let (address, assets) = (String::new(), Vec::new());
            PublishedPage { id: 1, page, draft, address, assets }
        };
        let expected = page("a", "text");
        for (found, changed) in [
            (published(expected.clone(), false), json!({})),
            (published(expected.clone(), true), json!({ "draft": false })),
            (published(Page { prerelease: true, ..expected.clone() }, false), json!({ "prerelease": false })),
            // Its target is a branch.
            (
                published(page("0", "by hand"), false),
                json!({ "body": "text", "target_commitish": "a".repeat(40) }),
            ),
        ] {
            assert_eq!(serde_json::Value::from(changes(&found, &expected)), changed);
        }
    }
}
