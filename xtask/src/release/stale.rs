//! The bundles that an earlier run left in a registry that lists referrers itself.

use anyhow::{Result, bail};

use crate::evidence::bundle;
use crate::oci::reference::Digest;
use crate::oci::registry::{Client, Removal};
use crate::release::withdraw::by_hand;

/// Removes bundles of attestations about `digest` that an earlier run left: those in `listed` that are not in `ours`,
/// which this run has stored. A signature by another run says the same as ours and stays: two runs that removed each
/// other's would leave none.
///
/// # Errors
/// When the registry does not answer. If it refuses to remove one, the error names every bundle that the next run
/// would find, including those of this run: the next run makes other attestations.
pub fn remove(registry: &Client, digest: &Digest, ours: &[Digest], listed: &[Digest]) -> Result<()> {
    let mut refused = None;
    let mut left: Vec<_> = ours.iter().map(|own| format!("@{own}")).collect();
    for other in listed.iter().filter(|other| !ours.contains(other)) {
        let Some(manifest) = registry.manifest(other)? else { continue };
        let Ok(layer) = bundle::layer_of(&manifest.bytes) else { continue };
        let Some(blob) = registry.blob(&layer)? else { continue };
        if !bundle::is_attestation(&blob, digest) {
            continue;
        }
        if let Removal::Refused(status) = registry.remove_manifest(other)? {
            refused = Some(status);
            left.push(format!("@{other}"));
        }
    }
    let Some(status) = refused else { return Ok(()) };
    bail!(
        "the registry does not let this account remove the bundles of an earlier run (status {status}), and those of this \
         run are beside them now: {}, then run the same command again",
        by_hand(registry.image(), &left)
    )
}
