//! Lies about the image, most of them by someone who has the key. The image is signed, attested, tagged and on the
//! page like a release; only the image itself is a different one.

use super::Lie;
use super::surgery::archive_of;

/// The header of a program for an architecture that nothing here is released for.
fn s390x() -> Vec<u8> {
    let mut header = vec![0; 64];
    header[..8].copy_from_slice(b"\x7fELF\x02\x02\x01\0");
    header[18..20].copy_from_slice(&22u16.to_be_bytes());
    header
}

pub(super) const LIES: &[Lie] = &[
    Lie {
        name: "a binary for another platform in an extra layer",
        make: |honest| {
            honest.release_changed(|parts| honest.add_archive(parts, &archive_of("app/x.node", &s390x())))
        },
        wrong: &["image.machine"],
        unchecked: &[],
    },
    Lie {
        // What the key vouches for is believed. Only the verifier's own build shows the difference.
        name: "an extra layer, which only `--rebuild` finds",
        make: |honest| honest.release_changed(|parts| honest.add_a_layer(parts)),
        wrong: &["rebuild"],
        unchecked: &[],
    },
];
