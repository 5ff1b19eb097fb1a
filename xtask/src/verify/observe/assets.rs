//! The files on a release page that have a name of ours, as anyone downloads them.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

use crate::evidence::assets::{LARGEST, Listed, SIGNATURE, SUMS, names};
use crate::evidence::commands::sums_command;
use crate::evidence::page::PublishedPage;
use crate::inputs::version::ReleaseTag;
use crate::verify::Verifier;
use crate::verify::claim::Seen;

use super::{key_directory, seen};

/// What a page has of them.
#[derive(Clone, Default)]
pub(in crate::verify) struct AssetsSeen {
    /// Those of our names, each as often as it is there.
    pub(in crate::verify) listed: Vec<Listed>,
    /// What each name gives; nothing where it is listed and gives none, or is larger than any of ours.
    pub(in crate::verify) bytes: BTreeMap<String, Vec<u8>>,
    /// cosign's answer to the printed command, `Err` where that is no; nothing where one of its two files is missing.
    pub(in crate::verify) signature: Option<Result<(), String>>,
}

/// What gives the bytes of files.
pub(in crate::verify) type Download<'a> =
    dyn Fn(&ReleaseTag, &[&Listed]) -> Vec<Result<Option<Vec<u8>>>> + Sync + 'a;

/// cosign's answer to the signature in the first file, of the second.
pub(in crate::verify) type CheckSums<'a> = dyn Fn(&[u8], &[u8]) -> Result<Result<(), String>> + Sync + 'a;

/// Looks at the files of `page`.
pub(in crate::verify) fn look(
    page: &PublishedPage,
    download: &Download<'_>,
    check: &CheckSums<'_>,
) -> Seen<AssetsSeen> {
    let found = seen(downloaded(page, download))?;
    let bytes = &found.bytes;
    let signature = match (bytes.get(SIGNATURE), bytes.get(SUMS)) {
        (Some(signature), Some(sums)) => Some(seen(check(signature, sums))?),
        _ => None,
    };
    Ok(AssetsSeen { signature, ..found })
}

/// The files of `page` that have a name of ours, and what each name gives; cosign is not asked.
///
/// # Errors
/// When the forge does not answer for one.
pub(in crate::verify) fn downloaded(page: &PublishedPage, download: &Download<'_>) -> Result<AssetsSeen> {
    let tag = &page.page.tag;
    let ours = names(tag);
    let listed: Vec<_> = page.assets.iter().filter(|listed| ours.contains(&listed.name)).cloned().collect();
    let first = |name: &String| listed.iter().find(|listed| &listed.name == name);
    let wanted: Vec<_> = ours.iter().filter_map(first).filter(|listed| listed.size <= LARGEST).collect();
    let mut bytes = BTreeMap::new();
    for (listed, found) in wanted.iter().zip(download(tag, &wanted)) {
        let doing = || format!("downloading `{}` from the page", listed.name);
        bytes.extend(found.with_context(doing)?.map(|found| (listed.name.clone(), found)));
    }
    Ok(AssetsSeen { listed, bytes, signature: None })
}

/// Runs the command that the page prints for its files, where they and the public key are.
///
/// # Errors
/// When cosign cannot be run.
pub(in crate::verify) fn check_sums(
    verifier: &Verifier<'_>,
    signature: &[u8],
    sums: &[u8],
) -> Result<Result<(), String>> {
    let directory = key_directory(verifier)?;
    for (name, bytes) in [(SIGNATURE, signature), (SUMS, sums)] {
        std::fs::write(directory.path().join(name), bytes)
            .with_context(|| format!("writing `{name}` for cosign"))?;
    }
    let command = sums_command(&verifier.release);
    Ok(verifier.anonymous.cosign.try_verify(&command, directory.path())?.map(|_| ()))
}
