//! An image's layers, fetched and read: each once, two at a time, and held against the image's config.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context as _, Result, anyhow};
use serde::Deserialize;

use super::base::Base;
use super::cache::Cache;
use super::facts::LayerFacts;
use super::image::Contents;
use super::layer::{self, Compression};
use crate::reference::Digest;
use crate::registry::{Client, WrongBytes};
use crate::scratch::Scratch;

/// Layers are large, and a machine that builds images has two processors.
const READERS: usize = 2;

/// Where layers are.
pub trait Layers: Sync {
    /// The file that holds the layer's bytes, which are those of `digest`: in `scratch`, or where it is kept anyway. `None`
    /// where there is no such layer.
    ///
    /// # Errors
    /// When it cannot be fetched; [`WrongBytes`] when it has other bytes.
    fn layer(&self, digest: &Digest, scratch: &Path) -> Result<Option<PathBuf>>;
}

impl Layers for Client {
    fn layer(&self, digest: &Digest, scratch: &Path) -> Result<Option<PathBuf>> {
        let file = scratch.join(digest.hex());
        Ok(self.download(digest, &file)?.then_some(file))
    }
}

/// An image whose bytes are those that it is named by, and which is not what it says all the same: no fault that passes.
#[derive(Debug)]
pub struct Damaged(pub(super) String);

impl std::fmt::Display for Damaged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Damaged {}

/// One platform's image, as its manifest and its config have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Such as `linux/arm64`.
    pub platform: String,
    /// Its layers, the lowest first.
    pub layers: Vec<Layer>,
    /// The digests of the layers' uncompressed bytes.
    pub diff_ids: Vec<Digest>,
    /// `NODE_VERSION` of the environment.
    pub node_version: Option<String>,
}

/// A layer as a manifest names it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Layer {
    /// Of the compressed bytes.
    pub digest: Digest,
    /// How it is compressed.
    pub media_type: String,
}

/// The part of a manifest that names layers.
#[derive(Deserialize)]
pub(super) struct Manifest {
    pub(super) layers: Vec<Layer>,
}

impl Part {
    /// Reads a platform's manifest and config.
    ///
    /// # Errors
    /// When they are none.
    pub fn of(platform: &str, manifest: &[u8], config: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct ImageConfig {
            #[serde(default)]
            config: RunConfig,
            rootfs: RootFs,
        }
        #[derive(Default, Deserialize)]
        struct RunConfig {
            #[serde(rename = "Env", default)]
            env: Option<Vec<String>>,
        }
        #[derive(Deserialize)]
        struct RootFs {
            diff_ids: Vec<Digest>,
        }
        let manifest: Manifest = serde_json::from_slice(manifest)
            .with_context(|| format!("reading the manifest of {platform}"))?;
        let config: ImageConfig =
            serde_json::from_slice(config).with_context(|| format!("reading the config of {platform}"))?;
        let env = config.config.env.unwrap_or_default();
        let version = env.iter().find_map(|variable| variable.strip_prefix("NODE_VERSION="));
        let is_plain = |version: &&str| {
            (1..=64).contains(&version.len())
                && version.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c))
        };
        Ok(Self {
            platform: platform.to_owned(),
            layers: manifest.layers,
            diff_ids: config.rootfs.diff_ids,
            node_version: version.filter(is_plain).map(str::to_owned),
        })
    }
}

/// Which layers are taken from what was read of them before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// All of them: they were just pushed.
    All,
    /// The base image's. What is above is looked at as it is now.
    Base,
}

