//! The claim that building the commit gives the published image. If a rebuilt image differs, the claim says where the
//! two first differ: the layer and file, or the place in the config.

use std::fs::File;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::build::ImageBuild;
use crate::build::rebuilt::Rebuilt;
use crate::contents::difference as layers;
use crate::contents::layer::Compression;
use crate::evidence::claims;
use crate::oci::manifest::{Descriptor, ImageManifest};
use crate::oci::reference::Digest;
use crate::oci::{exact, index};
use crate::process::temp_dir::TempDir;

use super::claim::{Claim, Observed};
use super::{Verifier, seen};

/// One platform's image, as its manifest and config.
struct Part {
    manifest: ImageManifest,
    config: Value,
}

impl Part {
    fn read(
        index: &[u8],
        platform: &str,
        manifest: impl Fn(&Digest) -> Result<Vec<u8>>,
        blob: impl Fn(&Digest) -> Result<Vec<u8>>,
    ) -> Result<Option<Self>> {
        let platforms = index::platforms(index)?;
        let Some((_, digest)) = platforms.iter().find(|(name, _)| name == platform) else {
            return Ok(None);
        };
        let manifest = ImageManifest::parse(&manifest(digest)?)?;
        let config = serde_json::from_slice(&blob(&manifest.config.digest)?)?;
        Ok(Some(Self { manifest, config }))
    }

    /// The digests of the uncompressed layers.
    fn layers(&self) -> Vec<&str> {
        let layers = self.config.pointer("/rootfs/diff_ids").and_then(Value::as_array);
        layers.into_iter().flatten().filter_map(Value::as_str).collect()
    }
}

/// The result of a rebuild: its digest and what differs.
type Compared = (Digest, Differs);

enum Differs {
    /// Nothing, or nothing but the digests and sizes of compressed layers.
    Compression,
    /// What is at this path of the index and its manifests, outside of the configs.
    Outside(String),
    /// The content for this platform, at this place.
    Content(String, Result<String>),
}

/// Whether the commit gives the same content here, and if not, where the two first differ. The `bool` says whether
/// the digest is the same too; `None` if the content differs or could not be compared.
pub fn rebuilt(verifier: &Verifier<'_>, build: &ImageBuild<'_>, digest: &Digest) -> (Claim, Option<bool>) {
    let rebuild = || {
        let built = Rebuilt::of(build, verifier.runner)?;
        let published = verifier.registry.content_of(digest)?;
        let difference = published.difference(&built.content);
        let differs = match difference {
            Some(platform) => {
                Differs::Content(platform.to_owned(), describe(verifier, digest, &built, platform))
            }
            None => {
                let theirs = |digest: &Digest| Ok(verifier.registry.known_manifest(digest)?.bytes);
                outside(&whole(digest, theirs)?, &whole(&built.digest, |digest| built.blob(digest))?)
            }
        };
        Ok((built.digest, differs))
    };
    let compared = seen(rebuild());
    let is_same = match &compared {
        Ok((_, Differs::Content(..))) | Err(_) => None,
        Ok((built, _)) => Some(built == digest),
    };
    (judge(digest, &compared), is_same)
}

/// A difference that cannot be located still makes the claim false. Otherwise an attacker could get away with one
/// that is hard to locate.
fn judge(digest: &Digest, compared: &Observed<Compared>) -> Claim {
    Claim::judge(claims::REBUILD, compared, |(built, differs)| match differs {
        Differs::Content(platform, found) => {
            let found = match found {
                Ok(found) => found.clone(),
                Err(error) => format!("could not tell where: {error:#}"),
            };
            bail!("the commit gives `{built}` here, not `{digest}`: {platform} differs: {found}")
        }
        Differs::Compression | Differs::Outside(_) if built == digest => {
            Ok("the commit, built here without a cache, gives the same digest".to_owned())
        }
        Differs::Compression => Ok(format!(
            "the commit, built here without a cache, gives the same content, compressed in another way: the digest is `{built}`"
        )),
        Differs::Outside(path) => Ok(format!(
            "the commit, built here without a cache, gives the same configs, and the digest differs outside of them, at `{path}` \
             of the index: it is `{built}`"
        )),
    })
}

