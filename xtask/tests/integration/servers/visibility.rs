//! A package that is private by accident is detected before it is published.

use anyhow::{Context as _, Result};
use xtask::inputs::config::Visibility;
use xtask::oci::reference::Digest;
use xtask::process::failure::exit_code;
use xtask::release::visibility::check;

use super::server::{Server, challenge, empty};

#[test]
fn an_image_that_is_hidden_from_everyone_is_refused_unless_it_is_meant_to_be() -> Result<()> {
    let digest = Digest::of(b"index");
    let hides: [Server; 3] = [
        Server::start(|_, _| empty(404))?,
        Server::start(|asked, address| match asked.what.starts_with("GET /token") {
            true => empty(403),
            false => challenge(address),
        })?,
        Server::start(|asked, address| match asked.what.starts_with("GET /token") {
            true => (200, Vec::new(), br#"{"token": "of-nobody"}"#.to_vec()),
            false if asked.authorization.is_some() => empty(403),
            false => challenge(address),
        })?,
    ];
    for server in hides {
        let error =
            check(&server.client(None)?, &digest, Visibility::Public).err().context("it is hidden")?;
        assert_eq!(exit_code(&error), 3, "{error:#}");
        assert!(error.to_string().contains("`visibility = \"private\"`"), "{error:#}");
        check(&server.client(None)?, &digest, Visibility::Private)?;
    }
    let there = digest.to_string();
    let shows = Server::start(move |_, _| (200, vec![("Docker-Content-Digest", there.clone())], Vec::new()))?;
    check(&shows.client(None)?, &digest, Visibility::Public)?;
    let busy = Server::start(|_, _| (503, vec![("Retry-After", "0".to_owned())], Vec::new()))?;
    let error = check(&busy.client(None)?, &digest, Visibility::Public).err().context("nothing is known")?;
    assert_eq!(exit_code(&error), 75, "{error:#}");
    Ok(())
}
