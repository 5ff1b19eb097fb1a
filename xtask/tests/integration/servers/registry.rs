//! The registry client against a server that behaves like registries that the testbed does not have.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use xtask::oci::reference::{Digest, Tag};
use xtask::oci::registry::{DigestMismatch, Got, Removal, Wanted};

use super::server::{Asked, Server, alice, challenge, empty};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A registry that requires a token, answers `HEAD` itself, and stores its content at `storage`.
fn redirecting(storage: String, status: u16, says_digest: bool) -> Result<Server> {
    Server::start(move |asked, address| {
        if asked.what.starts_with("GET /token") {
            return (200, Vec::new(), br#"{"token": "token-of-alice"}"#.to_vec());
        }
        if asked.authorization.as_deref() != Some("Bearer token-of-alice") {
            return challenge(address);
        }
        let digest = ("Docker-Content-Digest", Digest::of(STORED).to_string());
        if asked.what.starts_with("HEAD") {
            return (200, vec![digest], Vec::new());
        }
        let mut headers = vec![("Location", format!("{storage}?signature=a-right-by-itself"))];
        headers.extend(says_digest.then_some(digest));
        (status, headers, Vec::new())
    })
}

const STORED: &[u8] = br#"{"mediaType":"application/vnd.oci.image.index.v1+json"}"#;

/// A storage that gives `bytes` to everyone.
fn storage(bytes: &'static [u8]) -> Result<Server> {
    let octets = || vec![("Content-Type", "application/octet-stream".to_owned())];
    Server::start(move |_, _| (200, octets(), bytes.to_vec()))
}

#[test]
fn content_on_another_host_is_fetched_without_the_registrys_credentials() -> Result<()> {
    for status in [302, 303, 307, 308] {
        let storage = storage(STORED)?;
        // Another name of this machine, which therefore counts as another host.
        let elsewhere = format!("http://localhost:{}/bucket/x", storage.address.port());
        let registry = redirecting(elsewhere, status, status != 302)?;
        let client = registry.client(Some(alice()))?;
        let digest = Digest::of(STORED);
        assert_eq!(client.blob(&digest)?.context("no blob")?, STORED);
        let tagged = client.manifest(&"v1.0.0".parse::<Tag>()?)?.context("no manifest")?;
        assert_eq!((&tagged.digest, tagged.media_type.as_str()), (&digest, INDEX));
        let wanted =
            [Wanted::Manifest(digest.clone()), Wanted::Blob(digest.clone()), Wanted::HasBlob(digest)];
        let several = client.batch(&wanted).into_iter().collect::<Result<Vec<_>>>()?;
        assert_eq!(
            several,
            [Some(Got::Bytes(STORED.to_vec())), Some(Got::Bytes(STORED.to_vec())), Some(Got::There)]
        );
        let log = storage.log()?;
        assert_eq!(log.len(), 4, "{log:?}");
        let whole =
            Asked { what: "GET /bucket/x?signature=a-right-by-itself".to_owned(), authorization: None };
        assert!(log.iter().all(|asked| asked == &whole), "{log:?}");
    }
    Ok(())
}

#[test]
fn content_from_another_host_is_checked_against_the_digest() -> Result<()> {
    // A valid manifest, but a different one.
    let storage = storage(br#"{"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#)?;
    for says_digest in [true, false] {
        let elsewhere = format!("http://127.0.0.1:{}/x", storage.address.port());
        let client = redirecting(elsewhere, 307, says_digest)?.client(Some(alice()))?;
        let digest = Digest::of(STORED);
        for error in [
            client.blob(&digest).err(),
            client.manifest(&digest).err(),
            client.manifest(&"v1.0.0".parse::<Tag>()?).err(),
        ] {
            let error = error.context("other bytes were accepted")?;
            ensure!(!format!("{error:#}").contains("a-right-by-itself"), "{error:#}");
            ensure!(error.chain().any(<dyn std::error::Error>::is::<DigestMismatch>), "{error:#}");
        }
    }
    Ok(())
}

#[test]
fn redirects_in_a_circle_or_to_a_host_without_tls_are_errors() -> Result<()> {
    let circle =
        Server::start(|_, address| (307, vec![("Location", format!("http://{address}/again"))], Vec::new()))?;
    let digest = Digest::of(STORED);
    let error = circle.client(None)?.blob(&digest).err().context("a circle has no end")?;
    ensure!(format!("{error:#}").contains("leads nowhere"), "{error:#}");
    assert_eq!(circle.asked()?.len(), 6);
    for (location, why) in [
        ("http://192.0.2.1/x?signature=s", "without TLS"),
        ("http://127.0.0.1@192.0.2.1/x?signature=s", "without TLS"),
        ("file:///etc/passwd?signature=s", "not an address"),
        ("", "not an address"),
    ] {
        let server = Server::start(move |_, _| (307, vec![("Location", location.to_owned())], Vec::new()))?;
        let error = server.client(None)?.blob(&digest).err().context(location)?;
        let error = format!("{error:#}");
        ensure!(!error.contains("signature") && error.contains(why), "{error}");
        assert_eq!(server.asked()?.len(), 1);
    }
    // A host that is listed as being without TLS is tried. Nothing listens there, and a process that requests a free
    // port never gets this one.
    let named = "127.0.0.1:1";
    let to = format!("http://{named}/x");
    let server = Server::start(move |_, _| (307, vec![("Location", to.clone())], Vec::new()))?;
    let client = server.client(None)?.with_plain_http(&[named.parse()?]);
    let error = client.blob(&digest).err().context("nobody answers there")?;
    ensure!(format!("{error:#}").contains("no answer"), "{error:#}");
    Ok(())
}

#[test]
fn the_right_to_delete_is_requested_only_to_remove_a_tag() -> Result<()> {
    // The token is the scope that was requested.
    let server = Server::start(|asked, address| {
        if let Some(query) = asked.what.strip_prefix("GET /token?") {
            let actions = query.rsplit_once("%3A").map_or("", |(_, actions)| actions);
            return (
                200,
                Vec::new(),
                format!(r#"{{"token": "{}"}}"#, actions.replace("%2C", "-")).into_bytes(),
            );
        }
        let token = asked
            .authorization
            .as_deref()
            .and_then(|value| value.strip_prefix("Bearer "))
            .unwrap_or_default();
        match asked.what.split(' ').next() {
            Some("DELETE") if token.ends_with("-delete") => empty(202),
            Some("HEAD") if token.starts_with("pull-push") => empty(404),
            _ => challenge(address),
        }
    })?;
    let client = server.client(Some(alice()))?;
    assert_eq!(client.digest_of(&"v1.0.0".parse::<Tag>()?)?, None);
    assert_eq!(client.remove_tag(&"candidate".parse()?)?, Removal::Gone);
    assert_eq!(client.digest_of(&"v1.0.0".parse::<Tag>()?)?, None);
    let log = server.log()?;
    let tokens: Vec<_> = log.iter().filter(|asked| asked.what.starts_with("GET /token")).collect();
    assert_eq!(tokens.len(), 2, "{log:?}");
    assert!(
        tokens[0].what.ends_with("pull%2Cpush") && tokens[1].what.ends_with("pull%2Cpush%2Cdelete"),
        "{log:?}"
    );
    assert_eq!(log.last().and_then(|asked| asked.authorization.as_deref()), Some("Bearer pull-push"));
    Ok(())
}

#[test]
fn a_registry_that_refuses_to_remove_a_tag_causes_no_error() -> Result<()> {
    let removal =
        |status| Server::start(move |_, _| empty(status))?.client(None)?.remove_tag(&"candidate".parse()?);
    for status in [400, 401, 403, 405, 412] {
        assert!(matches!(removal(status)?, Removal::Refused(_)), "{status}");
    }
    assert_eq!((removal(202)?, removal(404)?), (Removal::Gone, Removal::Missing));
    assert!(removal(501).is_err(), "it is unknown whether the tag is gone");
    // The same if the token server refuses.
    let server = Server::start(|asked, address| match asked.what.starts_with("GET /token") {
        true => empty(403),
        false => challenge(address),
    })?;
    assert!(matches!(server.client(Some(alice()))?.remove_tag(&"candidate".parse()?)?, Removal::Refused(_)));
    assert!(server.client(Some(alice()))?.digest_of(&"v1.0.0".parse::<Tag>()?).is_err());
    Ok(())
}

/// Answers each query with a page of tags and the link to the next page.
fn paging(pages: Vec<(&'static str, &'static str, String)>) -> Result<Server> {
    let pages: BTreeMap<_, _> = pages.into_iter().map(|(query, tags, link)| (query, (tags, link))).collect();
    Server::start(move |asked, address| {
        let query = asked.what.split_once('?').map_or("", |(_, query)| query);
        let Some((tags, link)) = pages.get(query) else { return empty(400) };
        let link = link.replace("SELF", &address.to_string());
        let headers = if link.is_empty() { Vec::new() } else { vec![("Link", link)] };
        (200, headers, format!(r#"{{"name": "acme/carol", "tags": {tags}}}"#).into_bytes())
    })
}

fn link(address: &str, query: &str) -> String {
    format!("<{address}/v2/acme/carol/tags/list?{query}>; rel=\"next\"")
}

#[test]
fn the_pages_of_tags_are_read_by_following_the_registrys_links() -> Result<()> {
    let server = paging(vec![
        ("n=100", r#"["v1.0.0", "v1.1.0"]"#, link("", "next_page=opaque")),
        // Nothing new, but not the last page.
        ("next_page=opaque", r#"["v1.1.0"]"#, link("http://SELF", "next_page=two")),
        ("next_page=two", r#"["v2.0.0"]"#, link("https://SELF", "next_page=three")),
        ("next_page=three", r#"["v3.0.0"]"#, String::new()),
    ])?;
    assert_eq!(server.client(None)?.tags()?, ["v1.0.0", "v1.1.0", "v2.0.0", "v3.0.0"]);
    Ok(())
}

#[test]
fn an_empty_page_is_the_last_even_if_it_has_a_link() -> Result<()> {
    for nothing in ["[]", "null"] {
        let server = paging(vec![
            ("n=100", r#"["v1.0.0"]"#, link("", "n=100&last=v1.0.0")),
            ("n=100&last=v1.0.0", nothing, link("", "n=100&last=v1.0.0")),
        ])?;
        assert_eq!(server.client(None)?.tags()?, ["v1.0.0"]);
    }
    Ok(())
}

#[test]
fn a_page_of_tags_on_another_host_is_not_requested() -> Result<()> {
    let elsewhere = storage(b"{}")?;
    for address in
        [format!("http://localhost:{}", elsewhere.address.port()), "http://SELF.example.org".to_owned()]
    {
        let server = paging(vec![("n=100", r#"["v1.0.0"]"#, link(&address, "n=100"))])?;
        let error = server.client(Some(alice()))?.tags().err().context(address)?;
        ensure!(!format!("{error:#}").contains("no answer"), "it was requested: {error:#}");
    }
    assert!(elsewhere.asked()?.is_empty());
    // A list without an end is an error, too.
    let server = paging(vec![("n=100", r#"["v1.0.0"]"#, link("", "n=100"))])?;
    let error = server.client(None)?.tags().err().context("there is no end")?;
    ensure!(format!("{error:#}").contains("no end after"), "{error:#}");
    Ok(())
}

#[test]
fn an_incomplete_list_of_tags_is_an_error_and_a_missing_image_has_no_tags() -> Result<()> {
    let server = Server::start(|asked, _| match asked.what.ends_with("n=100") {
        true => (200, vec![("Link", link("", "next_page=gone"))], br#"{"tags": ["v1.0.0"]}"#.to_vec()),
        false => empty(404),
    })?;
    let error = server.client(None)?.tags().err().context("a part of the list is taken for all of it")?;
    ensure!(format!("{error:#}").contains("404"), "{error:#}");
    let nothing = Server::start(|_, _| empty(404))?;
    assert!(nothing.client(None)?.tags()?.is_empty());
    Ok(())
}

#[test]
fn a_failed_upload_is_started_again_from_the_beginning() -> Result<()> {
    // The first upload has already accepted bytes, so it refuses a second `PUT`.
    let server = Server::start(|asked, _| match asked.what.split(['?', ' ']).collect::<Vec<_>>()[..2] {
        ["POST", _] => (202, vec![("Location", "/v2/acme/carol/blobs/uploads/1".to_owned())], Vec::new()),
        _ => empty(404),
    })?;
    let error = server.client(None)?.put_blob(STORED).err().context("it is accepted")?;
    ensure!(format!("{error:#}").contains("answered 404"), "{error:#}");
    let asked = server.asked()?;
    let methods: Vec<_> = asked.iter().filter_map(|asked| asked.split(' ').next()).collect();
    assert_eq!(methods, ["HEAD", "POST", "PUT", "HEAD", "POST", "PUT"], "{asked:?}");
    Ok(())
}

/// A registry with token authentication where `alice` may push, and that answers the cancellation of an upload with
/// `status`.
fn pushable(status: u16) -> Result<Server> {
    Server::start(move |asked, address| match asked.what.split_once(' ') {
        Some(("GET", path)) if path.starts_with("/token") => {
            (200, Vec::new(), br#"{"token": "token-of-alice"}"#.to_vec())
        }
        _ if asked.authorization.as_deref() != Some("Bearer token-of-alice") => challenge(address),
        Some(("POST", _)) => {
            (202, vec![("Location", "/v2/acme/carol/blobs/uploads/1".to_owned())], Vec::new())
        }
        // As distribution does if the right to delete is missing.
        Some(("DELETE", _)) if status == 401 => challenge(address),
        _ => empty(status),
    })
}

#[test]
fn an_account_may_push_even_if_it_may_not_cancel_an_upload() -> Result<()> {
    for status in [204, 400, 401, 403, 404, 405] {
        pushable(status)?.client(Some(alice()))?.check_push().with_context(|| status.to_string())?;
    }
    assert!(pushable(500)?.client(Some(alice()))?.check_push().is_err());
    let closed = Server::start(|_, _| empty(403))?;
    assert!(closed.client(Some(alice()))?.check_push().is_err());
    Ok(())
}