/// What is in each platform's image. Where the `base` image is not known, every layer is read.
///
/// # Errors
/// When a layer cannot be fetched; [`WrongBytes`] when a layer, or what is in it, has other bytes than its digest says;
/// [`Damaged`] when it cannot be unpacked, or the image does not stand on its base.
pub fn read(
    parts: &[Part],
    base: Option<&Base>,
    layers: &dyn Layers,
    cache: &Cache,
    known: Known,
) -> Result<Vec<Contents>> {
    let mut wanted: BTreeMap<&Digest, Job<'_>> = BTreeMap::new();
    let mut counts = Vec::new();
    for part in parts {
        let doing = || format!("of the image for {}", part.platform);
        if part.layers.len() != part.diff_ids.len() {
            let words = format!(
                "the manifest has {} layers, and the config {}",
                part.layers.len(),
                part.diff_ids.len()
            );
            return Err(anyhow!(Damaged(words)).context(doing()));
        }
        let count = base.map(|base| base.count(part)).transpose()?;
        for (number, layer) in part.layers.iter().enumerate() {
            let is_base = count.is_some_and(|count| number < count);
            wanted.entry(&layer.digest).or_insert(Job { layer, is_base, platform: &part.platform });
        }
        counts.push(count);
    }
    let facts = read_all(&wanted, layers, cache, known)?;
    let mut contents = Vec::new();
    for (part, count) in parts.iter().zip(counts) {
        let mut own = Vec::new();
        for (layer, diff_id) in part.layers.iter().zip(&part.diff_ids) {
            let found = facts.get(&layer.digest).context("a layer was not read")?;
            let name = format!("the layer `{}` of {}, unpacked, is there", layer.digest, part.platform);
            WrongBytes::check_digest(&name, found.diff_id.clone(), diff_id)?;
            own.push(found.clone());
        }
        let version = part.node_version.clone();
        let read = Contents::of(&part.platform, &own, count, version)
            .map_err(|error| Damaged(format!("{error:#}")))?;
        contents.push(read);
    }
    Ok(contents)
}

struct Job<'a> {
    layer: &'a Layer,
    is_base: bool,
    platform: &'a str,
}

fn read_all(
    wanted: &BTreeMap<&Digest, Job<'_>>,
    layers: &dyn Layers,
    cache: &Cache,
    known: Known,
) -> Result<BTreeMap<Digest, LayerFacts>> {
    let jobs = Mutex::new(wanted.values());
    let next = || jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || -> Result<Vec<(Digest, LayerFacts)>> {
        let mut done = Vec::new();
        while let Some(job) = next() {
            crate::interrupt::check()?;
            let may_be_known = job.is_base || known == Known::All;
            let facts = match may_be_known.then(|| cache.layer(&job.layer.digest)).flatten() {
                Some(facts) => facts,
                None => fetch(job, layers, cache)?,
            };
            done.push((job.layer.digest.clone(), facts));
        }
        Ok(done)
    };
    thread::scope(|scope| {
        let running: Vec<_> = (0..READERS.min(wanted.len())).map(|_| scope.spawn(work)).collect();
        let mut all = BTreeMap::new();
        for thread in running {
            all.extend(thread.join().map_err(|_panic| anyhow!("a thread panicked"))??);
        }
        Ok(all)
    })
}

