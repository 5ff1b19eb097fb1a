//! A registry whose owner was renamed: what is sent under the new name, and to whom.

use anyhow::{Context as _, Result, ensure};
use xtask::oci::reference::{Digest, Tag};
use xtask::oci::registry::Wanted;

use super::server::{Asked, Server, alice, challenge};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const STORED: &[u8] = br#"{"mediaType":"application/vnd.oci.image.index.v1+json"}"#;

/// A registry whose owner `acme` was renamed to `new` (docs/facts.md#renamed-repositories). The new name is on the
/// host `elsewhere`, if there is one.
fn renamed(elsewhere: Option<String>) -> Result<Server> {
    Server::start(move |asked, address| {
        let given = |token: &str| (200, Vec::new(), format!("{{\"token\": \"{token}\"}}").into_bytes());
        let has = |token: &str| asked.authorization.as_deref() == Some(&format!("Bearer {token}"));
        let (_, path) = asked.what.split_once(' ').unwrap_or_default();
        let of_old = path.strip_prefix("/v2/acme/");
        match (path.starts_with("/token"), of_old) {
            (true, _) if path.contains("new%2Fcarol%3Apull") => given("token-for-new"),
            (true, _) => given("token-for-acme"),
            (_, Some(rest)) if has("token-for-acme") => {
                let host = elsewhere.clone().unwrap_or_default();
                (307, vec![("Location", format!("{host}/v2/new/{rest}"))], Vec::new())
            }
            (_, None) if has("token-for-new") => {
                let digest = ("Docker-Content-Digest", Digest::of(STORED).to_string());
                (200, vec![("Content-Type", INDEX.to_owned()), digest], STORED.to_vec())
            }
            _ => challenge(address),
        }
    })
}

#[test]
fn content_under_the_new_name_of_an_owner_is_fetched_with_an_anonymous_token() -> Result<()> {
    for credentials in [None, Some(alice())] {
        let registry = renamed(None)?;
        let client = registry.client(credentials)?;
        let digest = Digest::of(STORED);
        let tag = "v1.0.0".parse::<Tag>()?;
        assert_eq!(client.digest_of(&tag)?.context("no tag")?, digest);
        assert_eq!(client.manifest(&tag)?.context("no manifest")?.bytes, STORED);
        assert_eq!(client.blob(&digest)?.context("no blob")?, STORED);
        let several = client.batch(&[Wanted::Manifest(digest.clone()), Wanted::Blob(digest)]);
        assert_eq!(several.into_iter().collect::<Result<Vec<_>>>()?.len(), 2);
        let log = registry.log()?;
        let of_new = log.iter().filter(|asked| asked.what.contains("new"));
        let is_anonymous =
            |asked: &Asked| asked.authorization.as_deref().is_none_or(|sent| sent == "Bearer token-for-new");
        ensure!(of_new.clone().count() > 4 && of_new.clone().all(is_anonymous), "{log:?}");
    }
    Ok(())
}

#[test]
fn another_host_under_the_new_name_gets_no_token_at_all() -> Result<()> {
    let other = renamed(None)?;
    let registry = renamed(Some(format!("http://localhost:{}", other.address.port())))?;
    let error = registry.client(Some(alice()))?.manifest(&Digest::of(STORED)).err().context("it was read")?;
    assert!(format!("{error:#}").contains("answered 401"), "{error:#}");
    let log = other.log()?;
    ensure!(log.len() == 1 && log[0].authorization.is_none(), "{log:?}");
    Ok(())
}
