//! Lies on the way: a registry that answers with other bytes than requested, and servers that do not answer or
//! answer with something else. What was not seen is unchecked and never holds.

use anyhow::{Context as _, Result};
use testbed::proxy::{Fault, ObservedRequest};
use xtask::oci::reference::Digest;

use super::Lie;
use super::honest::Honest;

/// Claims that need the registry, including cosign's requests.
const OF_THE_REGISTRY: &[&str] = of_an_image!("tag.image", "latest", "key.continuity");

/// Claims that need the forge's API.
const OF_THE_FORGE: &[&str] = &["tag.git", "page.state", "page.image", "page.commands", "page.assets"];

/// From now on, the answer to `path` has one more byte.
fn change_bytes(honest: &Honest, path: &str) {
    let path = format!("/v2/{}/{path}", honest.image.path);
    honest.proxy.set_rule(move |request| {
        if request.path == path && request.method == "GET" {
            Fault::rewrite(|answer| answer.body.push(b' '))
        } else {
            Fault::Pass
        }
    });
}

/// From now on, every request below `path` gets `fault`.
fn disturb(honest: &Honest, path: &'static str, fault: Fault) -> Result<()> {
    honest.proxy.set_rule(
        move |request: &ObservedRequest| {
            if request.path.starts_with(path) { fault.clone() } else { Fault::Pass }
        },
    );
    Ok(())
}

/// A page where JSON or a manifest should be.
fn html() -> Fault {
    Fault::status(200, ("Content-Type", "text/html"), "<html><body>back soon</body></html>")
}

/// The blob at `key` in the manifest of the first platform.
fn blob(honest: &Honest, key: &str) -> Result<Digest> {
    let manifest = honest.registry.manifest(honest.manifests()?[0].as_str())?.json()?;
    let digest = manifest.pointer(key).and_then(|digest| digest.as_str());
    digest.with_context(|| format!("a manifest without `{key}`"))?.parse()
}

pub(super) const LIES: &[Lie] = &[
    Lie {
        name: "registry answers with another layer",
        make: |honest| {
            change_bytes(honest, &format!("blobs/{}", blob(honest, "/layers/1/digest")?));
            Ok(())
        },
        wrong: &["image.content"],
        unchecked: &["image.base", "image.machine", "sbom.components"],
    },
    Lie {
        name: "registry slower than the timeout",
        make: |honest| disturb(honest, "/v2/", Fault::Hang),
        wrong: &[],
        unchecked: OF_THE_REGISTRY,
    },
    Lie {
        name: "registry answers with a web page",
        make: |honest| disturb(honest, "/v2/", html()),
        wrong: &[],
        unchecked: OF_THE_REGISTRY,
    },
    Lie {
        name: "forge answers 500",
        make: |honest| disturb(honest, "/api/", Fault::internal_error()),
        wrong: &[],
        unchecked: OF_THE_FORGE,
    },
];
