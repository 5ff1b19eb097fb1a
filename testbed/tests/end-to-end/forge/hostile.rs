//! Release notes as the forge renders them. A commit's subject is plain text on the page, whatever it contains, and
//! nobody is notified of it.

mod rendered;
mod subjects;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use testbed::forge_client::{Client, State};

use super::page;
use super::project::Project;
use crate::harness::{environment, test, wait_for};
use rendered::Rendered;
use subjects::Names;

const TAG: &str = "v0.2.0";

/// The test has at least this many subjects.
const MIN_SUBJECTS: usize = 300;

/// Written to a page as they are, the subjects give at least this many links.
const MIN_LINKS: usize = 100;

impl Project {
    /// Makes one commit for each of `subjects`, none of which changes a file. Returns the commits with their
    /// subjects.
    fn commit_all(&self, subjects: Vec<String>) -> Result<BTreeMap<String, String>> {
        let old = self.head()?;
        self.checkout.import(&subjects::stream(&old, &subjects))?;
        let range = format!("{old}..HEAD");
        let commits = self.checkout.git(&["rev-list", "--reverse", &range])?;
        let commits: Vec<_> = commits.lines().map(str::to_owned).collect();
        ensure!(commits.len() == subjects.len(), "{} commits", commits.len());
        Ok(commits.into_iter().zip(subjects).collect())
    }
}

/// Compares a rendered page with what was committed and written.
fn ensure_as_committed(
    html: &str,
    committed: &BTreeMap<String, String>,
    body: &str,
    repository: &str,
) -> Result<()> {
    let Rendered { entries, commands, links } = Rendered::read(html)?;
    let shown: BTreeMap<_, _> =
        committed.iter().map(|(commit, subject)| (commit.clone(), subjects::shown(subject))).collect();
    let mut found = BTreeMap::new();
    for (words, link) in entries {
        let commit = link.strip_prefix(&format!("{repository}/commit/")).with_context(|| link.clone())?;
        found.insert(commit.to_owned(), words);
    }
    for (commit, words) in &shown {
        let found = found.get(commit).map(String::as_str);
        ensure!(found == Some(words), "{commit}: expected {words:?}, found {found:?}");
    }
    ensure!(found.len() == shown.len(), "{} entries for {} commits", found.len(), shown.len());
    assert_eq!(commands, page::commands(body)?);
    let own = |link: &&String| {
        link.strip_prefix(repository).is_some_and(|rest| {
            ["/commit/", "/compare/", "/src/commit/"].iter().any(|path| rest.starts_with(path))
        })
    };
    let others: Vec<_> = links.iter().filter(|link| !own(link)).collect();
    ensure!(others.is_empty(), "unintended links: {others:?}");
    Ok(())
}

#[test]
fn the_forge_shows_every_subject_as_it_was_committed_and_notifies_nobody() -> Result<()> {
    test(|| {
        let client = Client::from_environment(&environment())?;
        let (mentioned, project) = (client.new_user("mentioned")?, Project::ready()?);
        let organization = mentioned.new_organization()?;
        let repository = &project.repository;
        let issue = repository.open_issue("an issue that commits name", "")?;
        project.push_tag("v0.1.0")?;
        let subjects = subjects::all(&Names {
            user: mentioned.name(),
            team: &format!("{organization}/owners"),
            repository: &repository.full_name(),
            address: &repository.url(),
            issue,
            commit: &project.head()?,
        });
        ensure!(subjects.len() >= MIN_SUBJECTS, "{} subjects", subjects.len());
        // The next entry of a list ends whatever an entry has begun, except an HTML comment.
        let shown = subjects.iter().map(|subject| subjects::shown(subject));
        let plain = shown.filter(|subject| !subject.contains("<!--"));
        let plain: String = plain.map(|subject| format!("- {subject}\n")).collect();
        let committed = project.commit_all(subjects)?;
        project.push_main()?;
        project.set_status(&project.head()?, State::Success)?;
        project.push_tag(TAG)?;

        // Uses a page and not the forge's API for Markdown: in Gitea 1.26.0, a hash in a text that belongs to no
        // repository crashes the whole server.
        repository.publish(&json!({ "tag_name": "plain", "target_commitish": "main", "body": plain }))?;
        let of_plain_text = repository.release_html("plain")?.matches("rel=\"nofollow\"").count();
        ensure!(of_plain_text >= MIN_LINKS, "this forge links {of_plain_text} of them");

        let before = repository.timeline(issue)?;
        project.laptop(&["release", TAG]).run()?.success()?;
        let body = repository.release(TAG)?.context("there is no page")?.body;
        ensure!(!body.contains(" more.\n"), "a subject had no room on the page");
        ensure_as_committed(&repository.release_html(TAG)?, &committed, &body, &repository.url())?;
        assert_eq!(repository.timeline(issue)?, before);
        // Once this notification has arrived, all earlier ones have as well.
        let meant = "meant for somebody";
        repository.open_issue(meant, &format!("@{}", mentioned.name()))?;
        let heard = wait_for("a notification", || {
            Ok(Some(mentioned.notifications()?).filter(|titles| titles.iter().any(|title| title == meant)))
        })?;
        assert_eq!(heard, [meant]);
        Ok(())
    })
}
