//! Random and mutated documents of registries, and image names.

use serde_json::Value;

use super::index::{annotations, platforms};
use super::manifest::ImageManifest;
use super::reference::{Digest, Image};
use super::{exact, registry};
use crate::process::hostile::readers;

const INDEX: &[u8] = br#"{"schemaVersion": 2, "annotations": {"a": "b"}, "config": {"digest": "sha256:6f450da5d3b094b19cde1c67adc2290e9b5c4d124d66ef7cc080270540aa36e4"},
    "manifests": [{"digest": "sha256:6f450da5d3b094b19cde1c67adc2290e9b5c4d124d66ef7cc080270540aa36e4", "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}}]}"#;

readers! {
    indexes: {
        seeds: vec![INDEX.to_vec()],
        words: &[
            "{", "}", "[", "]", ",", ":", "\"", "\"manifests\": [", "\"Manifests\": [", "\"digest\": \"sha256:", "\"platform\": {", "null", "\\u0000",
            "\\ud800", "1e999", "-0", "{\"a\":", "[[", "\n",
        ],
        read: |bytes| {
            drop(platforms(bytes));
            drop(annotations(bytes));
            drop(ImageManifest::parse(bytes));
            let Ok(value) = exact::value(bytes) else { return };
            // An accepted document reads the same for everybody.
            assert_eq!(serde_json::from_slice::<Value>(bytes).unwrap(), value);
        },
    }
    names: {
        seeds: vec![b"forge.example.org:3000/acme/carol".to_vec(), b"127.0.0.1:5000/x/y-z_1".to_vec(), b"sha256:00".to_vec()],
        words: &["/", ":", "@", ".", "-", "_", "__", "A", "a", "0", "localhost", "[::1]", "sha256:", "\0", "%", "\u{e9}", "//"],
        read: |bytes| {
            let text = String::from_utf8_lossy(bytes);
            if let Ok(image) = text.parse::<Image>() {
                assert_eq!(image.to_string().parse::<Image>().unwrap(), image);
            }
            if let Ok(digest) = text.parse::<Digest>() {
                assert_eq!(digest.as_str(), text);
            }
        },
    }
    challenges: {
        seeds: vec![b"Bearer realm=\"https://forge.example.org/v2/token\",service=\"x\"".to_vec()],
        words: &["Bearer ", "realm=\"", "service=\"", "\"", ",", "=", "\\\"", "\u{e9}", " ", "<", ">; rel=\"next\""],
        read: |bytes| registry::read_headers(&String::from_utf8_lossy(bytes)),
    }
}
