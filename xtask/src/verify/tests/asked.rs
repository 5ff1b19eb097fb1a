//! An image that is given by its digest, and what the version tag names.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::Result;

use crate::contents::read::Layers;
use crate::evidence::attached::Kind;
use crate::oci::reference::Digest;
use crate::oci::registry::{Got, Wanted};
use crate::tool::cosign::VerifyCommand;
use crate::verify::claim::Unavailable;
use crate::verify::claim::Verdict::{False, Holds};
use crate::verify::judge::public::tag_image;
use crate::verify::observe::Place;
use crate::verify::observe::image::{self, Sources};
use crate::verify::observe::store::{Referrers, Store};

use super::recording::{Recording, all};
use super::world::World;

/// Notes what is requested from a registry.
struct Noted<'a> {
    world: &'a World,
    wanted: Mutex<Vec<Wanted>>,
}

impl Layers for Noted<'_> {
    fn layer(&self, digest: &Digest, scratch: &Path) -> Result<Option<PathBuf>> {
        self.world.layer(digest, scratch)
    }
}

impl Store for Noted<'_> {
    fn batch(&self, wanted: &[Wanted]) -> Vec<Result<Option<Got>>> {
        self.wanted.lock().unwrap().extend_from_slice(wanted);
        self.world.batch(wanted)
    }

    fn referrers(&self, digest: &Digest) -> Result<Referrers> {
        self.world.referrers(digest)
    }

    fn attached(&self, digest: &Digest, kind: Kind) -> Option<Wanted> {
        self.world.attached(digest, kind)
    }
}

#[test]
fn the_index_is_requested_by_its_digest_exactly_once() {
    let (_, dir) = all().unwrap().pop().unwrap();
    let recording = Recording::load(&dir).unwrap();
    let (world, hint) = (&recording.world, Ok(recording.world.hint.clone()));
    let tagged = world.manifest(&world.tag).unwrap().map(|found| found.bytes);
    assert!(tagged.is_some());
    for known in [None, tagged] {
        let store = Noted { world, wanted: Mutex::default() };
        let ask = |commands: &[VerifyCommand]| {
            world.cosign(&recording.world.version(), &world.digest, commands.len())
        };
        let sources = Sources {
            store: &store,
            ask: &ask,
            unpack: &|_| Err(Unavailable::Failed("no layer is read here".to_owned())),
            check: &|signature, bytes| Ok(world.check(signature, bytes)),
            hint: &hint,
        };
        let known_by_tag = known.is_some();
        let seen = image::look(&recording.release(), &world.digest, Place::Registry, known, sources).unwrap();
        assert_eq!(seen.index, Ok(world.blobs.get(&world.digest).cloned()));
        let index = Wanted::Manifest(world.digest.clone());
        let wanted = store.wanted.into_inner().unwrap();
        assert_eq!(wanted.iter().filter(|one| **one == index).count(), 1, "{known_by_tag}");
        let attached = world.attached(&world.digest, Kind::Attestations);
        assert!(wanted.iter().any(|one| Some(one) == attached.as_ref()));
        assert!(seen.attached.is_ok_and(|found| found.signatures.is_some() && found.attestations.is_some()));
    }
}

#[test]
fn the_version_tag_must_name_the_image_that_was_given_by_its_digest() {
    let (_, dir) = all().unwrap().pop().unwrap();
    let recording = Recording::load(&dir).unwrap();
    let (asked, other) = (Digest::of(b"asked"), Digest::of(b"other"));
    for (digest, named, expected) in [
        (Some(&asked), Some(&asked), Holds),
        (None, Some(&other), Holds),
        (Some(&asked), Some(&other), False),
        (Some(&asked), None, False),
        (None, None, False),
    ] {
        let claim = tag_image(&recording.release(), digest, &Ok(named.cloned()));
        assert_eq!(claim.verdict, expected, "{digest:?}: {}", claim.evidence);
    }
}
