//! Every recorded release verifies, and its page equals what would be written in its format.

use serde_json::json;

use crate::evidence::assets::{Listed, SUMS};
use crate::evidence::attached::{Attested, Kind, PROVENANCE_PREDICATE, SBOM_PREDICATE};
use crate::evidence::bundle::{self, MARK};
use crate::evidence::claims;
use crate::evidence::page::{self, Details, Format};
use crate::evidence::provenance::{BuildType, Provenance};
use crate::forge::RunLookup;
use crate::inputs::history::History;
use crate::inputs::people::People;
use crate::inputs::pulls::Pulls;
use crate::oci::reference::Digest;
use crate::verify::claim::{Claim, Verdict};
use crate::verify::observe::Answer;

use super::change::Key;
use super::recording::{Recording, all};
use super::world::World;

/// The claims that do not hold, in words, and the ids of all claims.
fn broken(claims: &[Claim]) -> (Vec<String>, Vec<&'static str>) {
    let broken = claims.iter().filter(|claim| claim.verdict != Verdict::Holds);
    let words = broken.map(|claim| format!("`{}` {}: {}", claim.id, claim.verdict, claim.evidence)).collect();
    (words, claims.iter().map(|claim| claim.id).collect())
}

#[test]
fn a_release_of_every_format_verifies() {
    let recordings = all().unwrap();
    assert!(recordings.iter().map(|(number, _)| *number).eq(1..=u32::try_from(recordings.len()).unwrap()));
    for (number, dir) in recordings {
        let recording = Recording::load(&dir).unwrap();
        // The recorded output of cosign, whatever the commands are: they are the page's, and the page is judged too.
        let printed = |_: &_, _: &[_]| {
            let none = || Answer::Rejected("none of the attestations matched".to_owned());
            let printed = recording.cosign.iter().cloned();
            printed.map(|text| Ok(text.map_or_else(none, Answer::Accepted))).collect()
        };
        let claims = recording.judge(&recording.world, &printed).unwrap();
        let (words, ids) = broken(&claims);
        assert!(words.is_empty(), "format {number}: {words:#?}");
        let mut expected =
            [&claims::OF_IMAGE[..], &claims::OF_NAMES, &claims::OF_SOURCE, &claims::OF_KEYS].concat();
        let products = expected.iter().position(|id| *id == claims::PROVENANCE_PRODUCTS).unwrap();
        expected.insert(products + 1, claims::PROVENANCE_RUN);
        // Only a present-day release has a test result.
        expected.retain(|id| *id != claims::SMOKE || recording.world.attested() == Attested::ALL);
        assert_eq!(ids, expected, "format {number}");
    }
}

/// The verdict on `attachments` for a release from before bundles, after `add` has added something to it.
fn of_before_bundles(add: impl FnOnce(&mut World)) -> Verdict {
    let (_, dir) = all().unwrap().remove(0);
    let recording = Recording::load(&dir).unwrap();
    let mut world = recording.world.clone();
    add(&mut world);
    let claims = recording.judge_with_the_stand_in(&world);
    let (attachments, others): (Vec<_>, Vec<_>) =
        claims.into_iter().partition(|claim| claim.id == claims::ATTACHMENTS);
    assert_eq!(broken(&others).0, [""; 0]);
    attachments[0].verdict
}

#[test]
fn a_release_from_before_bundles_has_none_or_all_of_them_by_the_key() {
    assert_eq!(of_before_bundles(|_| ()), Verdict::Holds);
    assert_eq!(of_before_bundles(|world| world.bundle_only(&world.bundles())), Verdict::Holds);
    let listed = |world: &mut World| {
        world.bundle_only(&world.bundles());
        world.list_referrers();
    };
    assert_eq!(of_before_bundles(listed), Verdict::Holds, "in a registry that lists them");
    let mirrored = |world: &mut World| {
        world.bundle_only(&world.bundles());
        world.referrers = Some(world.referring());
    };
    assert_eq!(of_before_bundles(mirrored), Verdict::Holds, "and has the index under the tag as well");
    assert_eq!(of_before_bundles(|world| world.bundle_only(&world.bundles()[..2])), Verdict::False);
    let foreign = |world: &mut World| {
        let (of, version) = (world.digest.clone(), world.version());
        world.bundle_only(&[world.signature_bundle(&of, &version, Key::Other)]);
    };
    assert_eq!(of_before_bundles(foreign), Verdict::False);
}

