//! What `verify` asks, each thing once and side by side; nothing is judged here.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;

use anyhow::{Context as _, Result, anyhow};
use serde::Deserialize;

use crate::forge::PublishedPage;
use crate::index;
use crate::inputs::PUBLIC_KEY;
use crate::progress::both;
use crate::reference::{Digest, Tag};
use crate::registry::{Client, Manifest};
use crate::release::Release;
use crate::release::tags::Known;
use crate::scratch::Scratch;
use crate::tool::cosign::{Cosign, VerifyCommand};
use crate::tool::git::Commit;
use crate::version::ReleaseTag;

use super::claim::Seen;

/// What cosign said of one command.
pub(super) enum Answer {
    /// It accepted the image, and printed this.
    Accepted(String),
    /// It did not, in these words.
    Rejected(String),
}

/// One platform's image.
pub(super) struct PlatformImage {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
}

/// What the registry and cosign show of an image.
pub(super) struct ImageSeen {
    pub(super) index: Seen<Option<Manifest>>,
    /// By platform; `None` where its manifest or config is gone.
    pub(super) images: Seen<Vec<(String, Option<PlatformImage>)>>,
    pub(super) signature: Seen<Answer>,
    pub(super) provenance: Seen<Answer>,
    pub(super) sbom: Seen<Answer>,
}

/// What is public under the release's names.
pub(super) struct PublicSeen {
    pub(super) version_tag: Seen<Option<Digest>>,
    pub(super) forge_tag: Seen<Option<Commit>>,
    pub(super) page: Seen<Option<PublishedPage>>,
    pub(super) latest: Seen<LatestSeen>,
}

/// Where `latest` is, and where it belongs.
pub(super) struct LatestSeen {
    pub(super) latest: Option<Digest>,
    /// The highest stable version that has a tag in the registry, and its digest.
    pub(super) highest: Option<(ReleaseTag, Option<Digest>)>,
}

impl LatestSeen {
    /// Whether `tag` is the highest stable version that is released.
    pub(super) fn belongs_to(&self, tag: &ReleaseTag) -> bool {
        self.highest.as_ref().is_some_and(|(highest, _)| highest == tag)
    }
}

/// Looks at the image, as a stranger where strangers may.
pub(super) fn image(release: &Release<'_>, digest: &Digest) -> Result<ImageSeen> {
    let tools = release.tools;
    // A private owner's image can be read by no stranger: then the one with credentials stands in for the reader.
    let (cosign, registry, index) = match tools.stranger.registry.manifest(digest.as_str()) {
        Ok(Some(index)) => (&tools.stranger.cosign, &tools.stranger.registry, Ok(Some(index))),
        Ok(None) | Err(_) => (&tools.cosign, &tools.registry, tools.registry.manifest(digest.as_str())),
    };
    crate::interrupt::check()?;
    let key = key_directory(release)?;
    let commands = release.verify_commands(digest);
    let (images, answers) = both(
        || Ok(seen(images(registry, index.as_ref()))),
        || Ok(ask_all(cosign, registry, digest, &commands, key.path())),
    )?;
    crate::interrupt::check()?;
    let [signature, provenance, sbom] =
        <[_; 3]>::try_from(answers).map_err(|_more| anyhow!("three answers of cosign"))?;
    Ok(ImageSeen { index: seen(index), images, signature, provenance, sbom })
}

/// Looks at the version tag, the forge and `latest`.
pub(super) fn public(release: &Release<'_>) -> Result<PublicSeen> {
    let (tag, forge) = (&release.source.tag, &release.target.forge);
    let version_tag = tag.registry_tag();
    let seen = thread::scope(|scope| {
        let version_tag = scope.spawn(|| seen(release.tools.registry.digest_of(version_tag.as_str())));
        let latest = scope.spawn(|| seen(latest(release)));
        let forge_tag = scope.spawn(|| seen(forge.tag(tag)));
        PublicSeen {
            page: seen(forge.page(tag)),
            version_tag: join(version_tag),
            latest: join(latest),
            forge_tag: join(forge_tag),
        }
    });
    crate::interrupt::check()?;
    Ok(seen)
}

