//! The bundles of an earlier run, in a registry that lists referrers.

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use xtask::evidence::attached::Attested;
use xtask::oci::reference::Digest;
use xtask::process::failure::exit_code;
use xtask::release::stale::remove;

use super::server::{Answer, Server, empty};

/// A bundle of an attestation about `digest`; it differs for each `run`.
fn bundle(digest: &Digest, run: u8) -> Vec<u8> {
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "", "digest": {"sha256": digest.hex()}}],
        "predicateType": Attested::Provenance.predicate_type(),
        "predicate": {"run": run},
    });
    let envelope = json!({
        "payloadType": "application/vnd.in-toto+json",
        "payload": STANDARD.encode(statement.to_string()),
        "signatures": [{"sig": STANDARD.encode(b"signature")}],
    });
    json!({ "dsseEnvelope": envelope }).to_string().into_bytes()
}

/// The manifest of an artifact whose one layer has the digest of `blob`.
fn manifest(blob: &[u8]) -> Vec<u8> {
    let config =
        json!({"mediaType": "application/vnd.oci.empty.v1+json", "digest": Digest::of(b"{}"), "size": 2});
    let layer = json!({"mediaType": "x", "digest": Digest::of(blob), "size": blob.len()});
    json!({"schemaVersion": 2, "config": config, "layers": [layer]}).to_string().into_bytes()
}

/// A registry with these blobs and a manifest for each. It answers a removal with `removal`, and a request for a blob
/// with `busy` if there is such a status.
fn registry(blobs: Vec<Vec<u8>>, removal: u16, busy: Option<u16>) -> Result<Server> {
    Server::start(move |asked, _| {
        let (method, path) = asked.what.split_once(' ').unwrap_or_default();
        let digest = path.rsplit_once('/').map_or("", |(_, digest)| digest);
        let found = |all: Vec<Vec<u8>>| -> Answer {
            let found = all.into_iter().find(|bytes| Digest::of(bytes).as_str() == digest);
            found.map_or_else(
                || empty(404),
                |bytes| {
                    (
                        200,
                        vec![("Content-Type", "application/vnd.oci.image.manifest.v1+json".to_owned())],
                        bytes,
                    )
                },
            )
        };
        match (method, busy) {
            ("DELETE", _) => empty(removal),
            (_, _) if path.contains("/manifests/") => {
                found(blobs.iter().map(|blob| manifest(blob)).collect())
            }
            (_, Some(status)) => (status, vec![("Retry-After", "0".to_owned())], Vec::new()),
            _ => found(blobs.clone()),
        }
    })
}

#[test]
fn all_bundles_that_cannot_be_removed_are_named_and_also_those_of_this_run() -> Result<()> {
    let digest = Digest::of(b"image");
    let [ours, old, older] = [1, 2, 3].map(|run| bundle(&digest, run));
    let foreign = b"{}".to_vec();
    let blobs = vec![ours, old, older, foreign];
    let listed: Vec<_> = blobs.iter().map(|blob| Digest::of(&manifest(blob))).collect();
    let own = &listed[..1];

    let refusing = registry(blobs.clone(), 403, None)?;
    let error = remove(&refusing.client(None)?, &digest, own, &listed).err().context("it is removed")?;
    let said = error.to_string();
    assert_eq!(exit_code(&error), 1, "{said}");
    for named in &listed[..3] {
        assert!(said.contains(&format!(" @{named}")), "{named}: {said}");
    }
    assert!(said.contains("status 403") && said.contains("crane delete "), "{said}");
    assert!(!said.contains(listed[3].as_str()), "it is not ours: {said}");

    let removing = registry(blobs, 202, None)?;
    remove(&removing.client(None)?, &digest, own, &listed)?;
    let asked = removing.asked()?;
    let removed: Vec<_> = asked.iter().filter_map(|asked| asked.strip_prefix("DELETE ")).collect();
    let at = |digest: &Digest| format!("/v2/acme/carol/manifests/{digest}");
    assert_eq!(removed, [at(&listed[1]), at(&listed[2])]);
    Ok(())
}

#[test]
fn a_bundle_that_cannot_be_read_now_is_a_transient_error_and_not_skipped() -> Result<()> {
    let digest = Digest::of(b"image");
    let old = bundle(&digest, 1);
    let listed = [Digest::of(&manifest(&old))];
    let server = registry(vec![old], 202, Some(503))?;
    let error = remove(&server.client(None)?, &digest, &[], &listed).err().context("it is passed over")?;
    assert_eq!(exit_code(&error), 75, "{error:#}");
    assert!(server.asked()?.iter().all(|asked| !asked.starts_with("DELETE ")));
    Ok(())
}
