//! `verify --all` reports on every release, whatever the commit of one tag holds; and looks twice before it reports a
//! claim as false.

use std::fs;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, ensure};
use xtask::process::temp_dir::TempDir;

use super::server::{git, repository, said, verify};
use crate::plain_git;
use crate::servers::server::{Answer, Asked, Server};

/// A registry with three version tags and no image, and a forge without pages.
fn answer(asked: &Asked, _: SocketAddr) -> Answer {
    let request = asked.what.as_str();
    let (status, body) = match request {
        _ if request.contains("/tags/list") => {
            (200, r#"{"name": "acme/carol", "tags": ["v0.1.0", "v0.2.0", "v0.3.0"]}"#)
        }
        _ if request.contains("/releases?") => (200, "[]"),
        _ if request.ends_with("/repos/acme/carol") => (200, r#"{"default_branch": "main"}"#),
        _ => (404, "{}"),
    };
    (status, Vec::new(), body.into())
}

#[test]
fn a_tag_that_cannot_be_read_does_not_hide_other_releases() -> Result<()> {
    let (server, scratch) = (Server::start(answer)?, TempDir::new()?);
    let host = server.address.to_string();
    let dir = repository(&scratch, "own", &host, &format!("{host}/acme/carol"))?;
    let late = plain_git::call(&dir, &["commit", "--quiet", "--allow-empty", "--message=late"])?;
    late.env("GIT_COMMITTER_DATE", "@253402300800 +0000").run()?;
    git(&dir, &["tag", "v0.3.0"])?;
    git(&dir, &["branch", "good", "HEAD~1"])?;
    fs::remove_file(dir.join("Cargo.toml"))?;
    fs::create_dir(dir.join("Cargo.toml"))?;
    fs::write(dir.join("Cargo.toml/x"), "")?;
    git(&dir, &["add", "--all"])?;
    git(&dir, &["commit", "--quiet", "--message=a directory"])?;
    git(&dir, &["tag", "v0.2.0"])?;
    git(&dir, &["checkout", "--quiet", "good"])?;

    let output = verify(&dir, &["--all"], &[])?;
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let of_tag = |tag: &str| {
        let report = said.split_once(&format!("{tag} at ")).map_or("", |(_, report)| report);
        report.split("\n\nv").next().unwrap_or_default().to_owned()
    };
    ensure!(of_tag("v0.1.0").contains("FALSE  tag.image"), "{said}");
    for odd in ["v0.2.0", "v0.3.0"] {
        ensure!(of_tag(odd).contains("?      configuration"), "{odd}: {said}");
    }
    Ok(())
}

/// A registry without an image, and a forge with two pages, one of which names an image under another heading.
fn answer_with_pages(asked: &Asked, _: SocketAddr) -> Answer {
    let page = |tag: &str, body: &str| {
        serde_json::json!({
            "id": 1, "tag_name": tag, "target_commitish": "main", "name": tag, "body": body, "draft": false,
            "prerelease": false, "html_url": "http://forge.example.org",
        })
    };
    let body = match asked.what.as_str() {
        request if request.contains("/tags/list") => r#"{"name": "acme/carol", "tags": []}"#.to_owned(),
        request if request.contains("/releases?") && request.contains("page=1") => {
            let named = format!("## Get it\n\n    docker pull x@sha256:{}\n", "a".repeat(64));
            serde_json::json!([page("v8.0.0", "Words."), page("v9.0.0", &named)]).to_string()
        }
        _ => "[]".to_owned(),
    };
    (200, Vec::new(), body.into_bytes())
}

#[test]
fn a_page_that_names_an_image_counts_as_a_release_whatever_its_headings() -> Result<()> {
    let (server, scratch) = (Server::start(answer_with_pages)?, TempDir::new()?);
    let host = server.address.to_string();
    let dir = repository(&scratch, "own", &host, &format!("{host}/acme/carol"))?;
    git(&dir, &["checkout", "--quiet", "--orphan", "before"])?;
    git(&dir, &["rm", "--quiet", "-f", "Cargo.toml"])?;
    git(&dir, &["commit", "--quiet", "--message=no configuration"])?;
    for tag in ["v8.0.0", "v9.0.0"] {
        git(&dir, &["tag", tag])?;
    }
    git(&dir, &["checkout", "--quiet", "v0.1.0"])?;
    let output = verify(&dir, &["--all"], &[])?;
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.matches("not released by this tool").count(), 1, "{said}");
    assert_eq!(
        said.matches("FALSE  configuration        the page names an image of it").count(),
        1,
        "{said}"
    );
    Ok(())
}

#[test]
fn latest_does_not_belong_on_a_version_that_only_the_registry_has() -> Result<()> {
    let (server, scratch) = (Server::start(answer)?, TempDir::new()?);
    let host = server.address.to_string();
    let dir = repository(&scratch, "own", &host, &format!("{host}/acme/carol"))?;
    let latest = |words: &str| {
        let said = said(&verify(&dir, &["v0.1.0"], &[])?);
        let line =
            said.lines().find(|line| line.starts_with("FALSE  latest ")).unwrap_or_default().to_owned();
        ensure!(line.contains(words), "no `{words}` in: {line}\n{said}");
        anyhow::Ok(())
    };
    latest("the highest version in the registry is v0.3.0, which belongs to no release")?;
    let asked = server.asked()?;
    let of_tag = |what: &&String| what.ends_with("/tags/v0.3.0");
    assert_eq!(asked.iter().filter(of_tag).count(), 2, "once for each of two looks: {asked:?}");
    git(&dir, &["tag", "v0.3.0"])?;
    latest("there is no `latest`: it belongs on v0.3.0")?;
    assert_eq!(server.asked()?.iter().filter(of_tag).count(), 0, "the clone has the tag");
    Ok(())
}

#[test]
fn a_claim_that_is_false_only_for_a_moment_is_not_reported_as_false() -> Result<()> {
    const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    // The registry answers as it does while `latest` is overwritten (docs/facts.md#overwrite-gap).
    let looks = AtomicUsize::new(0);
    let server = Server::start(move |asked, address| {
        let is_of = |tag: &str| asked.what.ends_with(&format!("/manifests/{tag}"));
        if is_of("v0.3.0") || (is_of("latest") && looks.fetch_add(1, Ordering::SeqCst) > 0) {
            let body = format!(r#"{{"schemaVersion": 2, "mediaType": "{INDEX}", "manifests": []}}"#);
            return (200, vec![("Content-Type", INDEX.to_owned())], body.into_bytes());
        }
        answer(asked, address)
    })?;
    let (scratch, host) = (TempDir::new()?, server.address.to_string());
    let dir = repository(&scratch, "own", &host, &format!("{host}/acme/carol"))?;
    git(&dir, &["tag", "v0.3.0"])?;
    let said = said(&verify(&dir, &["v0.1.0"], &[])?);
    ensure!(said.contains("ok     latest ") && said.contains("FALSE  tag.image "), "{said}");
    Ok(())
}

#[test]
fn a_claim_stays_false_if_the_registry_is_down_at_the_second_look() -> Result<()> {
    let looks = AtomicUsize::new(0);
    let server = Server::start(move |asked, address| {
        if asked.what.contains("/tags/list") && looks.fetch_add(1, Ordering::SeqCst) > 0 {
            return (503, Vec::new(), Vec::new());
        }
        answer(asked, address)
    })?;
    let (scratch, host) = (TempDir::new()?, server.address.to_string());
    let dir = repository(&scratch, "own", &host, &format!("{host}/acme/carol"))?;
    let output = verify(&dir, &["v0.1.0"], &[])?;
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let lists = server.asked()?.iter().filter(|what| what.contains("/tags/list")).count();
    ensure!(lists > 1 && said.contains("FALSE  latest "), "{lists}: {said}");
    Ok(())
}