/// The index `digest`, with each manifest inserted in place of its digest, and without the fields that depend on how
/// layers are compressed.
fn whole(digest: &Digest, bytes: impl Fn(&Digest) -> Result<Vec<u8>>) -> Result<Value> {
    let remove = |value: &mut Value, keys: &[&str]| {
        let object = value.as_object_mut().context("an entry is no object")?;
        keys.iter().for_each(|key| drop(object.remove(*key)));
        anyhow::Ok(())
    };
    let mut index = exact::value(&bytes(digest)?)?;
    for entry in index["manifests"].as_array_mut().context("it is no index")? {
        let digest: Digest = entry["digest"].as_str().context("an entry has no digest")?.parse()?;
        let mut manifest = exact::value(&bytes(&digest)?)?;
        for layer in manifest["layers"].as_array_mut().context("it is no manifest")? {
            remove(layer, &["digest", "size"])?;
        }
        remove(entry, &["size"])?;
        entry["digest"] = manifest;
    }
    Ok(index)
}

/// What differs in two images whose configs are the same, each in the form that [`whole`] returns.
fn outside(theirs: &Value, ours: &Value) -> Differs {
    match theirs == ours {
        true => Differs::Compression,
        false => Differs::Outside(first_difference(theirs, ours, "")),
    }
}

/// Describes where the images for `platform` in `published` and in `rebuilt` first differ.
///
/// # Errors
/// When one of them cannot be read.
fn describe(
    verifier: &Verifier<'_>,
    published: &Digest,
    rebuilt: &Rebuilt,
    platform: &str,
) -> Result<String> {
    let registry = verifier.registry;
    let manifest = |digest: &Digest| Ok(registry.known_manifest(digest)?.bytes);
    let blob = |digest: &Digest| {
        registry.blob(digest)?.with_context(|| format!("`{digest}` is gone from the registry"))
    };
    let theirs = Part::read(&manifest(published)?, platform, manifest, blob)?;
    let of_build = |digest: &Digest| rebuilt.blob(digest);
    let ours = Part::read(&of_build(&rebuilt.digest)?, platform, of_build, of_build)?;
    let (theirs, ours) = match (theirs, ours) {
        (Some(theirs), Some(ours)) => (theirs, ours),
        (None, _) => return Ok("the published image does not have it".to_owned()),
        (_, None) => return Ok("a rebuild does not have it".to_owned()),
    };
    let (layers, own_layers) = (theirs.layers(), ours.layers());
    let number = layers.iter().zip(&own_layers).position(|(theirs, ours)| theirs != ours);
    if let Some(number) = number {
        let layer = |part: &Part| part.manifest.layers.get(number).cloned();
        let pair = layer(&theirs).zip(layer(&ours)).context("a manifest has fewer layers than its config")?;
        let found = compare_layers(verifier, rebuilt, &pair.0, &pair.1)?;
        return Ok(format!("layer {number}, {found}"));
    }
    if layers.len() != own_layers.len() {
        return Ok(format!("it has {} layers, a rebuild has {}", layers.len(), own_layers.len()));
    }
    Ok(format!("the config, at `{}`", first_difference(&theirs.config, &ours.config, "")))
}

/// The first path at which two JSON values differ.
fn first_difference(theirs: &Value, ours: &Value, path: &str) -> String {
    if let (Value::Array(theirs), Value::Array(ours)) = (theirs, ours)
        && theirs.len() == ours.len()
        && let Some(number) = theirs.iter().zip(ours).position(|(theirs, ours)| theirs != ours)
    {
        return first_difference(&theirs[number], &ours[number], &format!("{path}/{number}"));
    }
    if let (Value::Object(theirs), Value::Object(ours)) = (theirs, ours) {
        let keys = theirs.keys().chain(ours.keys().filter(|key| !theirs.contains_key(*key)));
        for key in keys {
            let pair = (theirs.get(key), ours.get(key));
            if pair.0 != pair.1 {
                let path = format!("{path}/{key}");
                return match pair {
                    (Some(theirs), Some(ours)) => first_difference(theirs, ours, &path),
                    _ => path,
                };
            }
        }
    }
    path.to_owned()
}

