//! Fetches and reads the layers of an image, each once and two at a time, and checks them against the image's config.

mod part;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context as _, Result, anyhow};

use super::base::Base;
use super::budget::Budget;
use super::cache::{Cache, Layer};
use super::image::{Contents, UnknownOrigin};
use super::layer::{self, Compression};
use crate::inputs::dockerfile::Own;
use crate::oci::manifest::Descriptor;
use crate::oci::reference::Digest;
use crate::oci::registry::{Client, DigestMismatch};
use crate::process::parallel::joined;
use crate::process::temp_dir::TempDir;

pub use part::Part;

/// Layers are large, and a machine that builds images may have only two processors.
const READERS: usize = 2;

/// A source of layers.
pub trait Layers: Sync {
    /// The file with the layer's bytes, which must match `digest`. It is in `scratch`, or where it already was.
    /// `None` when there is no such layer.
    ///
    /// # Errors
    /// When it cannot be fetched. [`DigestMismatch`] when its bytes do not match.
    fn layer(&self, digest: &Digest, scratch: &Path) -> Result<Option<PathBuf>>;
}

impl Layers for Client {
    fn layer(&self, digest: &Digest, scratch: &Path) -> Result<Option<PathBuf>> {
        let file = scratch.join(digest.hex());
        Ok(self.download(digest, &file)?.then_some(file))
    }
}

/// The image's bytes match its digest, but its contents are invalid. This is not a transient fault.
#[derive(Debug)]
pub struct Damaged(pub(super) String);

impl std::fmt::Display for Damaged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Damaged {}

/// For which layers cached facts may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// All of them: they were just pushed.
    All,
    /// Those of the base image. The layers above it are read anew in each run.
    Base,
}

/// The images of a release.
pub struct Images {
    /// The contents for each platform.
    pub platforms: Vec<Contents>,
    /// The compressed bytes of each layer that was fetched in this run.
    pub lengths: BTreeMap<Digest, u64>,
}

/// Reads the contents of each platform's image, and caches what it read from the layers that `known` allows. If the
/// `base` image is unknown, every layer is read. `own` is what the Dockerfile adds to the base image.
///
/// # Errors
/// When a layer cannot be fetched. [`DigestMismatch`] when the bytes of a layer, compressed or unpacked, do not match its
/// digest. [`Damaged`] when it cannot be unpacked, or the image is not based on its base image.
pub fn read(
    parts: &[Part],
    base: Option<&Base>,
    own: Own,
    layers: &dyn Layers,
    cache: &Cache,
    known: Known,
) -> Result<Images> {
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
    let budget = Budget::of_image();
    let found = Source { layers, cache, known, budget: &budget }.read_all(&wanted)?;
    let (mut contents, mut stacked) = (Vec::new(), BTreeSet::new());
    for (part, count) in parts.iter().zip(counts) {
        let mut stack = Vec::new();
        for (layer, diff_id) in part.layers.iter().zip(&part.diff_ids) {
            let facts = &*found.get(&layer.digest).context("a layer was not read")?.facts;
            let name = format!("the layer `{}` of {}, unpacked, is there", layer.digest, part.platform);
            DigestMismatch::check_digest(&name, facts.diff_id.clone(), diff_id)?;
            // A layer is read once, but it costs the budget again at each further place in an image.
            if !stacked.insert(&layer.digest) {
                budget.take(facts.size()).map_err(|error| Damaged(format!("{error:#}")))?;
            }
            stack.push(facts);
        }
        // A version that the service's own Dockerfile sets says nothing about the base image's node, even if that is
        // its first instruction above the base image.
        let is_of_base = |below: usize| !own.sets_node_version && count.is_some_and(|count| below <= count);
        let version = part.node_version.as_ref().filter(|(_, below)| is_of_base(*below));
        let version = version.map(|(version, _)| version.clone());
        let read = Contents::of(&part.platform, &stack, count, version).map_err(|error| {
            if error.is::<UnknownOrigin>() { error } else { Damaged(format!("{error:#}")).into() }
        })?;
        contents.push(read);
    }
    let lengths = found.into_iter().filter_map(|(digest, layer)| Some((digest, layer.length?)));
    Ok(Images { platforms: contents, lengths: lengths.collect() })
}

struct Job<'a> {
    layer: &'a Descriptor,
    is_base: bool,
    platform: &'a str,
}

impl Job<'_> {
    fn doing(&self) -> String {
        format!("reading the layer `{}` of {}", self.layer.digest, self.platform)
    }

    fn damaged(&self, error: &anyhow::Error) -> anyhow::Error {
        anyhow!(Damaged(format!("{}: {error:#}", self.doing())))
    }
}

/// Where the layers come from, and what may be cached of them.
struct Source<'a> {
    layers: &'a dyn Layers,
    cache: &'a Cache,
    known: Known,
    budget: &'a Budget,
}

impl Source<'_> {
    fn read_all(&self, wanted: &BTreeMap<&Digest, Job<'_>>) -> Result<BTreeMap<Digest, Layer>> {
        let jobs = Mutex::new(wanted.values());
        let next = || jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
        let work = || -> Result<Vec<(Digest, Layer)>> {
            let mut done = Vec::new();
            while let Some(job) = next() {
                crate::process::interrupt::check()?;
                let read = self.read(job);
                if read.is_err() {
                    // No reader needs to fetch any more.
                    jobs.lock().unwrap_or_else(PoisonError::into_inner).by_ref().for_each(drop);
                }
                done.push((job.layer.digest.clone(), read?));
            }
            Ok(done)
        };
        thread::scope(|scope| {
            let running: Vec<_> = (0..READERS.min(wanted.len())).map(|_| scope.spawn(work)).collect();
            let mut all = BTreeMap::new();
            for thread in running {
                all.extend(joined(thread.join())??);
            }
            Ok(all)
        })
    }

    fn read(&self, job: &Job<'_>) -> Result<Layer> {
        let digest = &job.layer.digest;
        let held = self.cache.held(job.layer);
        let may_be_stored = job.is_base || self.known == Known::All;
        let stored = || {
            let facts = may_be_stored.then(|| self.cache.layer(digest)).flatten()?;
            let layer = Layer { facts: Arc::new(facts), length: None };
            self.cache.hold(job.layer, &layer);
            Some(layer)
        };
        if let Some(layer) = held.or_else(stored) {
            self.budget.take(layer.facts.size()).map_err(|error| job.damaged(&error))?;
            return Ok(layer);
        }
        let layer = self.fetch(job)?;
        if may_be_stored {
            // Facts that cannot be stored are read again the next time.
            self.cache.keep_layer(digest, &layer.facts).ok();
        }
        self.cache.hold(job.layer, &layer);
        Ok(layer)
    }

    fn fetch(&self, job: &Job<'_>) -> Result<Layer> {
        let doing = || job.doing();
        let compression = Compression::of(&job.layer.media_type).with_context(doing)?;
        let directory = TempDir::new()?;
        let path = self.layers.layer(&job.layer.digest, directory.path())?;
        let path = path.with_context(|| format!("{}: there is none", doing()))?;
        let file = File::open(&path).with_context(doing)?;
        let length = file.metadata().with_context(doing)?.len();
        let facts = layer::read(file, compression, self.budget).map_err(|error| job.damaged(&error))?;
        Ok(Layer { facts: Arc::new(facts), length: Some(length) })
    }
}
