//! What refers to a platform's image, besides the signatures under its own tag. A release stores nothing of that kind,
//! and cosign 3 and policy controllers prefer it to the signatures.

use crate::evidence::attached::foreign_tags;
use crate::oci::reference::Digest;
use crate::oci::registry::{Got, Wanted};
use crate::verify::claim::Seen;
use crate::verify::observe::store::Store;

use super::seen;

/// Each reference to one of the platforms' manifests, in words. All are asked for at once.
pub(super) fn look(store: &dyn Store, platforms: &Seen<Vec<(String, Digest)>>) -> Seen<Vec<String>> {
    let platforms = platforms.as_ref().map_err(Clone::clone)?;
    let of_one = |(_, digest): &(String, Digest)| {
        let tags = foreign_tags(digest).map(Wanted::Tagged);
        tags.into_iter().chain([Wanted::Referrers(digest.clone())])
    };
    let wanted: Vec<_> = platforms.iter().flat_map(of_one).collect();
    let mut found = Vec::new();
    for (wanted, answer) in wanted.iter().zip(store.several(&wanted)) {
        match (seen(answer)?, wanted) {
            (Some(Got::Referrers(listed)), _) => {
                found.extend(listed.iter().map(|digest| format!("`{digest}`")));
            }
            (Some(_), Wanted::Tagged(tag)) => found.push(format!("`{tag}`")),
            _ => {}
        }
    }
    Ok(found)
}
