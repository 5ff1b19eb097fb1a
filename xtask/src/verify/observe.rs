//! All queries of `verify`, each made once, in parallel where possible. Nothing is judged here.

pub(super) mod assets;
mod beside;
mod bundles;
mod clone;
mod common;
pub(super) mod contents;
mod cosign;
pub(super) mod image;
pub(super) mod keys;
mod parts;
mod saved;
mod source;
pub(super) mod store;

use std::thread;

use anyhow::{Context as _, Result, anyhow};

use crate::contents::read::Damaged;
use crate::evidence::page::PublishedPage;
use crate::inputs::version::ReleaseTag;
use crate::oci::reference::Digest;
use crate::oci::registry::DigestMismatch;
use crate::process::failure::{NotPublic, is_transient};
use crate::process::parallel::joined;
use crate::process::temp_dir::TempDir;
use crate::tool::cosign::VerifyCommand;
use crate::tool::git::Commit;
use crate::verify::Verifier;

use crate::verify::claim::{Observed, Unavailable};

pub(super) use assets::ObservedAssets;
pub(super) use bundles::{ObservedBundle, ObservedBundles};
pub use clone::SharedClone;
pub(super) use clone::deciding;
#[cfg(test)]
pub(super) use common::listed;
pub(super) use common::{Common, ObservedLatest, common, listed_beside};
pub(super) use contents::ObservedContents;
pub use contents::base_manifests;
pub(super) use cosign::Answer;
pub(super) use image::{ObservedImage, Place, image};
pub use parts::labels_of;
pub(super) use parts::{Attached, Metadata, Part};
pub(super) use source::{ObservedBranch, ObservedSigners, ObservedSource, source};

/// What is public under a release's names.
pub(super) struct ObservedPublic {
    pub(super) version_tag: Observed<Option<Digest>>,
    pub(super) names: Names,
}

/// What the forge has under these names.
pub(super) struct Names {
    pub(super) forge_tag: Observed<Option<Commit>>,
    pub(super) page: Observed<Option<PublishedPage>>,
    /// The page's files; empty if there is no page.
    pub(super) assets: Observed<ObservedAssets>,
}

/// Queries the forge; the `page` is not requested if it is known already.
pub(super) fn names(verifier: &Verifier<'_>, page: Option<&Observed<Option<PublishedPage>>>) -> Names {
    let (tag, forge) = (verifier.release.tag(), verifier.forge);
    thread::scope(|scope| {
        let forge_tag = scope.spawn(|| seen(forge.tag(tag)));
        let page = page.cloned().unwrap_or_else(|| seen(forge.page(tag)));
        let assets = match &page {
            Ok(Some(page)) => {
                assets::look(page, &|tag, wanted| forge.assets(tag, wanted), &|signature, sums| {
                    assets::check_sums(verifier, signature, sums)
                })
            }
            Ok(None) => Ok(ObservedAssets::default()),
            Err(unseen) => Err(unseen.clone()),
        };
        Names { page, assets, forge_tag: join(forge_tag) }
    })
}

/// Has cosign check the signature of another release of the same image.
pub(super) fn signature(verifier: &Verifier<'_>, tag: &ReleaseTag, digest: &Digest) -> Result<()> {
    let (release, key) = (verifier.release, key_directory(verifier)?);
    let command = VerifyCommand::signature(release.key_name, tag.version(), release.image, &[digest]);
    verifier
        .cosign
        .try_verify(&command, key.path())?
        .map(|_| ())
        .map_err(|words| anyhow!("`{command}` says: {words}"))
}

/// What a query found. Bytes that do not match their digest are an answer, and a wrong one.
///
/// # Errors
/// Why there is nothing to judge.
pub fn seen<T>(result: Result<T>) -> Observed<T> {
    result.map_err(|error| {
        let words = in_words(&error);
        match is_wrong(&error) {
            true => Unavailable::Invalid(words),
            false if is_transient(&error) => Unavailable::Transient(words),
            false => Unavailable::Failed(words),
        }
    })
}

/// Whether there was an answer with bytes that do not match their digest.
fn is_wrong(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.is::<DigestMismatch>() || cause.is::<Damaged>())
}

/// The error in words, with what to type if it says that something is not public.
pub fn in_words(error: &anyhow::Error) -> String {
    let is_hidden = error.chain().any(<dyn std::error::Error>::is::<NotPublic>);
    let remedy = if is_hidden {
        "; if it is private, set `REGISTRY_TOKEN` and `FORGEJO_TOKEN` and add `--login`"
    } else {
        ""
    };
    format!("{error:#}{remedy}")
}

fn join<T>(thread: thread::ScopedJoinHandle<'_, Observed<T>>) -> Observed<T> {
    joined(thread.join()).unwrap_or_else(|panicked| Err(Unavailable::Failed(format!("{panicked:#}"))))
}

/// A directory with the public key at the path that the printed commands use, so that they run there unchanged.
fn key_directory(verifier: &Verifier<'_>) -> Result<TempDir> {
    let release = verifier.release;
    let key = verifier.key_file()?;
    let scratch = TempDir::new()?;
    let path = scratch.path().join(release.key_name);
    let parent = path.parent().context("the public key's name is no path")?;
    std::fs::create_dir_all(parent)
        .and_then(|()| std::fs::write(&path, key))
        .context("writing the public key for cosign")?;
    Ok(scratch)
}
