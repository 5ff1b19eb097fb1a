//! A cache of what was read from layers, by digest: a machine reads a base image once, not for every release. An entry
//! that is damaged or written by another version of this program is ignored. Within one run, and for one registry, no
//! layer is read twice: `verify --all` meets the same layers in many releases.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};

use super::facts::LayerFacts;
use crate::oci::manifest::Descriptor;
use crate::oci::reference::Digest;
use crate::process::environment::Environment;
use crate::process::file;
use crate::process::temp_dir::TempDir;

/// To be raised whenever the facts that are read from a layer change: [`LayerFacts`] or the code that fills it.
const FORMAT: u32 = 6;

/// Enough for the facts of two million files.
const MAX_SIZE: u64 = 512 << 20;

/// The facts that are held in memory, in bytes. More than that is forgotten, and read again when it is needed.
const MAX_HELD: usize = 64 << 20;

/// The directory with the entries, and what this run has read from one registry.
pub struct Cache {
    directory: Option<PathBuf>,
    held: Mutex<Held>,
}

/// What is held in memory.
#[derive(Default)]
struct Held {
    /// By digest and media type: another media type means that the same bytes are read in another way.
    layers: BTreeMap<(Digest, String), Layer>,
    /// The size of their facts together, in bytes.
    size: usize,
}

/// What was read of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The facts about its files.
    pub facts: Arc<LayerFacts>,
    /// Its compressed bytes; `None` if the facts are from the directory, and the layer was not fetched.
    pub length: Option<u64>,
}

impl Cache {
    /// `$XDG_CACHE_HOME/xtask`, else `~/.cache/xtask`. Without both, nothing is stored.
    ///
    /// # Errors
    /// When a variable is not UTF-8.
    pub fn new(environment: &Environment) -> Result<Self> {
        let named = environment.get("XDG_CACHE_HOME")?.map(PathBuf::from);
        let home = environment.get("HOME")?.map(|home| Path::new(home).join(".cache"));
        let parent = named.filter(|path| path.is_absolute()).or(home);
        let directory = parent.map(|parent| parent.join("xtask"));
        Ok(Self { directory, held: Mutex::default() })
    }

    /// What this run has read of `layer`, in the registry that this cache is for.
    #[must_use]
    pub fn held(&self, layer: &Descriptor) -> Option<Layer> {
        self.lock().layers.get(&key(layer)).cloned()
    }

    /// Holds what was read of `layer`. Everything else is forgotten if it becomes too much.
    pub fn hold(&self, layer: &Descriptor, read: &Layer) {
        let (mut held, size) = (self.lock(), read.facts.size());
        if held.size + size > MAX_HELD {
            *held = Held::default();
        }
        // Two releases may have read the same layer at the same time.
        if held.layers.insert(key(layer), read.clone()).is_none() {
            held.size += size;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The facts of the layer whose compressed bytes have the digest `digest`.
    #[must_use]
    pub fn layer(&self, digest: &Digest) -> Option<LayerFacts> {
        let bytes = read(&self.file("layers", digest)?)?;
        let (head, facts) = bytes.split_at_checked(bytes.iter().position(|byte| *byte == b'\n')?)?;
        let facts = &facts[1..];
        (head == head_of(facts).as_bytes()).then(|| serde_json::from_slice(facts).ok()).flatten()
    }

    /// Stores the facts of a layer.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_layer(&self, digest: &Digest, facts: &LayerFacts) -> Result<()> {
        let facts = serde_json::to_vec(facts).context("writing what was read of a layer")?;
        self.keep("layers", digest, &[head_of(&facts).as_bytes(), b"\n", &facts].concat())
    }

    /// The manifest `digest`, if it was stored.
    #[must_use]
    pub fn manifest(&self, digest: &Digest) -> Option<Vec<u8>> {
        read(&self.file("manifests", digest)?).filter(|bytes| &Digest::of(bytes) == digest)
    }

    /// Stores a manifest. Its bytes must match `digest`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_manifest(&self, digest: &Digest, bytes: &[u8]) -> Result<()> {
        self.keep("manifests", digest, bytes)
    }

    fn file(&self, kind: &str, digest: &Digest) -> Option<PathBuf> {
        Some(self.directory.as_ref()?.join(kind).join(format!("sha256-{}", digest.hex())))
    }