/// Describes the first entry in which the two layers differ.
fn compare_layers(
    verifier: &Verifier<'_>,
    rebuilt: &Rebuilt,
    theirs: &Descriptor,
    ours: &Descriptor,
) -> Result<String> {
    let scratch = TempDir::new()?;
    let published = scratch.path().join("published");
    let is_there = verifier.registry.download(&theirs.digest, &published)?;
    ensure!(is_there, "the layer `{}` is gone from the registry", theirs.digest);
    let open = |path: &Path, layer: &Descriptor| {
        let file = File::open(path).with_context(|| format!("reading `{}`", path.display()))?;
        Ok::<_, anyhow::Error>((file, Compression::of(&layer.media_type)?))
    };
    layers::first(open(&published, theirs)?, open(&rebuilt.file(&ours.digest), ours)?)
}

#[cfg(test)]
mod tests {
    use super::{Differs, first_difference, judge, outside, whole};
    use crate::oci::reference::Digest;
    use crate::verify::claim::{Unavailable, Verdict};
    use anyhow::anyhow;
    use serde_json::json;

    #[test]
    fn the_first_difference_is_named_by_its_path() {
        let theirs = json!({"config": {"Labels": {"a": "1", "b": "2"}}, "os": "linux"});
        let ours = json!({"config": {"Labels": {"a": "1", "b": "3"}}, "os": "linux"});
        assert_eq!(first_difference(&theirs, &ours, ""), "/config/Labels/b");
        assert_eq!(first_difference(&theirs, &json!({"config": {}, "os": "linux"}), ""), "/config/Labels");
    }

    #[test]
    fn a_difference_that_cannot_be_located_still_makes_the_claim_false() {
        let (published, built) = (Digest::of(b"published"), Digest::of(b"built"));
        let differs = |found| {
            judge(&published, &Ok((built.clone(), Differs::Content("linux/arm64".to_owned(), found))))
        };
        let unexplained = differs(Err(anyhow!("a layer has more than 4294967296 bytes")));
        assert_eq!(unexplained.verdict, Verdict::False);
        for words in [built.as_str(), published.as_str(), "linux/arm64 differs", "4294967296"] {
            assert!(unexplained.evidence.contains(words), "{}", unexplained.evidence);
        }
        assert_eq!(differs(Ok("layer 1, the content of `x`".to_owned())).verdict, Verdict::False);
        assert_eq!(judge(&published, &Ok((built.clone(), Differs::Compression))).verdict, Verdict::Holds);
        assert_eq!(judge(&built, &Err(Unavailable::Transient("no".to_owned()))).verdict, Verdict::Unchecked);
    }

    #[test]
    fn a_different_digest_is_put_down_to_compression_only_if_nothing_else_differs() {
        let image = |layer: &str, more: &str, note: &str| {
            let layer =
                json!({"digest": Digest::of(layer.as_bytes()), "size": layer.len(), "mediaType": "tar"});
            let manifest = json!({"layers": [layer], "annotations": {"a": more}}).to_string();
            let entry = json!({"digest": Digest::of(manifest.as_bytes()), "size": manifest.len()});
            let index = json!({"manifests": [entry], "annotations": {"b": note}}).to_string();
            let digest = Digest::of(index.as_bytes());
            let bytes =
                |asked: &Digest| Ok(if *asked == digest { &index } else { &manifest }.clone().into_bytes());
            whole(&digest, bytes).unwrap()
        };
        let published = image("gzip", "", "");
        let said = |ours| {
            let differs = outside(&published, &ours);
            let (published, built) = (Digest::of(b"published"), Digest::of(b"built"));
            judge(&published, &Ok((built, differs))).evidence
        };
        assert!(said(image("another gzip", "", "")).contains("compressed in another way"));
        for (ours, path) in [
            (image("gzip", "x", ""), "/manifests/0/digest/annotations/a"),
            (image("another gzip", "", "x"), "/annotations/b"),
        ] {
            let said = said(ours);
            assert!(said.contains("differs outside of them") && said.contains(path), "{said}");
        }
    }
}
