//! Every recorded release verifies, and its page is what would be written in its format.

use crate::evidence::attached::PROVENANCE_PREDICATE;
use crate::evidence::claims;
use crate::evidence::page::{self, Details, Format};
use crate::evidence::provenance::Provenance;
use crate::inputs::history::History;
use crate::verify::claim::{Claim, Verdict};
use crate::verify::observe::Answer;

use super::recording::{Recording, all};

/// The claims that do not hold, in words, and the ids of all.
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
        // What cosign printed then, whatever was asked: its commands are the page's, which is judged as well.
        let printed = |_: &_, _: &[_]| {
            recording.cosign.iter().cloned().map(|text| Ok(Answer::Accepted(text))).collect()
        };
        let claims = recording.judge(&recording.world, &printed).unwrap();
        let (words, ids) = broken(&claims);
        assert!(words.is_empty(), "format {number}: {words:#?}");
        let expected = [&claims::OF_IMAGE[..], &claims::OF_NAMES, &claims::OF_SOURCE].concat();
        assert_eq!(ids, expected, "format {number}");
    }
}

#[test]
fn a_page_of_every_format_is_left_as_it_is() {
    for (number, dir) in all().unwrap() {
        let recording = Recording::load(&dir).unwrap();
        let (release, world) = (recording.release(), &recording.world);
        let found = world.page.as_ref().unwrap();
        let format = Format::of(&found.page.body).unwrap();
        let provenance = serde_json::from_value::<Provenance>(world.predicate(PROVENANCE_PREDICATE)).unwrap();
        let smoked = provenance.smoked(&release.platforms()).unwrap();
        // What is above the image is for people to write, and is not compared.
        let history = History { previous: None, commits: Vec::new(), words: None, shapes: None };
        let key_address = recording.key_address();
        let details = Details { history: &history, key_address: Some(&key_address), is_of_work_tree: false };
        let page = page::write(format, &release, &details, &world.digest, &smoked).unwrap();
        assert!(
            page::says_the_same(found, &page),
            "format {number} is written as\n{}\nand was\n{}",
            page::promises(&page.body),
            page::promises(&found.page.body)
        );
    }
}

#[test]
fn the_stand_in_for_cosign_prints_what_cosign_printed() {
    for (_, dir) in all().unwrap() {
        let recording = Recording::load(&dir).unwrap();
        let world = &recording.world;
        let answers = world.cosign(&world.version(), &world.digest, 4);
        for (answer, recorded) in answers.into_iter().zip(&recording.cosign) {
            let Ok(Answer::Accepted(printed)) = answer else { panic!("it does not accept it") };
            let read = |text: &str| {
                let values = serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>();
                values.collect::<Result<Vec<_>, _>>().unwrap()
            };
            assert_eq!(read(&printed), read(recorded));
        }
    }
}
