//! Images in memory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use serde_json::json;

use super::super::archive::tests::{archive, file, pax};
use super::super::base::Base;
use super::super::budget::Budget;
use super::super::cache::Cache;
use super::super::image::tests::manifest;
use super::{Damaged, Job, Known, Layers, Part, Source, read};
use crate::inputs::dockerfile::Own;
use crate::oci::manifest::tests::descriptor;
use crate::oci::reference::Digest;
use crate::oci::registry::DigestMismatch;
use crate::process::environment::Environment;
use crate::process::temp_dir::TempDir;

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
    home: TempDir,
    own: Own,
}

fn scene() -> Scene {
    let tars = [
        archive(&[manifest("usr/lib/node_modules/npm", "npm", "10.0.0")]),
        archive(&[manifest("app/node_modules/a", "a", "1.0.0")]),
    ];
    let digests = tars.each_ref().map(|tar| Digest::of(tar));
    let layer = |digest: &Digest| json!({"digest": digest, "mediaType": "application/vnd.oci.image.layer.v1.tar", "size": 1});
    let layers = digests.each_ref().map(layer);
    let bytes = json!({"config": descriptor("config", 1), "layers": layers}).to_string();
    let history = json!([{ "created_by": "ENV NODE_VERSION=22.1.0", "empty_layer": true }]);
    let environment = json!({ "Env": ["NODE_VERSION=22.1.0"] });
    let config = json!({ "config": environment, "rootfs": { "diff_ids": digests }, "history": history });
    let config = config.to_string();
    let part = |platform| Part::of(platform, bytes.as_bytes(), config.as_bytes()).unwrap();
    let parts = vec![part("linux/amd64"), part("linux/arm64")];
    let base = Base::from_layers([("linux/amd64", &digests[..1]), ("linux/arm64", &digests[..1])]);
    let home = TempDir::new().unwrap();
    let cache = cache(&home);
    let shelf = Shelf(digests.into_iter().zip(tars).collect(), AtomicUsize::new(0));
    let own = Own { from: 1, layers: 1, sets_node_version: false, omits_optional: false };
    Scene { shelf, parts, base, cache, home, own }
}

fn cache(home: &TempDir) -> Cache {
    Cache::new(&Environment::from_pairs([("HOME", home.path().to_str().unwrap())])).unwrap()
}

impl Scene {
    /// Forgets what this run has read.
    fn next_run(&mut self) {
        self.cache = cache(&self.home);
    }

    fn read(&self, base: Option<&Base>, known: Known) -> (Result<Vec<super::Contents>>, usize) {
        let before = self.shelf.1.load(Ordering::Relaxed);
        let found = read(&self.parts, base, self.own, &self.shelf, &self.cache, known);
        let found = found.map(|images| images.platforms);
        (found, self.shelf.1.load(Ordering::Relaxed) - before)
    }
}

#[test]
fn each_layer_is_read_once_and_base_layers_once_per_machine() {
    let mut scene = scene();
    let (found, fetched) = scene.read(Some(&scene.base), Known::Base);
    let found = found.unwrap();
    assert_eq!(fetched, 2, "the two platforms share both layers");
    assert_eq!((found[0].base_layers, found[0].node_version.as_deref()), (Some(1), Some("22.1.0")));
    assert_eq!(found[1].packages.iter().map(|package| package.layer).collect::<Vec<_>>(), [1, 0]);
    for (known, has_base, expected, why) in [
        (Known::Base, true, 1, "the next run reads the layer above the base again"),
        (Known::All, true, 1, "because nothing of it was stored"),
        (Known::All, true, 0, "but all layers of an image that was just pushed are"),
        (Known::Base, false, 2, "without a known base, every layer is read"),
    ] {
        scene.next_run();
        assert_eq!(scene.read(Some(&scene.base).filter(|_| has_base), known).1, expected, "{why}");
    }
}

