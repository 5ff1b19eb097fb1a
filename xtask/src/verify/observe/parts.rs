//! The parts of an image: the index, each platform's manifest, config and layers, and what is attached. Two rounds of
//! requests are enough, because only the manifests name further parts.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, anyhow, ensure};
use serde::Deserialize;

use crate::contents::read::Part as Layered;
use crate::evidence::attached::Kind;
use crate::oci::index;
use crate::oci::manifest::{ImageManifest, MAX_LAYERS};
use crate::oci::platform::PlatformFields;
use crate::oci::reference::Digest;
use crate::oci::registry::{Client, Wanted};
use crate::verify::claim::Observed;
use crate::verify::observe::store::{Layout, Store};

use super::seen;

/// One platform's image.
pub(in crate::verify) struct Part {
    /// Such as `linux/arm64`.
    pub(in crate::verify) platform: String,
    /// What its manifest and config say; `None` if one of them is missing.
    pub(in crate::verify) metadata: Option<Metadata>,
    /// Its layers, as named by manifest and config; `None` in the same case.
    pub(in crate::verify) layered: Option<Layered>,
    /// The bytes of its manifest, if it exists.
    pub(in crate::verify) manifest: Option<Vec<u8>>,
    /// The bytes of its config, if it exists.
    pub(in crate::verify) config: Option<Vec<u8>>,
    /// What is missing of it: its manifest, its config, layers.
    pub(in crate::verify) missing: Vec<String>,
}

/// What a platform's image says about itself.
pub(in crate::verify) struct Metadata {
    /// The platform of its config, in the index's notation.
    pub(in crate::verify) platform: String,
    pub(in crate::verify) labels: BTreeMap<String, String>,
    pub(in crate::verify) annotations: BTreeMap<String, String>,
}

/// The bytes of the manifests under which cosign attaches things to an image; `None` if there is none.
#[derive(Default)]
pub(in crate::verify) struct Attached {
    pub(in crate::verify) signatures: Option<Vec<u8>>,
    pub(in crate::verify) attestations: Option<Vec<u8>>,
    /// The signatures of each platform's image; without meaning for a layout, which leaves them out.
    pub(in crate::verify) of_parts: Vec<Option<Vec<u8>>>,
}

/// All parts.
pub(super) struct Contents {
    /// The index's bytes.
    pub(super) index: Observed<Option<Vec<u8>>>,
    pub(super) parts: Observed<Vec<Part>>,
    pub(super) attached: Observed<Attached>,
}

