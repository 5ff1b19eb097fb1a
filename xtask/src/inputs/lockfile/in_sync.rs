//! Whether the lockfile was made for this package.json.

use anyhow::Result;

use super::entry::{Lock, Manifest, Ranges};
use super::out_of_sync;
use crate::inputs::config::Folder;
use crate::refuse;

/// Compares the ranges and the workspaces that both name.
///
/// # Errors
/// A [`crate::process::failure::Refusal`] when they differ.
pub(super) fn check(manifest: &Manifest, lock: &Lock, service: &Folder) -> Result<()> {
    let root = &lock.packages[""];
    let unlike = difference(&manifest.ranges, &root.ranges).or_else(|| {
        (manifest.workspaces != root.workspaces).then(|| "they have different `workspaces`".to_owned())
    });
    if let Some(difference) = unlike {
        refuse!("{}", out_of_sync("package.json", &difference, service));
    }
    Ok(())
}

/// The first difference between the two, in words.
pub(super) fn difference(manifest: &Ranges, locked: &Ranges) -> Option<String> {
    let (wanted, made_for) = (manifest.needed(), locked.needed());
    let kinds = [
        ("dependencies", &wanted, &made_for),
        ("devDependencies", &manifest.dev_dependencies, &locked.dev_dependencies),
        ("optionalDependencies", &manifest.optional_dependencies, &locked.optional_dependencies),
        ("peerDependencies", &manifest.peer_dependencies, &locked.peer_dependencies),
    ];
    for (kind, wanted, locked) in kinds {
        for name in wanted.keys().chain(locked.keys()) {
            let (wanted, locked) = (wanted.get(name), locked.get(name));
            if wanted != locked {
                return Some(match (wanted, locked) {
                    (Some(wanted), Some(locked)) => format!(
                        "{kind} ask for `{wanted}` of `{name}`, and the lockfile was made for `{locked}`"
                    ),
                    (Some(wanted), None) => {
                        format!(
                            "{kind} ask for `{wanted}` of `{name}`, which the lockfile does not have there"
                        )
                    }
                    (None, _) => format!("the {kind} of the lockfile have `{name}`, which is not asked for"),
                });
            }
        }
    }
    let goes_without = |ranges: &Ranges, name: &String| {
        ranges.peer_dependencies_meta.get(name).is_some_and(|meta| meta.optional)
    };
    let mut peers = manifest.peer_dependencies.keys();
    let unlike = peers.find(|name| goes_without(manifest, name) != goes_without(locked, name));
    unlike.map(|name| format!("they differ about whether the peer `{name}` is optional"))
}