    /// Writes an entry so that readers see all of it or nothing, even while another process writes it.
    fn keep(&self, kind: &str, digest: &Digest, bytes: &[u8]) -> Result<()> {
        let Some(file) = self.file(kind, digest) else { return Ok(()) };
        let doing = || format!("writing `{}`", file.display());
        let parent = file.parent().context("an entry is in a directory")?;
        fs::create_dir_all(parent).with_context(doing)?;
        let scratch = TempDir::within(parent).with_context(doing)?;
        let whole = scratch.path().join("entry");
        fs::write(&whole, bytes).and_then(|()| fs::rename(&whole, &file)).with_context(doing)
    }
}

fn key(layer: &Descriptor) -> (Digest, String) {
    (layer.digest.clone(), layer.media_type.clone())
}

fn head_of(facts: &[u8]) -> String {
    format!("xtask-layer {FORMAT} {}", Digest::of(facts))
}

/// Any error means a cache miss: the layer is read again.
fn read(path: &Path) -> Option<Vec<u8>> {
    file::read(path, MAX_SIZE).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::super::image::tests::manifest;
    use super::super::layer::tests::facts;
    use super::{Cache, Layer, MAX_HELD};
    use crate::oci::manifest::Descriptor;
    use crate::oci::reference::Digest;
    use crate::process::environment::Environment;
    use crate::process::temp_dir::TempDir;
    use std::sync::Arc;

    #[test]
    fn stored_facts_are_read_back_unless_they_are_damaged() {
        let scratch = TempDir::new().unwrap();
        let home = scratch.path().to_str().unwrap();
        let cache = Cache::new(&Environment::from_pairs([("HOME", home)])).unwrap();
        let facts = facts(&[manifest("app/node_modules/a", "a", "1.0.0")]);
        let digest = Digest::of(b"compressed");
        assert_eq!(cache.layer(&digest), None);
        cache.keep_layer(&digest, &facts).unwrap();
        assert_eq!(cache.layer(&digest).as_ref(), Some(&facts));
        let file = scratch.path().join(format!(".cache/xtask/layers/sha256-{}", digest.hex()));
        let whole = std::fs::read(&file).unwrap();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            std::fs::write(&file, damaged).unwrap();
            assert_eq!(cache.layer(&digest), None, "byte {at}");
        }
        for length in 0..whole.len() {
            std::fs::write(&file, &whole[..length]).unwrap();
            assert_eq!(cache.layer(&digest), None, "{length} bytes");
        }
        cache.keep_layer(&digest, &facts).unwrap();
        assert_eq!(cache.layer(&digest), Some(facts), "and the entry can be written again");
    }

    #[test]
    fn a_stored_manifest_is_used_only_if_its_digest_matches() {
        let scratch = TempDir::new().unwrap();
        let home = scratch.path().to_str().unwrap();
        let cache = Cache::new(&Environment::from_pairs([("XDG_CACHE_HOME", home)])).unwrap();
        let digest = Digest::of(b"manifest");
        cache.keep_manifest(&digest, b"manifest").unwrap();
        assert_eq!(cache.manifest(&digest).as_deref(), Some(b"manifest".as_slice()));
        std::fs::write(scratch.path().join(format!("xtask/manifests/sha256-{}", digest.hex())), b"other")
            .unwrap();
        assert_eq!(cache.manifest(&digest), None);
    }

    #[test]
    fn a_run_holds_only_as_much_as_is_allowed() {
        let cache = Cache::new(&Environment::default()).unwrap();
        let descriptor = |number: u8| Descriptor {
            media_type: "application/vnd.oci.image.layer.v1.tar".to_owned(),
            digest: Digest::of(&[number]),
            size: 1,
        };
        let mut facts = facts(&[]);
        facts.others = vec!["x".repeat(MAX_HELD / 5 * 2)];
        let layer = Layer { facts: Arc::new(facts), length: Some(1) };
        let held = |numbers: [u8; 3]| numbers.map(|number| cache.held(&descriptor(number)).is_some());
        cache.hold(&descriptor(1), &layer);
        cache.hold(&descriptor(2), &layer);
        assert_eq!(held([1, 2, 3]), [true, true, false]);
        cache.hold(&descriptor(3), &layer);
        assert_eq!(held([1, 2, 3]), [false, false, true]);
    }

    #[test]
    fn without_a_home_directory_nothing_is_stored() {
        let cache = Cache::new(&Environment::default()).unwrap();
        cache.keep_manifest(&Digest::of(b"x"), b"x").unwrap();
        assert_eq!(cache.manifest(&Digest::of(b"x")), None);
    }
}