fn fetch(job: &Job<'_>, layers: &dyn Layers, cache: &Cache) -> Result<LayerFacts> {
    let digest = &job.layer.digest;
    let doing = || format!("reading the layer `{digest}` of {}", job.platform);
    let compression = Compression::of(&job.layer.media_type).with_context(doing)?;
    let scratch = Scratch::new()?;
    let path =
        layers.layer(digest, scratch.path())?.with_context(|| format!("{}: there is none", doing()))?;
    let file = File::open(&path).with_context(doing)?;
    let facts = layer::read(file, compression)
        .map_err(|error| anyhow!(Damaged(format!("{}: {error:#}", doing()))))?;
    // What cannot be kept is read again the next time.
    cache.keep_layer(digest, &facts).ok();
    Ok(facts)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use anyhow::Result;
    use serde_json::json;

    use super::super::archive::tests::archive;
    use super::super::base::Base;
    use super::super::cache::Cache;
    use super::super::image::tests::manifest;
    use super::{Damaged, Known, Layers, Part, read};
    use crate::environment::Environment;
    use crate::reference::Digest;
    use crate::registry::WrongBytes;
    use crate::scratch::Scratch;

    /// Plain tar files by digest.
    struct Shelf(BTreeMap<Digest, Vec<u8>>, AtomicUsize);

    impl Layers for Shelf {
        fn layer(&self, digest: &Digest, scratch: &Path) -> Result<Option<PathBuf>> {
            self.1.fetch_add(1, Ordering::Relaxed);
            let Some(bytes) = self.0.get(digest) else { return Ok(None) };
            let file = scratch.join("layer");
            std::fs::write(&file, bytes)?;
            Ok(Some(file))
        }
    }

    struct Scene {
        shelf: Shelf,
        parts: Vec<Part>,
        base: Base,
        cache: Cache,
        _home: Scratch,
    }

    fn scene() -> Scene {
        let tars = [
            archive(&[manifest("usr/lib/node_modules/npm", "npm", "10.0.0")]),
            archive(&[manifest("app/node_modules/a", "a", "1.0.0")]),
        ];
        let digests = tars.each_ref().map(|tar| Digest::of(tar));
        let descriptor = |digest: &Digest| json!({"digest": digest, "mediaType": "application/vnd.oci.image.layer.v1.tar"});
        let bytes = json!({"layers": [descriptor(&digests[0]), descriptor(&digests[1])]}).to_string();
        let config =
            json!({"config": {"Env": ["NODE_VERSION=22.1.0"]}, "rootfs": {"diff_ids": digests}}).to_string();
        let part = |platform| Part::of(platform, bytes.as_bytes(), config.as_bytes()).unwrap();
        let parts = vec![part("linux/amd64"), part("linux/arm64")];
        let base = Base::from_layers([("linux/amd64", &digests[..1]), ("linux/arm64", &digests[..1])]);
        let home = Scratch::new().unwrap();
        let cache = Cache::new(&Environment::from_pairs([("HOME", home.path().to_str().unwrap())])).unwrap();
        let shelf = Shelf(digests.into_iter().zip(tars).collect(), AtomicUsize::new(0));
        Scene { shelf, parts, base, cache, _home: home }
    }

    impl Scene {
        fn read(&self, base: Option<&Base>, known: Known) -> (Result<Vec<super::Contents>>, usize) {
            let before = self.shelf.1.load(Ordering::Relaxed);
            let found = read(&self.parts, base, &self.shelf, &self.cache, known);
            (found, self.shelf.1.load(Ordering::Relaxed) - before)
        }
    }

    #[test]
    fn each_layer_is_read_once_and_the_base_once_on_a_machine() {
        let scene = scene();
        let base = Some(&scene.base);
        let (found, fetched) = scene.read(base, Known::Base);
        let found = found.unwrap();
        assert_eq!(fetched, 2, "two platforms share both");
        assert_eq!((found[0].base_layers, found[0].node_version.as_deref()), (Some(1), Some("22.1.0")));
        assert_eq!(found[1].packages.iter().map(|package| package.layer).collect::<Vec<_>>(), [1, 0]);
        assert_eq!(scene.read(base, Known::Base).1, 1, "what is above is looked at as it is now");
        assert_eq!(scene.read(base, Known::All).1, 0);
        assert_eq!(scene.read(None, Known::Base).1, 2, "without a base, all of it");
    }

    #[test]
    fn what_is_not_what_it_is_named_is_told_by_type() {
        let is_wrong = |error: &anyhow::Error| error.chain().any(<dyn std::error::Error>::is::<WrongBytes>);
        let is_damaged = |error: &anyhow::Error| error.chain().any(<dyn std::error::Error>::is::<Damaged>);
        let mut changed = scene();
        changed.parts[1].diff_ids[1] = Digest::of(b"other");
        let error = changed.read(Some(&changed.base), Known::Base).0.unwrap_err();
        assert!(is_wrong(&error) && error.to_string().contains("linux/arm64, unpacked"), "{error:#}");

        let mut fewer = scene();
        fewer.parts[0].diff_ids.pop();
        assert!(is_damaged(&fewer.read(None, Known::Base).0.unwrap_err()));

        let mut other_base = scene();
        other_base.base = Base::from_layers([("linux/amd64", &[Digest::of(b"x")][..])]);
        assert!(is_damaged(&other_base.read(Some(&other_base.base), Known::Base).0.unwrap_err()));

        let mut garbage = scene();
        garbage.shelf.0.values_mut().for_each(|tar| tar.truncate(700));
        assert!(is_damaged(&garbage.read(None, Known::Base).0.unwrap_err()));

        let mut gone = scene();
        gone.shelf.0.clear();
        let error = gone.read(None, Known::Base).0.unwrap_err();
        assert!(!is_wrong(&error) && !is_damaged(&error), "{error:#}");
    }
}
