//! Lies in the files of a release page.

use super::super::change::Key;
use super::super::world::World;
use super::Lie;
use crate::evidence::assets::{self, Asset, BUNDLE, Listed, SIGNATURE, SUMS};
use crate::evidence::attached::{Attested, SBOM_PREDICATE};
use crate::evidence::page::Format;
use crate::inputs::version::ReleaseTag;
use crate::oci::reference::Digest;

/// A lie that only the files' own claim detects.
const fn seen(name: &'static str, tell: fn(&mut World)) -> Lie {
    Lie { name, tell, wrong: &["page.assets"], unchecked: &[] }
}

fn tag(world: &World) -> ReleaseTag {
    world.tag.parse().expect("a tag")
}

fn listed(world: &mut World) -> &mut Vec<Listed> {
    &mut world.page.as_mut().expect("there is a page").assets
}

fn remove(world: &mut World, name: &str) {
    let before = listed(world).len();
    listed(world).retain(|listed| listed.name != name);
    assert_eq!(listed(world).len(), before - 1, "there is one `{name}`");
}

/// Adds one more file, whatever others there are.
fn add(world: &mut World, name: &str, bytes: &[u8]) {
    let id = 1 + listed(world).iter().map(|listed| listed.id).max().unwrap_or(0);
    listed(world).push(Listed { id, name: name.to_owned(), size: bytes.len() as u64 });
    world.files.insert(id, bytes.to_vec());
}

fn file(world: &World, name: &str) -> Vec<u8> {
    let page = world.page.as_ref().expect("there is a page");
    let listed = page.assets.iter().find(|listed| listed.name == name).expect("it is listed");
    world.files[&listed.id].clone()
}

/// Puts the files on the page that follow from these envelopes, with digests signed by somebody.
fn with_envelopes(world: &mut World, envelopes: &[(Attested, Vec<u8>)], by: Key) {
    let documents = assets::documents(&tag(world), &world.digest, envelopes).expect("documents");
    let sums = documents.last().expect("the digests").bytes.clone();
    let signed = assets::signed(&sums, by.signature(), &world.hint);
    for Asset { name, bytes } in documents.into_iter().chain(signed) {
        world.put_file(&name, bytes);
    }
}

fn envelopes(world: &World) -> Vec<(Attested, Vec<u8>)> {
    Attested::ALL.into_iter().map(|of| (of, file(world, &assets::envelope_name(of, &tag(world))))).collect()
}

/// Puts other digests on the page, and signs them.
fn resign(world: &mut World, sums: &[u8], by: Key) {
    world.put_file(SUMS, sums.to_vec());
    for Asset { name, bytes } in assets::signed(sums, by.signature(), &world.hint) {
        world.put_file(&name, bytes);
    }
}

pub(super) const LIES: &[Lie] = &[
    seen("a file of the page removed", |world| remove(world, &assets::sbom_name(&tag(world)))),
    seen("the signature of the page's digests removed", |world| remove(world, SIGNATURE)),
    seen("the page's file of the provenance removed", |world| {
        remove(world, &assets::envelope_name(Attested::Provenance, &tag(world)));
    }),
    Lie {
        name: "all files of the page removed, and its commands for them",
        tell: |world| {
            listed(world).clear();
            world.edit_page(|body| {
                let (above, files) = body.split_once("Or without the registry").expect("it names the files");
                let (_, below) = files.split_once("## Made from").expect("more comes below");
                let body = format!("{above}## Made from{below}");
                body.replace(&Format::Two.mark(), &Format::One.mark())
            });
        },
        wrong: &["page.commands", "page.assets"],
        unchecked: &[],
    },
    seen("a file of the page listed, and gone from the forge", |world| {
        let name = assets::sbom_name(&tag(world));
        let id = listed(world).iter().find(|listed| listed.name == name).expect("it is listed").id;
        world.files.remove(&id);
    }),
    seen("a second file with the same name and content", |world| {
        let bytes = file(world, SUMS);
        add(world, SUMS, &bytes);
    }),
    seen("another SBOM in the page's file", |world| {
        world.put_file(&assets::sbom_name(&tag(world)), b"{}\n".to_vec());
    }),
    seen("another SBOM in the page's file, and digests by the key that fit", |world| {
        let (name, other) = (assets::sbom_name(&tag(world)), b"{}\n");
        let honest = Digest::of(&file(world, &name)).hex().to_owned();
        let sums = String::from_utf8(file(world, SUMS)).expect("text");
        world.put_file(&name, other.to_vec());
        resign(world, sums.replace(&honest, Digest::of(other).hex()).as_bytes(), Key::Own);
    }),
    seen("another attestation by the key in the page's files than in the registry", |world| {
        let mut sbom = world.predicate(SBOM_PREDICATE);
        sbom["version"] = 2.into();
        let (digest, mut envelopes) = (world.digest.clone(), envelopes(world));
        let layer = world.attestation(&digest, SBOM_PREDICATE, &sbom, Key::Own);
        let layer: Digest = layer["digest"].as_str().expect("a digest").parse().expect("a digest");
        let place = envelopes.iter_mut().find(|(of, _)| *of == Attested::Sbom).expect("there is one");
        place.1.clone_from(&world.blobs[&layer]);
        with_envelopes(world, &envelopes, Key::Own);
    }),
    seen("the digests of the page's files signed by another key", |world| {
        let sums = file(world, SUMS);
        resign(world, &sums, Key::Other);
    }),
    seen("another signature in the bundle of the page's digests", |world| {
        let (sums, hint) = (file(world, SUMS), world.hint.clone());
        let [_, bundle] = assets::signed(&sums, "MEUC", &hint);
        world.put_file(BUNDLE, bundle.bytes);
    }),
    seen("a digest left out of those that are signed", |world| {
        let sums = String::from_utf8(file(world, SUMS)).expect("text");
        let (first, _) = sums.split_once('\n').expect("lines");
        resign(world, format!("{first}\n").as_bytes(), Key::Own);
    }),
    seen("an extra digest among those that are signed", |world| {
        let more = format!("{}  install.sh\n", Digest::of(b"x").hex());
        let sums = [file(world, SUMS), more.into_bytes()].concat();
        resign(world, &sums, Key::Own);
    }),
];