#[test]
fn a_release_of_the_first_build_type_has_no_files_with_our_names() {
    let (_, dir) = all().unwrap().remove(0);
    let recording = Recording::load(&dir).unwrap();
    for (name, wrong) in [("notes.txt", &[][..]), (SUMS, &[claims::PAGE_ASSETS])] {
        let mut world = recording.world.clone();
        let listed = Listed { id: 1, name: name.to_owned(), size: 1 };
        world.files.insert(listed.id, b"x".to_vec());
        world.page.as_mut().unwrap().assets.push(listed);
        let claims = recording.judge_with_the_stand_in(&world);
        let broken = claims.iter().filter(|claim| claim.verdict != Verdict::Holds).map(|claim| claim.id);
        assert_eq!(broken.collect::<Vec<_>>(), wrong, "{name}");
    }
}

#[test]
fn a_page_of_every_format_says_what_would_be_written_now() {
    for (number, dir) in all().unwrap() {
        let recording = Recording::load(&dir).unwrap();
        let (release, world) = (recording.release(), &recording.world);
        let found = world.page.as_ref().unwrap();
        let build_type = BuildType::of_predicate(&world.predicate(PROVENANCE_PREDICATE)).unwrap();
        let format = Format::of_release(build_type);
        assert_eq!(Format::of(&found.page.body), Ok(format), "format {number}");
        let provenance = serde_json::from_value::<Provenance>(world.predicate(PROVENANCE_PREDICATE)).unwrap();
        let smoked = provenance.smoked(&release.platforms()).unwrap();
        // People write the part above the image's part; it is not compared.
        let history = History {
            previous: None,
            commits: Vec::new(),
            people: People::default(),
            words: None,
            shapes: None,
            pulls: Pulls::default(),
        };
        let key_address = recording.key_address();
        let details = Details {
            history: &history,
            key_address: Some(&key_address),
            is_of_work_tree: false,
            sizes: None,
        };
        let page = page::write(format, &release, &details, &world.digest, &smoked).unwrap();
        assert!(
            page::has_same_content(found, &page),
            "format {number} is written as\n{}\nand was\n{}",
            page::generated_part(&page.body),
            page::generated_part(&found.page.body)
        );
    }
}

/// The claims that are false for a release from before the second build type, after a change by somebody with the
/// key.
fn of_the_first_build_type(change: impl FnOnce(&mut World)) -> Vec<&'static str> {
    let (_, dir) = all().unwrap().remove(1);
    let recording = Recording::load(&dir).unwrap();
    let mut world = recording.world.clone();
    change(&mut world);
    let claims = recording.judge_with_the_stand_in(&world);
    claims.iter().filter(|claim| claim.verdict == Verdict::False).map(|claim| claim.id).collect()
}

