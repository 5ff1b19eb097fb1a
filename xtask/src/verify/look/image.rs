//! What the registry and cosign show of an image: its index, each platform's image, and what is attached to it.

use std::collections::BTreeMap;
use std::thread;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::index::{self, Platform};
use crate::progress::both;
use crate::reference::Digest;
use crate::registry::Manifest;
use crate::release::Release;
use crate::tool::cosign::{Cosign, VerifyCommand};
use crate::verify::claim::{Seen, Unseen};
use crate::verify::store::{Kind, Layout, Store};

use super::cosign::{Answer, Questions};
use super::{join, seen};

/// Where an image is looked at.
#[derive(Clone, Copy)]
pub(in crate::verify) enum Place<'a> {
    /// The registry, as a stranger where strangers may.
    Registry,
    /// A directory that `verify --save` made.
    Layout(&'a Layout),
}

/// One platform's image.
pub(in crate::verify) struct Part {
    /// Such as `linux/arm64`.
    pub(in crate::verify) platform: String,
    /// What its manifest and its config say; `None` where one of them is not there.
    pub(in crate::verify) said: Option<Said>,
    /// What is not there of it: its manifest, its config, layers.
    pub(in crate::verify) missing: Vec<String>,
}

/// What a platform's image says of itself.
pub(in crate::verify) struct Said {
    /// The platform that its config is for, as the index would name it.
    pub(in crate::verify) platform: String,
    pub(in crate::verify) labels: BTreeMap<String, String>,
    pub(in crate::verify) annotations: BTreeMap<String, String>,
}

/// What the registry and cosign show of an image.
pub(in crate::verify) struct ImageSeen {
    pub(in crate::verify) index: Seen<Option<Manifest>>,
    pub(in crate::verify) parts: Seen<Vec<Part>>,
    pub(in crate::verify) signature: Seen<Answer>,
    /// `None` where a layout holds no such signatures.
    pub(in crate::verify) part_signatures: Option<Seen<Answer>>,
    pub(in crate::verify) provenance: Seen<Answer>,
    pub(in crate::verify) sbom: Seen<Answer>,
    pub(in crate::verify) attached: Seen<Attached>,
}

impl ImageSeen {
    /// The platforms of the index and the digest of each one's manifest.
    pub(in crate::verify) fn platforms(&self) -> Seen<Vec<(String, Digest)>> {
        platforms(&self.index)
    }
}

/// What is attached to the index.
#[derive(Default)]
pub(in crate::verify) struct Attached {
    pub(in crate::verify) signatures: usize,
    /// The predicate type that each attestation's layer is marked with.
    pub(in crate::verify) attestations: Vec<String>,
}

/// Looks at the image. What is `known` of its index spares the wait for it: the same digest is the same bytes. It is
/// still asked for, as whoever pulls the digest asks for it.
///
/// # Errors
/// When a signal stopped it.
pub(in crate::verify) fn image(
    release: &Release<'_>,
    digest: &Digest,
    place: Place<'_>,
    known: Option<&Manifest>,
) -> Result<ImageSeen> {
    let (cosign, store) = reader(release, digest, place);
    let known = match known {
        Some(known) => Ok(Some(known.clone())),
        None => seen(store.manifest(digest)),
    };
    crate::interrupt::check()?;
    let platforms = platforms(&known);
    let mut commands = printed(release, digest, place);
    let of_parts = of_parts(release, &platforms, place);
    commands.extend(of_parts.iter().flatten().cloned());
    let index = || if known.is_ok() { seen(store.manifest(digest)) } else { known.clone() };
    let contents = || both(|| Ok(index()), || Ok(look_at_parts(store, &platforms)));
    let ((contents, attached), answers) = both(
        || both(contents, || Ok(seen(attached(store, digest)))),
        || Ok(Questions { cosign, store, digest }.ask(release, &commands)),
    )?;
    crate::interrupt::check()?;
    let (index, parts) = contents;
    let mut answers = answers.into_iter();
    let mut next =
        || answers.next().unwrap_or_else(|| Err(Unseen::Unknown("cosign was not asked".to_owned())));
    Ok(ImageSeen {
        index,
        parts,
        signature: next(),
        provenance: next(),
        sbom: next(),
        part_signatures: of_parts.map(|command| command.and_then(|_asked| next())),
        attached,
    })
}

/// A private owner's image can be read by no stranger: then the one with credentials stands in for the reader.
fn reader<'a>(
    release: &'a Release<'_>,
    digest: &Digest,
    place: Place<'a>,
) -> (&'a Cosign<'a>, &'a dyn Store) {
    let tools = release.tools;
    let stranger = &tools.stranger;
    match place {
        Place::Layout(layout) => (&stranger.cosign, layout),
        Place::Registry if release.target.credentials.is_none() => (&stranger.cosign, &tools.registry),
        Place::Registry => match stranger.registry.digest_of(digest.as_str()) {
            Ok(Some(_)) => (&stranger.cosign, &stranger.registry),
            Ok(None) | Err(_) => (&tools.cosign, &tools.registry),
        },
    }
}