#[test]
fn one_run_reads_no_layer_twice_unless_it_is_to_be_read_in_another_way() {
    let mut scene = scene();
    let lengths = |scene: &Scene| {
        let images = read(&scene.parts, None, scene.own, &scene.shelf, &scene.cache, Known::Base).unwrap();
        images.lengths.into_values().collect::<Vec<_>>()
    };
    let first = lengths(&scene);
    let expected: Vec<_> = scene.shelf.0.values().map(|tar| u64::try_from(tar.len()).unwrap()).collect();
    assert_eq!(first, expected);
    assert_eq!(lengths(&scene), first, "the length is known without another fetch");
    assert_eq!(scene.read(None, Known::Base).1, 0);
    scene.parts.iter_mut().for_each(|part| part.layers[1].media_type.push_str("+gzip"));
    let (found, fetched) = scene.read(None, Known::Base);
    assert!(found.unwrap_err().is::<Damaged>(), "a tar file is not gzip");
    assert_eq!(fetched, 1);
}

#[test]
fn a_layer_costs_the_budget_again_at_each_place_in_the_stack() {
    let mut scene = scene();
    let long = |number: usize| pax("path", &format!("app/{number}{}", "/x".repeat(2000)));
    let tar = archive(&(0..300).flat_map(|number| [long(number), file("short", b"")]).collect::<Vec<_>>());
    let digest = Digest::of(&tar);
    scene.shelf.0.insert(digest.clone(), tar);
    let part = &mut scene.parts[0];
    let mut layer = part.layers[1].clone();
    layer.digest = digest.clone();
    part.layers.extend(vec![layer; 20]);
    part.diff_ids.extend(vec![digest.clone(); 20]);
    assert!(scene.read(None, Known::All).0.is_ok());
    let part = &mut scene.parts[0];
    part.layers.extend(vec![part.layers[2].clone(); 100]);
    part.diff_ids.extend(vec![digest; 100]);
    let (found, fetched) = scene.read(None, Known::All);
    assert!(found.unwrap_err().is::<Damaged>());
    assert_eq!(fetched, 0);
}

#[test]
fn the_version_of_node_is_known_only_if_the_base_image_sets_it_once() {
    let (run, set) = (("RUN NODE_VERSION", false), ("ENV PATH=/bin NODE_VERSION=22.1.0", true));
    let old = ("/bin/sh -c #(nop)  ENV NODE_VERSION=22.1.0", true);
    let argument = ("ARG NODE_VERSION=24.0.0", true);
    let one = &["NODE_VERSION=22.1.0"][..];
    for (history, environment, base_layers, expected) in [
        (&[run, set, run][..], one, 1, true),
        (&[old, run, run], one, 1, true),
        (&[run, argument, set, run], one, 1, true),
        (&[run, run, set], one, 1, false),
        (&[set, run, set, run], one, 1, false),
        (&[run, run], one, 1, false),
        (&[set, run], &[], 1, false),
        (&[set, run], &["NODE_VERSION=22.1.0", "NODE_VERSION=24.0.0"], 1, false),
        (&[set, run], &["NODE_VERSION=a b"], 1, false),
    ] {
        let entry =
            |(words, is_empty): &(&str, bool)| json!({ "created_by": words, "empty_layer": is_empty });
        let history: Vec<_> = history.iter().map(entry).collect();
        let config = json!({
            "config": { "Env": environment }, "rootfs": { "diff_ids": [] }, "history": history,
        });
        let manifest = json!({ "config": descriptor("config", 1), "layers": [] }).to_string();
        let part = Part::of("linux/amd64", manifest.as_bytes(), config.to_string().as_bytes()).unwrap();
        let found = part.node_version.filter(|(_, below)| *below <= base_layers);
        assert_eq!(found.is_some_and(|(version, _)| version == "22.1.0"), expected, "{config}");
    }
}

#[test]
fn a_node_version_that_the_services_dockerfile_sets_is_ignored() {
    let mut scene = scene();
    scene.own.sets_node_version = true;
    let (found, _) = scene.read(Some(&scene.base), Known::Base);
    assert_eq!(found.unwrap()[0].node_version, None, "it may be the first thing above the base image");
}

#[test]
fn nothing_is_stored_of_an_image_without_a_known_base() {
    let scene = scene();
    assert_eq!(scene.read(None, Known::Base).1, 2);
    let kept = scene.home.path().join(".cache/xtask/layers");
    assert!(!kept.exists(), "{}", kept.display());
}

