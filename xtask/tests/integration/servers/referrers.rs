//! The list of an image's referrers, in registries that answer with a redirect.

use anyhow::{Context as _, Result};
use serde_json::json;
use xtask::oci::reference::Digest;
use xtask::oci::registry::{Got, Wanted};
use xtask::process::failure::exit_code;

use super::server::{Answer, Server};

/// A list with the digest of `image`.
fn list(image: &Digest) -> Answer {
    let list = json!({ "schemaVersion": 2, "manifests": [{ "digest": image, "size": 1 }] });
    (200, Vec::new(), list.to_string().into_bytes())
}

#[test]
fn a_registry_that_answers_303_with_another_host_has_no_list_of_referrers() -> Result<()> {
    let digest = Digest::of(b"image");
    let busy = Server::start(|_, _| (429, vec![("Retry-After", "0".to_owned())], Vec::new()))?;
    // Another name of this machine, which therefore counts as another host.
    let elsewhere = format!("http://localhost:{}/x", busy.address.port());
    let see_other = {
        let elsewhere = elsewhere.clone();
        Server::start(move |_, _| (303, vec![("Location", elsewhere.clone())], Vec::new()))?
    };
    assert_eq!(see_other.client(None)?.referrers(&digest)?, None);
    let several = see_other.client(None)?.batch(&[Wanted::Referrers(digest.clone())]).pop();
    assert_eq!(several.context("no answer")??, None);
    assert!(busy.asked()?.is_empty());

    // If the list itself has moved, it is read.
    let moved = Server::start(move |_, _| (307, vec![("Location", elsewhere.clone())], Vec::new()))?;
    let error = moved.client(None)?.referrers(&digest).err().context("there is an answer")?;
    assert_eq!(exit_code(&error), 75, "{error:#}");
    let image = digest.clone();
    let here = Server::start(move |asked, _| match asked.what.ends_with("/moved") {
        true => list(&image),
        false => (303, vec![("Location", "/moved".to_owned())], Vec::new()),
    })?;
    assert_eq!(here.client(None)?.referrers(&digest)?, Some(vec![digest.clone()]));
    let several = here.client(None)?.batch(&[Wanted::Referrers(digest.clone())]).pop();
    assert_eq!(several.context("no answer")??, Some(Got::Referrers(vec![digest])));
    Ok(())
}
