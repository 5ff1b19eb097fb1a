//! An image that is given by its digest, and what the version tag names.

use crate::oci::reference::Digest;
use crate::verify::claim::Verdict::{False, Holds};
use crate::verify::judge::public::tag_image;

use super::recording::{Recording, all};

#[test]
fn the_version_tag_must_name_the_image_that_was_given_by_its_digest() {
    let (_, dir) = all().unwrap().pop().unwrap();
    let recording = Recording::load(&dir).unwrap();
    let (asked, other) = (Digest::of(b"asked"), Digest::of(b"other"));
    for (digest, named, expected) in [
        (Some(&asked), Some(&asked), Holds),
        (None, Some(&other), Holds),
        (Some(&asked), Some(&other), False),
        (Some(&asked), None, False),
        (None, None, False),
    ] {
        let claim = tag_image(&recording.release(), digest, &Ok(named.cloned()));
        assert_eq!(claim.verdict, expected, "{digest:?}: {}", claim.evidence);
    }
}
