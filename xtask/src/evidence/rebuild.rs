//! The statement of somebody who has rebuilt a released commit: an in-toto test result about the image, signed by their
//! own key, under a tag of its own (docs/decisions/0034-a-rebuild-is-attested.md). It changes no claim of the release.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::evidence::attached::TEST_RESULT_PREDICATE;
use crate::evidence::attestation::predicate as signed_predicate;
use crate::evidence::provenance::LOCAL_BUILDER;
use crate::inputs::release::Release;
use crate::oci::reference::{Digest, Tag, is_hex_digit};

/// The folder on the default branch with the rebuilders' public keys, one `<name>.pub` each.
pub const KNOWN_KEYS: &str = "keys/rebuilders";

/// How many digits of a key's fingerprint are in the tag: a tag has at most 128 characters.
const DIGITS: usize = 32;

/// What follows the image's digest in the tags with statements about it, before a fingerprint.
const KIND: &str = ".rebuilt-";

/// The tag of the statement about `digest` by the key with that fingerprint. Each key has its own tag.
#[must_use]
pub fn tag(digest: &Digest, fingerprint: &Digest) -> Tag {
    Tag::of(digest, &format!("{KIND}{}", &fingerprint.hex()[..DIGITS]))
}

/// The first digits of the key's fingerprint in such a tag; `None` for any other tag.
#[must_use]
pub fn digits<'t>(tag: &'t str, digest: &Digest) -> Option<&'t str> {
    let digits = tag.strip_prefix(Tag::of(digest, KIND).as_str())?;
    (digits.len() == DIGITS && digits.bytes().all(is_hex_digit)).then_some(digits)
}

/// The predicate: a build of the release's commit with `builder` gave the same content. The digest is the same too, or
/// it differs only by the compression, which is a warning.
#[must_use]
pub fn predicate(release: &Release<'_>, is_same_digest: bool, builder: &BTreeMap<String, String>) -> Value {
    const CONTENT: &str = "same content";
    const DIGEST: &str = "same digest";
    let uri = format!("git+{}@{}", release.config.source_url(), release.tag().git_ref());
    let (passed, warned) =
        if is_same_digest { (vec![CONTENT, DIGEST], vec![]) } else { (vec![CONTENT], vec![DIGEST]) };
    json!({
        "result": if is_same_digest { "PASSED" } else { "WARNED" },
        "configuration": [
            {"name": "source", "uri": uri, "digest": {"gitCommit": release.source.commit.as_str()}},
            {"name": "builder", "uri": LOCAL_BUILDER, "annotations": builder},
        ],
        "passedTests": passed,
        "warnedTests": warned,
        "failedTests": [],
    })
}

/// Whether the envelope `bytes` says that the digest was the same, and not only the content. It must be about `digest`
/// and this release, in exactly that form. Only cosign can tell whether its signature is valid.
///
/// # Errors
/// When the envelope says anything else.
pub fn read(bytes: &[u8], release: &Release<'_>, digest: &Digest) -> Result<bool> {
    let found = signed_predicate(bytes, TEST_RESULT_PREDICATE, digest)?;
    let builder = found.pointer("/configuration/1/annotations").cloned().unwrap_or_default();
    let builder = serde_json::from_value(builder).context("it does not say what it was built with")?;
    let is_same_digest = found["result"] == "PASSED";
    let expected = predicate(release, is_same_digest, &builder);
    ensure!(found == expected, "it is {found}: expected {expected}");
    Ok(is_same_digest)
}

#[cfg(test)]
mod tests {
    use super::{digits, tag};
    use crate::oci::reference::{Digest, Tag};

    #[test]
    fn a_key_has_one_valid_tag_and_no_other_tag_is_mistaken_for_it() {
        let (digest, key) = (Digest::of(b"image"), Digest::of(b"key"));
        let tag = tag(&digest, &key);
        assert_eq!(tag.as_str().parse::<Tag>().unwrap(), tag);
        assert_eq!(digits(tag.as_str(), &digest), Some(&key.hex()[..32]));
        assert_eq!(digits(tag.as_str(), &Digest::of(b"other")), None);
        let stem = format!("sha256-{}", digest.hex());
        for other in [
            stem.clone(),
            format!("{stem}.sig"),
            format!("{stem}.rebuilt-"),
            format!("{tag}0"),
            tag.as_str().replace(".r", ".R"),
        ] {
            assert_eq!(digits(&other, &digest), None, "{other}");
        }
    }
}
