//! The page that the forge marks as its latest.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use serde_json::json;
use xtask::evidence::assets::names;
use xtask::forge::Write as _;
use xtask::process::secret::Secret;
use xtask::release::mark;

use super::forge::forge;
use super::server::{Server, empty};

/// A forge whose latest page is that of a backport until this number of `changes` was made. The page of v0.2.0 is a
/// draft with `body` and the files `assets`, and its tag is at the commit `tagged`.
fn with_draft(
    body: &'static str,
    assets: Vec<String>,
    tagged: Option<&'static str>,
    changes: usize,
) -> Result<Server> {
    let files: Vec<_> =
        (1..).zip(assets).map(|(id, name)| json!({ "id": id, "name": name, "size": 1 })).collect();
    let seen = AtomicUsize::new(0);
    Server::start(move |asked, _| {
        let seen = seen.fetch_add(usize::from(asked.what.starts_with("PATCH ")), Ordering::Relaxed);
        let page = |tag: &str, draft: bool| {
            json!({
                "id": 7, "tag_name": tag, "target_commitish": "a".repeat(40), "name": tag, "body": body, "draft": draft,
                "prerelease": false, "html_url": "http://localhost/page", "assets": files,
            })
        };
        let (answer, tag) = match asked.what.rsplit_once('/') {
            Some((_, "latest")) if seen < changes => (page("v0.1.1", false), None),
            Some((_, "latest")) => (page("v0.2.0", false), None),
            Some((_, "v0.2.0")) if !asked.what.contains("/releases/") => (json!(null), Some(tagged)),
            _ => (page("v0.2.0", true), None),
        };
        let answer = match tag {
            None => answer,
            Some(None) => return empty(404),
            Some(Some(commit)) => json!({ "id": commit, "commit": { "sha": commit.repeat(40) } }),
        };
        (200, Vec::new(), answer.to_string().into_bytes())
    })
}

#[test]
fn a_page_that_is_marked_as_a_pre_release_is_not_changed_to_move_the_mark() -> Result<()> {
    let server = Server::start(|asked, _| {
        let tag = if asked.what.ends_with("/latest") { "v0.1.1" } else { "v0.2.0" };
        let page = json!({
            "id": 7, "tag_name": tag, "target_commitish": "a".repeat(40), "name": tag, "body": "", "draft": false,
            "prerelease": tag == "v0.2.0", "html_url": "http://localhost/page",
        });
        (200, Vec::new(), page.to_string().into_bytes())
    })?;
    assert!(!forge(&server, &[], None)?.fix_latest_mark(&"v0.2.0".parse()?)?);
    assert!(server.asked()?.iter().all(|asked| asked.starts_with("GET ")), "{:?}", server.asked()?);
    Ok(())
}

#[test]
fn a_page_is_shown_again_only_if_it_has_the_files_that_it_names() -> Result<()> {
    let tag = "v0.2.0".parse()?;
    let all = names(&tag);
    let new = "words\n\n## Image\n\n```sh\ndocker pull a\n```\n\n<!-- page format 2 -->\n";
    let old = "words\n\n## Image\n\n```sh\ndocker pull a\n```\n\n<!-- page format 1 -->\n";
    let at_its_commit = Some("a");
    let mut cases = vec![
        (new, all.clone(), at_its_commit, true),
        (new, Vec::new(), at_its_commit, false),
        (old, Vec::new(), at_its_commit, true),
        ("A person's draft.", all.clone(), at_its_commit, false),
        (new, all.clone(), Some("b"), false),
        (new, all.clone(), None, false),
    ];
    cases.extend(
        all.iter().map(|lost| {
            (new, all.iter().filter(|name| *name != lost).cloned().collect(), at_its_commit, false)
        }),
    );
    for (body, files, tagged, is_shown) in cases {
        let server = with_draft(body, files.clone(), tagged, 2)?;
        let token = Some(Secret::new("token-of-alice"));
        assert_eq!(
            forge(&server, &[], token)?.fix_latest_mark(&tag)?,
            is_shown,
            "{body} {files:?} {tagged:?}"
        );
        // Hiding gives the page a new date, also if it is hidden already.
        let changes = server.asked()?.iter().filter(|asked| asked.starts_with("PATCH ")).count();
        assert_eq!(changes, 2 * usize::from(is_shown), "{body} {files:?} {tagged:?}");
    }
    Ok(())
}

#[test]
fn a_mark_that_does_not_move_within_the_same_second_is_moved_in_the_next() -> Result<()> {
    let tag = "v0.2.0".parse()?;
    // There are two attempts, not more.
    for (needed, changes) in [(2, 2), (4, 4), (usize::MAX, 4)] {
        let body = "## Image\n\n```sh\ndocker pull a\n```\n\n<!-- page format 1 -->\n";
        let server = with_draft(body, Vec::new(), Some("a"), needed)?;
        assert!(forge(&server, &[], Some(Secret::new("token-of-alice")))?.fix_latest_mark(&tag)?);
        let asked = server.asked()?;
        assert_eq!(asked.iter().filter(|asked| asked.starts_with("PATCH ")).count(), changes, "{asked:?}");
    }
    Ok(())
}

#[test]
fn a_higher_version_whose_image_is_in_another_registry_keeps_the_mark() -> Result<()> {
    let text = |image: &str| format!("## Image\n\n```sh\ndocker pull {image}@sha256:ab\n```\n");
    let (here, before) = ("forge.example.org/acme/carol", "old.example.org/acme/carol");
    // The page of v0.3.0: its text, and whether it is a draft.
    for (page, marked) in [
        (Some((text(before), false)), "v0.3.0"),
        (Some((text(before), true)), "v0.2.1"),
        // This version was removed from the registry.
        (Some((text(here), false)), "v0.2.1"),
        (Some(("By hand.".to_owned(), false)), "v0.2.1"),
        (None, "v0.2.1"),
    ] {
        let server = Server::start(move |asked, _| match &page {
            Some((body, draft)) if asked.what.ends_with("/releases/tags/v0.3.0") => {
                let page = json!({
                    "id": 7, "tag_name": "v0.3.0", "target_commitish": "a".repeat(40), "name": "", "body": body,
                    "draft": draft, "prerelease": false, "html_url": "http://localhost/page",
                });
                (200, Vec::new(), page.to_string().into_bytes())
            }
            _ => empty(404),
        })?;
        let forge = forge(&server, &[], Some(Secret::new("token-of-alice")))?;
        let tags = ["v0.2.0", "v0.3.0", "v0.2.1", "v1.0.0-rc.1", "v0.3.1"].map(|tag| tag.parse().unwrap());
        let found = mark::of(&forge, &here.parse()?, Some(&"v0.2.1".parse()?), &tags)?;
        assert_eq!(found, Some(marked.parse()?));
        // No other page is requested.
        assert_eq!(server.asked()?.len(), 2);
    }
    Ok(())
}