#[test]
fn what_the_second_build_type_added_is_rejected_in_a_release_of_the_first() {
    assert_eq!(of_the_first_build_type(|_| ()), [""; 0]);
    let network = |world: &mut World| {
        world.change_provenance(|provenance| {
            provenance["buildDefinition"]["internalParameters"]["network"] = json!({});
        });
    };
    assert_eq!(of_the_first_build_type(network), [claims::PROVENANCE_FORM]);
    let commit = |world: &mut World| {
        world.signed_commit.clone_from(&world.forge_tag);
        let (digest, version) = (world.digest.clone(), world.version());
        world.sign_marked(&digest, &version, MARK.1);
    };
    assert_eq!(of_the_first_build_type(commit), [claims::SIGNATURE]);
    let bundle = |world: &mut World| {
        world.signed_commit.clone_from(&world.forge_tag);
        world.bundle_only(&world.bundles());
    };
    assert_eq!(of_the_first_build_type(bundle), [claims::ATTACHMENTS]);
    let subjects = |world: &mut World| {
        world.signed_commit.clone_from(&world.forge_tag);
        let sbom = world.predicate(SBOM_PREDICATE);
        world.attest_anew(SBOM_PREDICATE, &sbom, Key::Own);
        world.signed_commit = None;
        world.bundle_only(&world.bundles());
    };
    assert_eq!(of_the_first_build_type(subjects), [claims::SBOM]);
}

#[test]
fn the_stand_in_for_cosign_prints_what_cosign_printed() {
    for (_, dir) in all().unwrap() {
        let recording = Recording::load(&dir).unwrap();
        let world = &recording.world;
        let answers = world.cosign(&world.version(), &world.digest, recording.cosign.len());
        for (answer, recorded) in answers.into_iter().zip(&recording.cosign) {
            let Some(recorded) = recorded else {
                assert!(matches!(answer, Ok(Answer::Rejected(_))), "it accepts what was not attached");
                continue;
            };
            let Ok(Answer::Accepted(printed)) = answer else { panic!("it does not accept it") };
            let read = |text: &str| {
                let values = serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>();
                values.collect::<Result<Vec<_>, _>>().unwrap()
            };
            assert_eq!(read(&printed), read(recorded));
        }
    }
}

#[test]
fn a_forge_that_does_not_show_runs_leaves_out_only_the_claim_about_the_run() {
    let (_, dir) = all().unwrap().pop().unwrap();
    let recording = Recording::load(&dir).unwrap();
    let ids = |said: Option<RunLookup>| {
        let mut world = recording.world.clone();
        world.run.1 = said.unwrap_or(world.run.1);
        let claims = recording.judge_with_the_stand_in(&world);
        assert_eq!(broken(&claims).0, [""; 0]);
        broken(&claims).1
    };
    let mut expected = ids(None);
    expected.retain(|id| *id != claims::PROVENANCE_RUN);
    assert_eq!(ids(Some(RunLookup::Refused("answered 403".to_owned()))), expected);
}

/// The registry answers each tag `sha256-<hex>` of an image with that image, as GitLab's does.
fn answer_with_the_image(world: &mut World) {
    for digest in [vec![world.digest.clone()], world.platforms()].concat() {
        let tag = bundle::tag(&digest).to_string();
        world.unlisted.insert(tag.clone());
        world.tags.insert(tag, digest);
    }
}

/// The registry lists the legacy signatures among the referrers, as Harbor does.
fn list_signatures(world: &mut World) {
    let signatures =
        |world: &World, digest: &Digest| world.tags[Kind::Signatures.tag(digest).as_str()].clone();
    for platform in world.platforms() {
        let listed = signatures(world, &platform);
        world.part_referrers.insert(platform, listed);
    }
    let of_image = signatures(world, &world.digest);
    world.referrers = Some([vec![of_image], world.referring()].concat());
}

#[test]
fn answers_that_a_registry_adds_on_its_own_make_no_claim_false() {
    let (_, dir) = all().unwrap().pop().unwrap();
    let recording = Recording::load(&dir).unwrap();
    let changes: [&dyn Fn(&mut World); 3] = [
        &list_signatures,
        &|world| {
            world.list_referrers();
            list_signatures(world);
        },
        &|world| {
            world.list_referrers();
            answer_with_the_image(world);
        },
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut world = recording.world.clone();
        change(&mut world);
        assert_eq!(broken(&recording.judge_with_the_stand_in(&world)).0, [""; 0], "{number}");
    }
    assert_eq!(of_before_bundles(answer_with_the_image), Verdict::Holds);
}
