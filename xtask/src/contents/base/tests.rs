//! Base images and their manifests.

use super::{Base, PinnedBase};
use crate::contents::cache::Cache;
use crate::inputs::stand_in::StandIn;
use crate::oci::manifest::tests::descriptor;
use crate::oci::reference::Digest;
use crate::process::environment::Environment;
use anyhow::{Context as _, Result};
use serde_json::json;
use std::collections::BTreeMap;

#[test]
fn a_base_image_is_named_with_the_registry_that_serves_it() {
    let digest = Digest::of(b"x");
    let text = format!("FROM node:22-slim@{digest}\n");
    let base = crate::inputs::dockerfile::read(&text, &[]).unwrap().base.last;
    let other = Digest::of(b"y");
    let stand_in = StandIn::parse(&format!("127.0.0.1:5055/library/node:22-slim@{other}"), None).unwrap();
    let replaced = PinnedBase::of(&base, Some(&stand_in));
    assert_eq!(replaced.image().unwrap().to_string(), "127.0.0.1:5055/library/node");
    assert_eq!(replaced.digest, other);
    let hub = PinnedBase::of(&base, None);
    assert_eq!((hub.name.as_str(), &hub.digest), ("docker.io/library/node", &digest));
    assert_eq!(hub.image().unwrap().to_string(), "docker.io/library/node");
}

#[test]
fn layers_are_read_for_the_platform_from_bytes_that_match_the_digest() {
    let layers = [descriptor("1", 1), descriptor("2", 1)];
    let arm = json!({"config": descriptor("config", 1), "layers": layers}).to_string().into_bytes();
    let index = json!({"manifests": [
        {"digest": Digest::of(b"unasked"), "platform": {"os": "linux", "architecture": "amd64"}},
        {"digest": Digest::of(&arm), "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}},
    ]})
    .to_string()
    .into_bytes();
    let (pinned, cache) = (Digest::of(&index), Cache::new(&Environment::default()).unwrap());
    let mut shelf = BTreeMap::from([(pinned.clone(), index), (Digest::of(&arm), arm.clone())]);
    let of = |platform: &str, shelf: &BTreeMap<Digest, Vec<u8>>| -> Result<Base> {
        Base::of(&pinned, &[platform.to_owned()], &cache, |digest| shelf.get(digest).cloned().context("gone"))
    };
    assert_eq!(of("linux/arm64", &shelf).unwrap().layers[0].1, [Digest::of(b"1"), Digest::of(b"2")]);
    assert!(of("linux/s390x", &shelf).is_err() && of("linux/amd64", &shelf).is_err());
    shelf.insert(Digest::of(&arm), b"{\"layers\": []}".to_vec());
    assert!(of("linux/arm64", &shelf).is_err(), "the bytes do not match the digest");
}

#[test]
fn another_variant_is_not_the_platform_and_its_default_variant_is() {
    let manifest = |layer: &str| {
        json!({"config": descriptor("config", 1), "layers": [descriptor(layer, 1)]}).to_string().into_bytes()
    };
    let cache = Cache::new(&Environment::default()).unwrap();
    let read = |listed: &[&str], wanted: &str| -> Option<Digest> {
        let entries = listed.iter().map(|platform| {
            let parts: Vec<_> = platform.split('/').collect();
            let variant = parts.get(2);
            let fields = json!({"os": parts[0], "architecture": parts[1], "variant": variant});
            json!({"digest": Digest::of(&manifest(platform)), "platform": fields})
        });
        let index = json!({"manifests": entries.collect::<Vec<_>>()}).to_string().into_bytes();
        let shelf = listed.iter().map(|platform| manifest(platform)).chain([index.clone()]);
        let shelf: BTreeMap<_, _> = shelf.map(|bytes| (Digest::of(&bytes), bytes)).collect();
        let ask = |digest: &Digest| shelf.get(digest).cloned().context("gone");
        let base = Base::of(&Digest::of(&index), &[wanted.to_owned()], &cache, ask).ok()?;
        Some(base.layers[0].1[0].clone())
    };
    for (listed, wanted, expected) in [
        (&["linux/amd64/v3", "linux/amd64"][..], "linux/amd64", Some("linux/amd64")),
        (&["linux/amd64/v3"], "linux/amd64", None),
        (&["linux/amd64/v3", "linux/amd64/v1"], "linux/amd64", Some("linux/amd64/v1")),
        (&["linux/amd64", "linux/amd64/v3"], "linux/amd64/v3", Some("linux/amd64/v3")),
        (&["linux/arm/v7", "linux/arm64/v8"], "linux/arm64", Some("linux/arm64/v8")),
        (&["linux/arm64/v9"], "linux/arm64", None),
        (&["linux/arm/v6", "linux/arm"], "linux/arm/v7", Some("linux/arm")),
    ] {
        let expected = expected.map(|platform| Digest::of(platform.as_bytes()));
        assert_eq!(read(listed, wanted), expected, "{wanted} in {listed:?}");
    }
}