#[derive(Deserialize)]
struct ImageConfig {
    #[serde(flatten)]
    platform: PlatformFields,
    config: RunConfig,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RunConfig {
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

/// Looks at everything. `index` is the answer for the index's digest; `None` if it was not requested yet.
pub(super) fn look(
    store: &dyn Store,
    digest: &Digest,
    index: Option<Observed<Option<Vec<u8>>>>,
    platforms: &Observed<Vec<(String, Digest)>>,
) -> Contents {
    let platforms = platforms.as_ref().map_err(Clone::clone);
    let of_parts = platforms.iter().flat_map(|platforms| platforms.iter());
    let manifests = of_parts.map(|(_, digest)| Wanted::Manifest(digest.clone()));
    let attached = [Kind::Signatures, Kind::Attestations].map(|kind| store.attached(digest, kind));
    let of_parts = platforms.iter().flat_map(|platforms| platforms.iter());
    let of_parts: Vec<_> = of_parts.map(|(_, digest)| store.attached(digest, Kind::Signatures)).collect();
    let mut wanted: Vec<_> = manifests.collect();
    let parts = wanted.len();
    wanted.extend(attached.iter().chain(&of_parts).flatten().cloned());
    if index.is_none() {
        wanted.push(Wanted::Manifest(digest.clone()));
    }
    let mut answers = store.fetch(&wanted).into_iter().map(seen).collect::<Vec<_>>();
    let index = index.or_else(|| answers.pop()).unwrap_or(Ok(None));
    let mut attachments = answers.split_off(parts).into_iter();
    let mut next = |there: &Option<Wanted>| match there {
        Some(_) => attachments.next().unwrap_or(Ok(None)),
        None => Ok(None),
    };
    let [signatures, attestations] = attached.each_ref().map(&mut next);
    let of_parts = of_parts.iter().map(next).collect();
    Contents {
        index,
        parts: platforms.and_then(|platforms| look_at_parts(store, platforms, answers)),
        attached: of_attached(signatures, attestations, of_parts),
    }
}

/// The labels of the image `digest`, taken from its first platform.
///
/// # Errors
/// When there is no such image, or the registry does not answer.
pub fn labels_of(client: &Client, digest: &Digest) -> Result<BTreeMap<String, String>> {
    let found = client.manifest(digest)?.map(|found| found.bytes);
    labels(client, &client.image().pinned(digest), found)
}

impl Layout {
    /// As [`labels_of`], for the image in the directory.
    ///
    /// # Errors
    /// When the directory lacks a part of it.
    pub fn labels(&self) -> Result<BTreeMap<String, String>> {
        let digest = self.image();
        let index = self.fetch(&[Wanted::Manifest(digest.clone())]).pop().transpose()?.flatten();
        labels(self, &format!("{} in {}", digest, self.path().display()), index)
    }
}

fn labels(store: &dyn Store, pinned: &str, index: Option<Vec<u8>>) -> Result<BTreeMap<String, String>> {
    let found = index.with_context(|| {
        format!("there is no `{pinned}`; compare the digest with the one on the release page")
    })?;
    let platforms = platforms_of(pinned, &found)?;
    let first = platforms.first().with_context(|| format!("`{pinned}` has no platform"))?;
    let manifests = store.fetch(&[Wanted::Manifest(first.1.clone())]).into_iter().map(seen).collect();
    let parts = look_at_parts(store, std::slice::from_ref(first), manifests);
    let part = parts.map_err(|unseen| anyhow!("{unseen}"))?.into_iter().next();
    let part = part.with_context(|| format!("`{pinned}` was not looked at"))?;
    let said = part.metadata.with_context(|| format!("`{pinned}` lacks {}", part.missing.join(", ")))?;
    Ok(said.labels)
}

/// The platforms of the index `bytes`. Some programs show the digest of the manifest that they picked from it, and
/// cosign accepts that manifest's signature too, but a release is identified by its index.
fn platforms_of(pinned: &str, bytes: &[u8]) -> Result<Vec<(String, Digest)>> {
    let platforms = index::platforms(bytes);
    ensure!(
        platforms.is_ok() || ImageManifest::parse(bytes).is_err(),
        "`{pinned}` is the image for one platform: verify the digest of the release, which is on its page and covers every \
         platform"
    );
    platforms.with_context(|| format!("reading `{pinned}`"))
}

/// The second round: configs and layers, each once, because platforms share some.
fn look_at_parts(
    store: &dyn Store,
    platforms: &[(String, Digest)],
    manifests: Vec<Observed<Option<Vec<u8>>>>,
) -> Observed<Vec<Part>> {
    let manifests = manifests.into_iter().collect::<Observed<Vec<_>>>()?;
    let parsed: Vec<_> = manifests.iter().map(|bytes| ImageManifest::parse(bytes.as_ref()?).ok()).collect();
    let mut wanted = Vec::new();
    for manifest in parsed.iter().flatten() {
        let layers = manifest.layers.iter().map(|layer| Wanted::HasBlob(layer.digest.clone()));
        for one in [Wanted::Blob(manifest.config.digest.clone())].into_iter().chain(layers) {
            if !wanted.contains(&one) {
                wanted.push(one);
            }
        }
    }
    let answers = store.fetch(&wanted).into_iter().map(seen).collect::<Observed<Vec<_>>>()?;
    let found = |wanted_one: &Wanted| {
        let place = wanted.iter().position(|one| one == wanted_one)?;
        answers.get(place)?.as_deref()
    };
    let parts =
        platforms.iter().zip(&manifests).zip(&parsed).map(|(((platform, digest), bytes), manifest)| {
            let mut part = Part {
                platform: platform.clone(),
                metadata: None,
                layered: None,
                manifest: bytes.clone(),
                config: None,
                missing: Vec::new(),
            };
            match manifest {
                Some(manifest) => {
                    complete(&mut part, manifest, found);
                    let config = found(&Wanted::Blob(manifest.config.digest.clone()));
                    part.config = config.map(<[u8]>::to_vec);
                    let layered = bytes.as_ref().zip(config);
                    part.layered =
                        layered.and_then(|(bytes, config)| Layered::of(platform, bytes, config).ok());
                }
                None if bytes.is_some() => {
                    let words = format!("an image manifest with at most {MAX_LAYERS} layers in `{digest}`");
                    part.missing.push(words);
                }
                None => part.missing.push(format!("the manifest `{digest}`")),
            }
            part
        });
    Ok(parts.collect())
}

/// Adds what the config says and what is missing.
fn complete<'a>(part: &mut Part, manifest: &ImageManifest, found: impl Fn(&Wanted) -> Option<&'a [u8]>) {
    let digest = &manifest.config.digest;
    match found(&Wanted::Blob(digest.clone())).map(serde_json::from_slice::<ImageConfig>) {
        Some(Ok(config)) => {
            part.metadata = Some(Metadata {
                platform: config.platform.to_string(),
                labels: config.config.labels,
                annotations: manifest.annotations.clone().unwrap_or_default(),
            });
        }
        Some(Err(_)) => part.missing.push(format!("an image config in `{digest}`")),
        None => part.missing.push(format!("the config `{digest}`")),
    }
    let layers = manifest.layers.iter().map(|layer| &layer.digest);
    let gone = layers.filter(|layer| found(&Wanted::HasBlob((*layer).clone())).is_none());
    part.missing.extend(gone.map(|layer| format!("the layer `{layer}`")));
}

fn of_attached(
    signatures: Observed<Option<Vec<u8>>>,
    attestations: Observed<Option<Vec<u8>>>,
    of_parts: Vec<Observed<Option<Vec<u8>>>>,
) -> Observed<Attached> {
    let (signatures, attestations) = (signatures?, attestations?);
    Ok(Attached { signatures, attestations, of_parts: of_parts.into_iter().collect::<Observed<_>>()? })
}

#[cfg(test)]
mod tests {
    use super::platforms_of;
    use crate::oci::manifest::tests::descriptor;
    use serde_json::json;

    #[test]
    fn the_manifest_of_one_platform_is_not_accepted_as_a_release() {
        let manifest = json!({ "config": descriptor("config", 1), "layers": [descriptor("layer", 1)] });
        let index = json!({ "manifests": [descriptor("manifest", 1)] });
        let words = |bytes: &str| platforms_of("x", bytes.as_bytes()).map_err(|error| format!("{error:#}"));
        assert_eq!(words(&index.to_string()).unwrap().len(), 1);
        assert!(words(&manifest.to_string()).unwrap_err().contains("the digest of the release"));
        assert!(words("{}").unwrap_err().contains("reading `x`: it is not an image index"));
    }
}
