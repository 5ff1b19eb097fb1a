//! The files on a release page that have one of our names, as anyone downloads them.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

use crate::evidence::assets::{Listed, MAX_SIZE, SIGNATURE, SUMS, names};
use crate::evidence::commands::sums_command;
use crate::evidence::page::PublishedPage;
use crate::inputs::version::ReleaseTag;
use crate::verify::Verifier;
use crate::verify::claim::Observed;

use super::{key_directory, seen};

/// What was found of these files on a page.
#[derive(Clone, Default)]
pub(in crate::verify) struct ObservedAssets {
    /// The files with our names, each as often as it is listed.
    pub(in crate::verify) listed: Vec<Listed>,
    /// The bytes for each name. A listed name is missing here if the forge has no such file, or a larger one than any
    /// of ours.
    pub(in crate::verify) bytes: BTreeMap<String, Vec<u8>>,
    /// cosign's answer to the printed command, `Err` if it rejects; `None` if one of the command's two files is
    /// missing.
    pub(in crate::verify) signature: Option<Result<(), String>>,
}

/// Downloads the bytes of listed files.
pub(in crate::verify) type Download<'a> =
    dyn Fn(&ReleaseTag, &[&Listed]) -> Vec<Result<Option<Vec<u8>>>> + Sync + 'a;

/// Has cosign check that the first file is the key's signature of the second.
pub(in crate::verify) type CheckSums<'a> = dyn Fn(&[u8], &[u8]) -> Result<Result<(), String>> + Sync + 'a;

/// Looks at the files of `page`.
pub(in crate::verify) fn look(
    page: &PublishedPage,
    download: &Download<'_>,
    check: &CheckSums<'_>,
) -> Observed<ObservedAssets> {
    let found = seen(downloaded(page, download))?;
    let bytes = &found.bytes;
    let signature = match (bytes.get(SIGNATURE), bytes.get(SUMS)) {
        (Some(signature), Some(sums)) => Some(seen(check(signature, sums))?),
        _ => None,
    };
    Ok(ObservedAssets { signature, ..found })
}

/// The files of `page` with our names, and the bytes for each name. cosign is not run.
///
/// # Errors
/// When one of them cannot be downloaded.
pub(in crate::verify) fn downloaded(page: &PublishedPage, download: &Download<'_>) -> Result<ObservedAssets> {
    let tag = &page.page.tag;
    let ours = names(tag);
    let listed: Vec<_> = page.assets.iter().filter(|listed| ours.contains(&listed.name)).cloned().collect();
    let first = |name: &String| listed.iter().find(|listed| &listed.name == name);
    let wanted: Vec<_> = ours.iter().filter_map(first).filter(|listed| listed.size <= MAX_SIZE).collect();
    let mut bytes = BTreeMap::new();
    for (listed, found) in wanted.iter().zip(download(tag, &wanted)) {
        let doing = || format!("downloading `{}` from the page", listed.name);
        bytes.extend(found.with_context(doing)?.map(|found| (listed.name.clone(), found)));
    }
    Ok(ObservedAssets { listed, bytes, signature: None })
}

/// Runs the command that the page prints for its files, in a directory with these files and the public key.
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
