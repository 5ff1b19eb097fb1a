//! Everything that `verify` asks, each thing once and in parallel. Nothing is judged here.

pub(super) mod assets;
mod beside;
mod bundles;
mod clone;
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
use crate::oci::reference::{Digest, Tag};
use crate::oci::registry::{Client, WrongBytes};
use crate::process::failure::{NotPublic, is_transient};
use crate::process::parallel::joined;
use crate::process::scratch::Scratch;
use crate::tool::cosign::VerifyCommand;
use crate::tool::git::Commit;
use crate::verify::Verifier;
use crate::verify::known::Known;

use crate::verify::claim::{Seen, Unseen};

pub(super) use assets::AssetsSeen;
pub(super) use bundles::{BundleSeen, BundlesSeen};
pub use clone::SharedClone;
pub(super) use clone::deciding;
pub(super) use contents::ContentsSeen;
pub use contents::base_manifests;
pub(super) use cosign::Answer;
pub(super) use image::{ImageSeen, Place, image};
pub use parts::labels_of;
pub(super) use parts::{Attached, Part, Said};
pub(super) use source::{BranchSeen, SourceSeen, source};

/// What is public under a release's names.
pub(super) struct PublicSeen {
    pub(super) version_tag: Seen<Option<Digest>>,
    pub(super) names: Names,
}

/// What the forge has under these names.
pub(super) struct Names {
    pub(super) forge_tag: Seen<Option<Commit>>,
    pub(super) page: Seen<Option<PublishedPage>>,
    /// The page's files; empty if there is no page.
    pub(super) assets: Seen<AssetsSeen>,
}

/// What is the same for all releases of an image, and is asked once.
pub(super) struct Common {
    /// All tags of the registry.
    pub(super) tags: Seen<Vec<String>>,
    pub(super) latest: Seen<LatestSeen>,
}

/// Where `latest` is, and where it belongs.
#[derive(Clone)]
pub(super) struct LatestSeen {
    pub(super) latest: Option<Digest>,
    /// The highest stable version that has a tag in the registry, and its digest.
    pub(super) highest: Option<(ReleaseTag, Option<Digest>)>,
    /// Whether there is a git tag of that version. A version that only the registry has is no release.
    pub(super) is_tagged: Seen<bool>,
}

impl LatestSeen {
    /// Whether `tag` is the highest stable version that is released.
    pub(super) fn belongs_to(&self, tag: &ReleaseTag) -> bool {
        self.highest.as_ref().is_some_and(|(highest, _)| highest == tag)
    }
}

/// Asks what the forge has; the `page` is not asked for if it is known already.
pub(super) fn names(verifier: &Verifier<'_>, page: Option<&Seen<Option<PublishedPage>>>) -> Names {
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
            Ok(None) => Ok(AssetsSeen::default()),
            Err(unseen) => Err(unseen.clone()),
        };
        Names { page, assets, forge_tag: join(forge_tag) }
    })
}

/// Lists the registry's tags, and looks where `latest` is. A version tag that is already known is not asked for again.
/// `is_tagged` says whether there is a git tag of a version. The digests are computed from the manifests, because a registry
/// can write anything into the header that names one.
pub(super) fn common(
    registry: &Client,
    known_tag: Option<(&ReleaseTag, Digest)>,
    is_tagged: impl FnOnce(&ReleaseTag) -> Result<bool>,
) -> Common {
    let digest = |tag: &Tag| Ok(registry.manifest(tag)?.map(|found| found.digest));
    let (known, latest) = thread::scope(|scope| {
        let latest = scope.spawn(|| digest(&Tag::latest()));
        let known = Known::ask(registry);
        (known, joined(latest.join()).flatten())
    });
    let latest = known.as_ref().map_err(|error| anyhow!("{error:#}")).and_then(|known| {
        let latest = latest?;
        let highest = match known.highest() {
            Some(tag) => {
                let known = known_tag.filter(|(known, _)| known == &tag).map(|(_, digest)| digest);
                let asked = || digest(&tag.registry_tag());
                Some((tag.clone(), known.map_or_else(asked, |digest| Ok(Some(digest)))?))
            }
            None => None,
        };
        let is_tagged = highest.as_ref().map_or(Ok(true), |(tag, _)| seen(is_tagged(tag)));
        Ok(LatestSeen { latest, highest, is_tagged })
    });
    Common { tags: seen(known.map(|known| known.tags().to_vec())), latest: seen(latest) }
}

/// Asks cosign for the signature of another release of the same image.
pub(super) fn signature(verifier: &Verifier<'_>, tag: &ReleaseTag, digest: &Digest) -> Result<()> {
    let (release, key) = (verifier.release, key_directory(verifier)?);
    let command = VerifyCommand::signature(release.key_name, tag.version(), release.image, &[digest]);
    verifier
        .cosign
        .try_verify(&command, key.path())?
        .map(|_| ())
        .map_err(|words| anyhow!("`{command}` says: {words}"))
}

/// The answer to a question. Bytes that do not match their digest are an answer, and a wrong one.
///
/// # Errors
/// Why there is nothing to judge.
pub fn seen<T>(result: Result<T>) -> Seen<T> {
    result.map_err(|error| {
        let words = in_words(&error);
        let is_wrong = error.chain().any(|cause| cause.is::<WrongBytes>() || cause.is::<Damaged>());
        match is_wrong {
            true => Unseen::Wrong(words),
            false if is_transient(&error) => Unseen::Away(words),
            false => Unseen::Unknown(words),
        }
    })
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

fn join<T>(thread: thread::ScopedJoinHandle<'_, Seen<T>>) -> Seen<T> {
    joined(thread.join()).unwrap_or_else(|panicked| Err(Unseen::Unknown(format!("{panicked:#}"))))
}

/// A directory with the public key at the path that the printed commands use, so that they run there as they stand.
fn key_directory(verifier: &Verifier<'_>) -> Result<Scratch> {
    let release = verifier.release;
    let key = verifier.key_file()?;
    let scratch = Scratch::new()?;
    let path = scratch.path().join(release.key_name);
    let parent = path.parent().context("the public key's name is no path")?;
    std::fs::create_dir_all(parent)
        .and_then(|()| std::fs::write(&path, key))
        .context("writing the public key for cosign")?;
    Ok(scratch)
}
