//! `verify IMAGE@DIGEST --offline DIR`: everything is read from the directory, and it has to hold that image.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use xtask::oci::reference::Digest;
use xtask::process::temp_dir::TempDir;

use super::server::{denying, git, repository, said, verify};
use crate::plain_git;

/// Writes `json` as a blob of the layout in `dir`, and returns its digest.
fn blob(dir: &Path, json: &Value) -> Result<String> {
    let bytes = serde_json::to_vec(json)?;
    let digest = Digest::of(&bytes);
    fs::write(dir.join("blobs/sha256").join(digest.hex()), bytes)?;
    Ok(digest.to_string())
}

/// A directory with an image whose labels say that it is `version` at `commit`, and the image's digest.
fn layout(scratch: &TempDir, version: &str, commit: &str) -> Result<(PathBuf, String)> {
    let dir = scratch.path().join("saved");
    fs::create_dir_all(dir.join("blobs/sha256"))?;
    let labels = json!({
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.revision": commit,
    });
    let config = json!({"os": "linux", "architecture": "amd64", "config": {"Labels": labels}});
    let manifest =
        json!({"config": {"mediaType": "x", "digest": blob(&dir, &config)?, "size": 1}, "layers": []});
    let platform = json!({"os": "linux", "architecture": "amd64"});
    let index = json!({"manifests": [{"digest": blob(&dir, &manifest)?, "platform": platform}]});
    let digest = blob(&dir, &index)?;
    let kind = json!({"kind": "dev.cosignproject.cosign/imageIndex"});
    let index = "application/vnd.oci.image.index.v1+json";
    let image = json!({"mediaType": index, "size": 1, "digest": digest, "annotations": kind});
    let layout = json!({"schemaVersion": 2, "mediaType": index, "manifests": [image]});
    fs::write(dir.join("index.json"), serde_json::to_vec(&layout)?)?;
    Ok((dir, digest))
}

#[test]
fn a_directory_is_verified_only_as_the_requested_image_and_without_requests() -> Result<()> {
    let (server, scratch) = (denying()?, TempDir::new()?);
    let image = format!("{}/acme/carol", server.address);
    let dir = repository(&scratch, "own", &server.address.to_string(), &image)?;
    let (saved, digest) = layout(&scratch, "0.1.0", "")?;
    let verify = |digest: &str| {
        let output =
            verify(&dir, &[&format!("{image}@{digest}"), "--offline", &saved.display().to_string()], &[])?;
        anyhow::Ok((output.status.code(), said(&output)))
    };
    let other = format!("sha256:{}", "a".repeat(64));
    let (code, words) = verify(&other)?;
    ensure!(code == Some(2), "{code:?} {words}");
    ensure!(words.contains(&format!("holds `{digest}`, and `{other}` was asked for")), "{words}");
    let (code, words) = verify(&digest)?;
    ensure!(code == Some(1) && words.starts_with("v0.1.0 at "), "{code:?} {words}");
    assert_eq!(server.log()?, []);

    fs::remove_dir_all(&saved)?;
    let (_, digest) =
        layout(&scratch, "0.1.0\n\nv0.1.0 at f51f\n\nok     signature            1 by the key", "")?;
    let (code, words) = verify(&digest)?;
    ensure!(code == Some(4) && words.lines().count() == 1, "{code:?} {words}");
    assert_eq!(server.log()?, []);
    Ok(())
}

#[test]
fn an_image_whose_version_has_no_tag_is_not_taken_for_a_release() -> Result<()> {
    let (server, scratch) = (denying()?, TempDir::new()?);
    let image = format!("{}/acme/carol", server.address);
    let dir = repository(&scratch, "own", &server.address.to_string(), &image)?;
    let commit = plain_git::call(&dir, &["rev-parse", "HEAD"])?.read()?;
    git(&dir, &["tag", "--delete", "v0.1.0"])?;
    let (saved, digest) = layout(&scratch, "0.1.0", &commit)?;
    let mirrored = format!("localhost/x/y@{digest}");
    let output = verify(&dir, &[&mirrored, "--offline", &saved.display().to_string()], &[])?;
    let words = said(&output);
    ensure!(
        words.contains("there is no tag `v0.1.0` in this clone, and only the image itself names"),
        "{words}"
    );
    assert_eq!(server.log()?, []);
    Ok(())
}
