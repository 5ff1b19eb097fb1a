//! The messages about `latest` and a candidate that is kept, and how another image under the version tag is judged.

use super::{describe_latest, kept, other_content};
use crate::inputs::source::Source;
use crate::oci::index::Content;
use crate::oci::reference::Digest;
use crate::process::failure::Transient;
use crate::tool::git::Commit;
use crate::verify::known::Known;
use anyhow::anyhow;
use serde_json::json;

#[test]
fn latest_is_not_reported_as_staying_when_it_is_about_to_be_moved() {
    let commit = Commit::parse(&"a".repeat(40)).unwrap();
    let source = Source { tag: "v1.2.2".parse().unwrap(), commit, time: 0, is_tagged: true };
    for (tags, moves, words) in [
        (&["v1.2.2", "v1.2.3"][..], false, "stays: v1.2.3 is the highest stable version"),
        (&["v1.2.2", "v1.2.3"], true, "moves to v1.2.3, the highest stable version"),
        (&["v1.2.1", "v1.2.2"], true, "v1.2.2 is the highest stable version"),
        (&["v2.0.0-rc.1"], false, "none yet: there is no stable version"),
    ] {
        let known = Known::of(tags.iter().map(|&tag| tag.to_owned()).collect());
        assert_eq!(describe_latest(&known, &source, moves), words);
    }
}

/// The content of an image for one platform. Its config digest is made from `name`.
fn content(name: &str) -> Content {
    let manifest =
        json!({"config": {"mediaType": "x", "digest": Digest::of(name.as_bytes()), "size": 1}, "layers": []});
    let index = json!({"manifests": [
        {"digest": Digest::of(b"manifest"), "platform": {"os": "linux", "architecture": "arm64"}},
    ]});
    Content::of(index.to_string().as_bytes(), |_| Ok(manifest.to_string().into_bytes())).unwrap()
}

#[test]
fn only_the_same_content_is_accepted_and_a_transient_error_decides_nothing() {
    let ours = content("ours");
    assert_eq!(other_content(Ok(content("ours")), &ours).unwrap(), None);
    let other = other_content(Ok(content("theirs")), &ours).unwrap();
    assert_eq!(other.as_deref(), Some("another image for linux/arm64"));
    let other = other_content(Err(anyhow!("it is not an image index")), &ours).unwrap();
    assert_eq!(other.as_deref(), Some("something else there: it is not an image index"));
    assert!(other_content(Err(Transient::new("answered 502").into()), &ours).is_err());
}

#[test]
fn a_kept_candidate_is_reported_with_the_reason() {
    for (status, why) in [
        (400, "this registry cannot delete tags (400)"),
        (401, "the registry does not let this account delete tags (401)"),
        (403, "the registry does not let this account delete tags (403)"),
        (405, "this registry cannot delete tags (405)"),
        (412, "the registry never changes or deletes a tag (412)"),
    ] {
        assert_eq!(kept("candidate-a", status), format!("`candidate-a` is kept: {why}; it does no harm"));
    }
}