/// Asks cosign for the signature of another release of the same image.
pub(super) fn signature(release: &Release<'_>, tag: &ReleaseTag, digest: &Digest) -> Result<()> {
    let (target, key) = (release.target, key_directory(release)?);
    let command = VerifyCommand::signature(&target.public_key_name, tag.version(), &target.image, digest);
    release
        .tools
        .cosign
        .try_verify(&command, key.path())?
        .map(|_| ())
        .map_err(|words| anyhow!("`{command}` says: {words}"))
}

fn join<T>(thread: thread::ScopedJoinHandle<'_, Seen<T>>) -> Seen<T> {
    thread.join().unwrap_or_else(|_panic| Err("a thread panicked".to_owned()))
}

fn latest(release: &Release<'_>) -> Result<LatestSeen> {
    let registry = &release.tools.registry;
    let known = Known::ask(registry)?;
    let latest = registry.digest_of(Tag::latest().as_str())?;
    let highest = match known.highest() {
        Some(tag) => Some((tag.clone(), registry.digest_of(tag.registry_tag().as_str())?)),
        None => None,
    };
    Ok(LatestSeen { latest, highest })
}

fn seen<T>(result: Result<T>) -> Seen<T> {
    result.map_err(|error| format!("{error:#}"))
}

fn ask_all(
    cosign: &Cosign<'_>,
    registry: &Client,
    digest: &Digest,
    commands: &[VerifyCommand],
    dir: &Path,
) -> Vec<Seen<Answer>> {
    thread::scope(|scope| {
        let ask = |command| scope.spawn(move || seen(ask(cosign, registry, digest, command, dir)));
        let running: Vec<_> = commands.iter().map(ask).collect();
        running.into_iter().map(join).collect()
    })
}

/// cosign exits alike when an attestation is wrong and when the registry is down (docs/facts.md#exit-codes): it is
/// believed only while the registry answers for the very thing that it rejected.
fn ask(
    cosign: &Cosign<'_>,
    registry: &Client,
    digest: &Digest,
    command: &VerifyCommand,
    dir: &Path,
) -> Result<Answer> {
    match cosign.try_verify(command, dir)? {
        Ok(output) => Ok(Answer::Accepted(output)),
        Err(words) => {
            let stored = format!("sha256-{}.{}", digest.hex(), command.stored_as());
            registry
                .manifest(&stored)
                .with_context(|| format!("`{command}` failed, and the registry does not answer"))?;
            Ok(Answer::Rejected(words))
        }
    }
}

#[derive(Deserialize)]
struct ImageManifest {
    config: Descriptor,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: Digest,
}

#[derive(Deserialize)]
struct ImageConfig {
    config: RunConfig,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RunConfig {
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

fn images(
    registry: &Client,
    index: Result<&Option<Manifest>, &anyhow::Error>,
) -> Result<Vec<(String, Option<PlatformImage>)>> {
    let index = index.map_err(|error| anyhow!("{error:#}"))?;
    let Some(index) = index else { return Ok(Vec::new()) };
    // Bytes that are no index have no platforms to look at, and `image.platforms` says so.
    let Ok(platforms) = index::platforms(&index.bytes) else { return Ok(Vec::new()) };
    let look = |(platform, digest): (String, Digest)| Ok((platform, platform_image(registry, &digest)?));
    platforms.into_iter().map(look).collect()
}

fn platform_image(registry: &Client, digest: &Digest) -> Result<Option<PlatformImage>> {
    let Some(manifest) = registry.manifest(digest.as_str())? else { return Ok(None) };
    let manifest: ImageManifest =
        serde_json::from_slice(&manifest.bytes).context("reading an image manifest")?;
    let Some(config) = registry.blob(&manifest.config.digest)? else { return Ok(None) };
    let config: ImageConfig = serde_json::from_slice(&config).context("reading an image config")?;
    Ok(Some(PlatformImage { labels: config.config.labels, annotations: manifest.annotations }))
}

/// A directory that has the public key where the printed commands name it: they run there as they stand.
fn key_directory(release: &Release<'_>) -> Result<Scratch> {
    let key = release.target.public_key.as_ref().or(release.inputs.public_key.as_ref());
    let key = key.with_context(|| format!("commit {} has no `{PUBLIC_KEY}`", release.source.commit))?;
    let scratch = Scratch::new()?;
    let path = scratch.path().join(&release.target.public_key_name);
    let parent = path.parent().context("the public key's name is no path")?;
    std::fs::create_dir_all(parent)
        .and_then(|()| std::fs::write(&path, key))
        .context("writing the public key for cosign")?;
    Ok(scratch)
}
