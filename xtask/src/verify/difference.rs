//! The claim that the commit gives the published image. If a rebuilt image differs, it says where the two first differ:
//! the layer and file, or the place in the config.

use std::fs::File;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::build::ImageBuild;
use crate::build::rebuilt::Rebuilt;
use crate::contents::difference as layers;
use crate::contents::layer::Compression;
use crate::evidence::claims;
use crate::oci::index;
use crate::oci::manifest::{Descriptor, ImageManifest};
use crate::oci::reference::Digest;
use crate::process::scratch::Scratch;

use super::Verifier;
use super::claim::{Claim, Seen, Unseen};

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

/// The result of a rebuild: its digest, and if it differs, the platform and where the difference is.
type Compared = (Digest, Option<(String, Result<String>)>);

/// Whether the commit gives the same content here, and if not, where the two first differ. The `bool` says whether the
/// digest is the same too; `None` if the content differs.
pub fn rebuilt(verifier: &Verifier<'_>, build: &ImageBuild<'_>, digest: &Digest) -> (Claim, Option<bool>) {
    let rebuild = || {
        let built = Rebuilt::of(build, verifier.runner)?;
        let published = verifier.registry.content_of(digest)?;
        let difference = published.difference(&built.content);
        let difference =
            difference.map(|platform| (platform.to_owned(), describe(verifier, digest, &built, platform)));
        Ok((built.digest, difference))
    };
    let compared = rebuild().map_err(|error: anyhow::Error| Unseen::Unknown(format!("{error:#}")));
    let is_same = match &compared {
        Ok((built, None)) => Some(built == digest),
        _ => None,
    };
    (judge(digest, &compared), is_same)
}

/// A difference that cannot be explained is still a difference; otherwise its author could excuse it that way.
fn judge(digest: &Digest, compared: &Seen<Compared>) -> Claim {
    Claim::judge(claims::REBUILD, compared, |(built, difference)| match difference {
        Some((platform, found)) => {
            let found = match found {
                Ok(found) => found.clone(),
                Err(error) => format!("could not tell where: {error:#}"),
            };
            bail!("the commit gives `{built}` here, not `{digest}`: {platform} differs: {found}")
        }
        None if built == digest => {
            Ok("the commit, built here without a cache, gives the same digest".to_owned())
        }
        None => Ok(format!(
            "the commit, built here without a cache, gives the same content, compressed in another way: the digest is `{built}`"
        )),
    })
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

/// The first entry that differs.
fn compare_layers(
    verifier: &Verifier<'_>,
    rebuilt: &Rebuilt,
    theirs: &Descriptor,
    ours: &Descriptor,
) -> Result<String> {
    let scratch = Scratch::new()?;
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
    use super::{first_difference, judge};
    use crate::oci::reference::Digest;
    use crate::verify::claim::{Unseen, Verdict};
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
    fn a_known_difference_stays_false_where_it_cannot_be_explained() {
        let (published, built) = (Digest::of(b"published"), Digest::of(b"built"));
        let differs =
            |found| judge(&published, &Ok((built.clone(), Some(("linux/arm64".to_owned(), found)))));
        let unexplained = differs(Err(anyhow!("a layer has more than 4294967296 bytes")));
        assert_eq!(unexplained.verdict, Verdict::False);
        for words in [built.as_str(), published.as_str(), "linux/arm64 differs", "4294967296"] {
            assert!(unexplained.evidence.contains(words), "{}", unexplained.evidence);
        }
        assert_eq!(differs(Ok("layer 1, the content of `x`".to_owned())).verdict, Verdict::False);
        assert_eq!(judge(&published, &Ok((built.clone(), None))).verdict, Verdict::Holds);
        assert_eq!(judge(&built, &Err(Unseen::Away("no".to_owned()))).verdict, Verdict::Unchecked);
    }
}
