//! The files of a page, on a forge that serves no file of a draft to the token, as Forgejo does with the automatic
//! token.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use serde_json::json;
use xtask::evidence::assets::{Asset, names};
use xtask::forge::Write as _;
use xtask::process::secret::Secret;
use xtask::release::assets::settle;

use super::forge::forge;
use super::server::{Server, empty};

const TAG: &str = "v1.0.0";

/// A forge with a page that has the files `names`. `serves` says whether it serves files at all once the page is
/// public. Also returns the state: whether the page is a draft, and its files by id.
fn serving(draft: bool, names: &[&str], serves: bool) -> Result<(Server, Arc<Mutex<Files>>)> {
    let files = (1..).zip(names.iter().map(|name| (*name).to_owned())).collect();
    let state = Arc::new(Mutex::new(Files { draft, files }));
    let own = Arc::clone(&state);
    let server = Server::start(move |asked, _| {
        let mut state = own.lock().unwrap_or_else(PoisonError::into_inner);
        let (method, path) = asked.what.split_once(' ').unwrap_or_default();
        let last = path.rsplit(['/', '=']).next().unwrap_or_default();
        let json = |status, json: serde_json::Value| (status, Vec::new(), json.to_string().into_bytes());
        match method {
            "POST" => {
                let id = state.files.iter().map(|(id, _)| *id).max().unwrap_or_default() + 1;
                state.files.push((id, last.to_owned()));
                json(201, json!({ "id": id, "name": last, "size": 1 }))
            }
            "DELETE" => {
                state.files.retain(|(id, _)| id.to_string() != last);
                empty(204)
            }
            "PATCH" => {
                state.draft = false;
                json(200, json!({}))
            }
            _ if path.contains("/releases/download/") && state.draft | !serves => empty(404),
            _ if path.contains("/releases/download/") => (200, Vec::new(), bytes(last)),
            _ => {
                let listed =
                    state.files.iter().map(|(id, name)| json!({ "id": id, "name": name, "size": 1 }));
                json(
                    200,
                    json!({
                        "id": 7, "tag_name": TAG, "target_commitish": "a".repeat(40), "name": TAG, "body": "", "draft": state.draft,
                        "prerelease": false, "html_url": "http://localhost/page", "assets": listed.collect::<Vec<_>>(),
                    }),
                )
            }
        }
    })?;
    Ok((server, state))
}

struct Files {
    draft: bool,
    files: Vec<(u64, String)>,
}

/// The contents of a file.
fn bytes(name: &str) -> Vec<u8> {
    format!("of {name}").into_bytes()
}

/// The files that a release has.
fn wanted() -> Result<Vec<Asset>> {
    let asset = |name: String| Asset { bytes: bytes(&name), name };
    Ok(names(&TAG.parse()?).into_iter().map(asset).collect())
}

#[test]
fn a_draft_whose_files_cannot_be_read_is_completed_with_each_file_once() -> Result<()> {
    let tag = TAG.parse()?;
    // An earlier run has left two files, which may be anything.
    for (left, removals) in [(&[][..], 0), (&["SHA256SUMS", "SHA256SUMS.sig"], 2)] {
        let (server, state) = serving(true, left, true)?;
        let forge = forge(&server, &[], Some(Secret::new("automatic")))?;
        settle(&forge, &tag, |_| wanted())?;
        let asked = server.asked()?;
        let count = |method: &str| asked.iter().filter(|asked| asked.starts_with(method)).count();
        assert_eq!((count("POST"), count("DELETE")), (7, removals), "{asked:?}");
        let mut there: Vec<_> = state.lock().unwrap().files.iter().map(|(_, name)| name.clone()).collect();
        there.sort();
        let mut due = names(&tag);
        due.sort();
        assert_eq!(there, due);
        // Once the page is public, its files are read and need no change.
        let page = xtask::forge::Read::page(&forge, &tag)?.context("there is no page")?;
        forge.update(&page, &page.page)?;
        settle(&forge, &tag, |read| {
            assert_eq!(read.len(), 7);
            wanted()
        })?;
        assert!(server.asked()?.iter().all(|asked| !asked.starts_with("POST")));
    }
    Ok(())
}

#[test]
fn a_public_page_whose_files_cannot_be_read_is_an_error() -> Result<()> {
    let (server, _) = serving(false, &["SHA256SUMS"], false)?;
    let forge = forge(&server, &[], Some(Secret::new("automatic")))?;
    let error = settle(&forge, &TAG.parse()?, |_| wanted()).err().context("nothing was read")?;
    let error = format!("{error:#}");
    assert!(
        error.contains("the forge lists `SHA256SUMS`, ") && error.contains("a person's token"),
        "{error}"
    );
    assert!(!error.contains("something else"), "{error}");
    Ok(())
}