#[test]
fn the_names_in_all_layers_together_are_limited() {
    let scene = scene();
    let wanted: BTreeMap<_, _> = scene.parts[0].layers.iter().map(|layer| (&layer.digest, layer)).collect();
    let jobs = wanted.iter().map(|(digest, layer)| (*digest, Job { layer, is_base: true, platform: "x" }));
    let jobs: BTreeMap<_, _> = jobs.collect();
    let read = |bytes: usize| {
        let budget = Budget::of(bytes);
        let source = Source { layers: &scene.shelf, cache: &scene.cache, known: Known::All, budget: &budget };
        source.read_all(&jobs)
    };
    // Each layer needs about 150 bytes, and the second time, both come from the cache.
    for _ in 0..2 {
        let error = read(200).unwrap_err();
        assert!(error.is::<Damaged>() && error.to_string().contains("all layers of the image"), "{error:#}");
        assert_eq!(read(500).unwrap().len(), 2);
    }
}

#[test]
fn after_a_failure_no_further_layer_is_fetched() {
    /// Has only layers that take a while.
    struct Slow(Digest, AtomicUsize);
    impl Layers for Slow {
        fn layer(&self, digest: &Digest, scratch: &Path) -> Result<Option<PathBuf>> {
            self.1.fetch_add(1, Ordering::Relaxed);
            if digest == &self.0 {
                return Ok(None);
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
            let file = scratch.join("layer");
            std::fs::write(&file, archive(&[]))?;
            Ok(Some(file))
        }
    }
    let scene = scene();
    let mut all: Vec<_> = (0..20).map(|_| scene.parts[0].layers[0].clone()).collect();
    all.iter_mut().enumerate().for_each(|(number, layer)| layer.digest = Digest::of(&[b'x'; 20][number..]));
    let jobs = all.iter().map(|layer| (&layer.digest, Job { layer, is_base: false, platform: "x" }));
    let jobs: BTreeMap<_, _> = jobs.collect();
    for missing in [0, 5] {
        let slow = Slow((*jobs.keys().nth(missing).unwrap()).clone(), AtomicUsize::new(0));
        let budget = Budget::of_image();
        let source = Source { layers: &slow, cache: &scene.cache, known: Known::Base, budget: &budget };
        let error = source.read_all(&jobs).unwrap_err().to_string();
        assert!(error.contains("there is none"), "{error}");
        let fetched = slow.1.load(Ordering::Relaxed);
        assert!(fetched < jobs.len(), "{fetched} layers were fetched");
    }
}

#[test]
fn wrong_bytes_damaged_images_and_missing_layers_are_told_apart_by_type() {
    let is_wrong = |error: &anyhow::Error| error.chain().any(<dyn std::error::Error>::is::<DigestMismatch>);
    let is_damaged = |error: &anyhow::Error| error.chain().any(<dyn std::error::Error>::is::<Damaged>);
    let mut changed = scene();
    changed.parts[1].diff_ids[1] = Digest::of(b"other");
    let error = changed.read(Some(&changed.base), Known::Base).0.unwrap_err();
    assert!(is_wrong(&error) && error.to_string().contains("linux/arm64, unpacked"), "{error:#}");

    let mut fewer = scene();
    fewer.parts[0].diff_ids.pop();
    assert!(is_damaged(&fewer.read(None, Known::Base).0.unwrap_err()));

    let mut other_base = scene();
    let other = [Digest::of(b"x")];
    other_base.base = Base::from_layers([("linux/amd64", &other[..]), ("linux/arm64", &other[..])]);
    assert!(is_damaged(&other_base.read(Some(&other_base.base), Known::Base).0.unwrap_err()));

    let mut garbage = scene();
    garbage.shelf.0.values_mut().for_each(|tar| tar.truncate(700));
    assert!(is_damaged(&garbage.read(None, Known::Base).0.unwrap_err()));

    let mut gone = scene();
    gone.shelf.0.clear();
    let error = gone.read(None, Known::Base).0.unwrap_err();
    assert!(!is_wrong(&error) && !is_damaged(&error), "{error:#}");
}
