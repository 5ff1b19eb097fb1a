//! The cosign files that Sigstore published, for the versions that this tool knows. `cosign-digests = ["known"]`
//! accepts them. Distributions build their own files, which are not among them.

use anyhow::Result;

use crate::oci::reference::Digest;

/// Version, platform and SHA-256, from the release's `cosign_checksums.txt`. docs/facts.md#cosigns-own-files says how
/// they were obtained. Renovate updates those of 3.1 (`customManagers` in `renovate.json`).
const KNOWN: [(&str, &str, &str); 4] = [
    ("v3.0.6", "linux-amd64", "c956e5dfcac53d52bcf058360d579472f0c1d2d9b69f55209e256fe7783f4c74"),
    ("v3.0.6", "linux-arm64", "bedac92e8c3729864e13d4a17048007cfafa79d5deca993a43a90ffe018ef2b8"),
    ("v3.1.3", "linux-amd64", "4629c757b7618056f8ddd7e2625ae9fdd94c0372a65049520bc7d9df9efc7f71"),
    ("v3.1.3", "linux-arm64", "c5d324e091826b0d7a78eb16fef316450b4eb9aaec045611c08ba06f5e73220a"),
];

/// The digests of all of them.
///
/// # Errors
/// When an entry of the table is not a digest.
pub fn known() -> Result<Vec<Digest>> {
    KNOWN.iter().map(|(_, _, hex)| format!("sha256:{hex}").parse()).collect()
}

/// The name of the file, such as `cosign v3.1.3 (linux-amd64)`.
pub(super) fn name_of(digest: &Digest) -> Option<String> {
    let (version, platform, _) = KNOWN.iter().find(|(_, _, hex)| *hex == digest.hex())?;
    Some(format!("cosign {version} ({platform})"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{KNOWN, known, name_of};
    use crate::oci::reference::Digest;

    #[test]
    fn every_known_file_has_a_digest_and_a_name_of_its_own() {
        let digests = known().unwrap();
        assert_eq!(digests.len(), KNOWN.len());
        let names: BTreeSet<_> = digests.iter().filter_map(name_of).collect();
        assert_eq!(names.len(), KNOWN.len(), "{names:?}");
        assert_eq!(name_of(&Digest::of(b"")), None);
    }

    #[test]
    fn every_row_has_the_form_that_renovate_looks_for() {
        let source = include_str!("known.rs");
        let is_row = |line: &&str| line.starts_with("    (\"v") && line.ends_with("\"),");
        assert_eq!(source.lines().filter(is_row).count(), KNOWN.len());
    }
}