/// The page's three commands.
fn printed(release: &Release<'_>, digest: &Digest, place: Place<'_>) -> Vec<VerifyCommand> {
    let printed = release.verify_commands(digest);
    match place {
        Place::Registry => printed,
        Place::Layout(layout) => {
            printed.into_iter().map(|command| command.of_layout(layout.path())).collect()
        }
    }
}

/// One command for the signatures of all platforms, which podman and skopeo look at; `cosign save` leaves them out.
fn of_parts(
    release: &Release<'_>,
    platforms: &Seen<Vec<(String, Digest)>>,
    place: Place<'_>,
) -> Option<Seen<VerifyCommand>> {
    let Place::Registry = place else { return None };
    let (target, version) = (release.target, release.source.tag.version());
    let platforms = platforms.as_ref().map_err(Clone::clone);
    let platforms = platforms.and_then(|platforms| match &platforms[..] {
        [] => Err(Unseen::Follows("image.platforms")),
        some => Ok(some),
    });
    Some(platforms.map(|platforms| {
        let digests: Vec<_> = platforms.iter().map(|(_, digest)| digest).collect();
        VerifyCommand::signature(&target.public_key_name, version, &target.image, &digests)
    }))
}

fn platforms(index: &Seen<Option<Manifest>>) -> Seen<Vec<(String, Digest)>> {
    match index {
        Ok(Some(index)) => {
            index::platforms(&index.bytes).map_err(|_no_index| Unseen::Follows("image.platforms"))
        }
        Ok(None) | Err(Unseen::Wrong(_) | Unseen::Follows(_)) => Err(Unseen::Follows("image.present")),
        Err(Unseen::Unknown(words)) => Err(Unseen::Unknown(words.clone())),
    }
}

fn look_at_parts(store: &dyn Store, platforms: &Seen<Vec<(String, Digest)>>) -> Seen<Vec<Part>> {
    let platforms = platforms.as_ref().map_err(Clone::clone)?;
    thread::scope(|scope| {
        let look = |(platform, digest): &(String, Digest)| {
            let (platform, digest) = (platform.clone(), digest.clone());
            scope.spawn(move || seen(look_at_part(store, platform, &digest)))
        };
        let running: Vec<_> = platforms.iter().map(look).collect();
        running.into_iter().map(join).collect()
    })
}

#[derive(Deserialize)]
struct ImageManifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: Digest,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct ImageConfig {
    #[serde(flatten)]
    platform: Platform,
    config: RunConfig,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RunConfig {
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

/// Looks at one platform's image.
///
/// # Errors
/// When the registry does not answer.
pub(in crate::verify) fn look_at_part(store: &dyn Store, platform: String, digest: &Digest) -> Result<Part> {
    let mut part = Part { platform, said: None, missing: Vec::new() };
    let Some(manifest) = store.manifest(digest)? else {
        part.missing.push(format!("the manifest `{digest}`"));
        return Ok(part);
    };
    let Ok(manifest) = serde_json::from_slice::<ImageManifest>(&manifest.bytes) else {
        part.missing.push(format!("an image manifest in `{digest}`"));
        return Ok(part);
    };
    let (config, layers) = both(
        || store.blob(&manifest.config.digest),
        || manifest.layers.iter().map(|layer| store.has_blob(&layer.digest)).collect::<Result<Vec<_>>>(),
    )?;
    match config.map(|bytes| serde_json::from_slice::<ImageConfig>(&bytes)) {
        Some(Ok(config)) => {
            part.said = Some(Said {
                platform: config.platform.to_string(),
                labels: config.config.labels,
                annotations: manifest.annotations,
            });
        }
        Some(Err(_)) => part.missing.push(format!("an image config in `{}`", manifest.config.digest)),
        None => part.missing.push(format!("the config `{}`", manifest.config.digest)),
    }
    let gone = manifest.layers.iter().zip(layers).filter(|(_, is_there)| !is_there);
    part.missing.extend(gone.map(|(layer, _)| format!("the layer `{}`", layer.digest)));
    Ok(part)
}

fn attached(store: &dyn Store, digest: &Digest) -> Result<Attached> {
    let layers = |kind| -> Result<Vec<Descriptor>> {
        let Some(manifest) = store.attached(digest, kind)? else { return Ok(Vec::new()) };
        let manifest: ImageManifest = serde_json::from_slice(&manifest.bytes)
            .with_context(|| format!("reading what is attached as `{}`", kind.tag(digest)))?;
        Ok(manifest.layers)
    };
    let (signatures, attestations) = both(|| layers(Kind::Signatures), || layers(Kind::Attestations))?;
    let mark = |layer: Descriptor| {
        layer.annotations.get("predicateType").cloned().unwrap_or_else(|| "no predicate type".to_owned())
    };
    Ok(Attached { signatures: signatures.len(), attestations: attestations.into_iter().map(mark).collect() })
}
