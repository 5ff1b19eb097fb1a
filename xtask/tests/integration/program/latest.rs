//! The bytes of its manifest decide which image `latest` names, whatever digest the registry reports for it.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use xtask::oci::reference::Digest;
use xtask::process::temp_dir::TempDir;

use super::server::{repository, said, verify};
use crate::servers::server::{Answer, Asked, Server, empty};

/// A registry that serves another manifest for `latest` than for `v0.1.0`. When no body is requested, it reports the
/// same digest for both.
fn answer(asked: &Asked, _address: SocketAddr) -> Answer {
    let (released, other) = ("{\"schemaVersion\":2}", "{\"schemaVersion\": 2}");
    let request = asked.what.as_str();
    let (kind, body) = match request {
        _ if request.contains("/tags/list") => {
            ("application/json", r#"{"name": "acme/carol", "tags": ["latest", "v0.1.0"]}"#)
        }
        _ if request.starts_with("GET") && request.contains("/manifests/latest") => (MANIFEST, other),
        _ if request.contains("/manifests/v0.1.0") || request.contains("/manifests/latest") => {
            (MANIFEST, released)
        }
        _ => return empty(404),
    };
    let digest = Digest::of(body.as_bytes()).to_string();
    (
        200,
        vec![("Content-Type", kind.to_owned()), ("Docker-Content-Digest", digest)],
        body.as_bytes().to_vec(),
    )
}

const MANIFEST: &str = "application/vnd.oci.image.index.v1+json";

#[test]
fn another_image_under_latest_is_found_even_if_the_registry_reports_the_right_digest() -> Result<()> {
    let (server, scratch) = (Server::start(answer)?, TempDir::new()?);
    let host = server.address.to_string();
    let dir = repository(&scratch, "own", &host, &format!("{host}/acme/carol"))?;
    let report = said(&verify(&dir, &["v0.1.0"], &[])?);
    ensure!(report.contains("\nFALSE  latest "), "{report}");
    Ok(())
}
