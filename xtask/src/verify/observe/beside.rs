//! References to an image, apart from what a release attaches in the legacy format. A release stores no such
//! reference to a platform's image, and cosign 3 and policy controllers would prefer it to the signatures.

use crate::evidence::attached::{Kind, foreign_tags};
use crate::oci::reference::Digest;
use crate::oci::registry::{Got, Wanted};
use crate::verify::claim::Observed;
use crate::verify::observe::store::Store;

use super::seen;

/// Every such reference to one of the platforms' manifests, as its digest or tag in backticks. All are requested in
/// one batch.
pub(super) fn look(store: &dyn Store, platforms: &Observed<Vec<(String, Digest)>>) -> Observed<Vec<String>> {
    let platforms = platforms.as_ref().map_err(Clone::clone)?;
    let of_one = |(_, digest): &(String, Digest)| {
        let tags = foreign_tags(digest).map(Wanted::Tagged);
        let wanted = tags.into_iter().chain([Wanted::Referrers(digest.clone())]);
        wanted.map(|wanted| (digest.clone(), wanted)).collect::<Vec<_>>()
    };
    let (of, wanted): (Vec<_>, Vec<_>) = platforms.iter().flat_map(of_one).unzip();
    let mut found = Vec::new();
    for ((platform, wanted), answer) in of.iter().zip(&wanted).zip(store.batch(&wanted)) {
        match (seen(answer)?, wanted) {
            (Some(Got::Referrers(listed)), _) => {
                let listed = without_legacy(store, platform, &[Kind::Signatures], listed)?;
                found.extend(listed.iter().map(|digest| format!("`{digest}`")));
            }
            (Some(Got::Bytes(bytes)), Wanted::Tagged(_)) if is_itself(&bytes, platform) => {}
            (Some(_), Wanted::Tagged(tag)) => found.push(format!("`{tag}`")),
            _ => {}
        }
    }
    Ok(found)
}

/// Whether the manifest found under a tag that is for references to the image `digest` is that image itself, as some
/// registries answer (docs/facts.md#other-registries-references). It adds nothing to the image.
pub(super) fn is_itself(bytes: &[u8], digest: &Digest) -> bool {
    Digest::of(bytes) == *digest
}

/// Removes from `listed`, the manifests that a registry lists as referring to `digest`, those under a tag of the
/// legacy format. Some registries list these as well (docs/facts.md#other-registries-references). They are judged as
/// what is under that tag.
pub(super) fn without_legacy(
    store: &dyn Store,
    digest: &Digest,
    kinds: &[Kind],
    mut listed: Vec<Digest>,
) -> Observed<Vec<Digest>> {
    if listed.is_empty() {
        return Ok(listed);
    }
    let wanted: Vec<_> = kinds.iter().filter_map(|kind| store.attached(digest, *kind)).collect();
    for manifest in store.fetch(&wanted) {
        if let Some(bytes) = seen(manifest)? {
            let legacy = Digest::of(&bytes);
            listed.retain(|digest| *digest != legacy);
        }
    }
    Ok(listed)
}
