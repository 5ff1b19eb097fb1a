//! The commands that `verify` prints for a person to check a claim.

use std::path::Path;

use crate::evidence::claims;
use crate::verify::by_hand::{self, Given};
use crate::verify::claim::Claim;

use super::recording::{Recording, all};

#[test]
fn the_files_of_a_page_are_fetched_before_they_are_checked() {
    let (_, dir) = all().unwrap().pop().unwrap();
    let recording = Recording::load(&dir).unwrap();
    let mut claims = [Claim::judge(claims::PAGE_ASSETS, &Ok(()), |()| Ok(String::new()))];
    by_hand::add(&recording.release(), None, Given::default(), &mut claims);
    let command = claims[0].by_hand.clone().unwrap();
    let place = |words: &str| command.find(words).unwrap_or_else(|| panic!("no {words} in: {command}"));
    let fetched = place("curl -fsSLO 'http");
    let (verified, compared) = (place(" && cosign verify-blob "), place(" && sha256sum -c SHA256SUMS"));
    assert!(fetched < verified && verified < compared, "{command}");
}

#[test]
fn the_command_for_the_history_of_keys_also_works_where_there_is_none_yet() {
    let (_, dir) = all().unwrap().pop().unwrap();
    let recording = Recording::load(&dir).unwrap();
    let mut claims = [Claim::judge(claims::KEY_HISTORY, &Ok(()), |()| Ok(String::new()))];
    by_hand::add(&recording.release(), None, Given::default(), &mut claims);
    let command = claims[0].by_hand.clone().unwrap();
    let tag = &recording.world.tag;
    assert!(command.starts_with(&format!("for each in {tag} origin/HEAD; do git show $each:cosign.pub | ")));
    assert!(command.ends_with(" -- keys/history.toml || echo 'no keys/history.toml'"), "{command}");
}

/// The commands for some claims about the image of a recorded release.
fn commands(given: Given<'_>) -> [Option<String>; 4] {
    let (_, dir) = all().unwrap().pop().unwrap();
    let recording = Recording::load(&dir).unwrap();
    let ids = [claims::SIGNATURE, claims::PROVENANCE, claims::IMAGE_PRESENT, claims::ATTACHMENTS];
    let mut claims = ids.map(|id| Claim::judge(id, &Ok(()), |()| Ok(String::new())));
    by_hand::add(&recording.release(), Some(&recording.world.digest), given, &mut claims);
    claims.map(|claim| claim.by_hand)
}

#[test]
fn an_image_is_looked_at_on_every_platform() {
    let (_, dir) = all().unwrap().pop().unwrap();
    let recording = Recording::load(&dir).unwrap();
    let release = recording.release();
    let platforms = format!("for each in {}; do ", release.platforms().join(" "));
    let digests = "jq -r '.manifests[].digest'); do ".to_owned();
    for (id, each, how) in [
        (claims::IMAGE_PRESENT, &platforms, " --platform $each "),
        (claims::IMAGE_BASE, &platforms, "layers $each "),
        (claims::IMAGE_MACHINE, &platforms, " --platform $each "),
        (claims::SIGNATURE_PLATFORMS, &digests, "@$each"),
        (claims::ATTACHMENTS, &digests, "@$each"),
    ] {
        let mut claims = [Claim::judge(id, &Ok(()), |()| Ok(String::new()))];
        by_hand::add(&release, Some(&recording.world.digest), Given::default(), &mut claims);
        let command = claims[0].by_hand.clone().unwrap();
        assert!(command.contains(each.as_str()) && command.contains(how), "{command}");
    }
}

#[test]
fn a_signature_is_checked_with_the_key_of_the_release_or_the_given_one() {
    let (_, dir) = all().unwrap().pop().unwrap();
    let tag = Recording::load(&dir).unwrap().world.tag;
    let [signature, provenance, image, _] = commands(Given::default());
    for command in [signature, provenance].map(Option::unwrap) {
        let start = format!("git show {tag}:cosign.pub > {tag}.pub && cosign verify");
        assert!(command.starts_with(&start) && command.contains(&format!("--key {tag}.pub ")), "{command}");
    }
    assert!(image.unwrap().contains("docker pull "));
    let given = Given { key: Some(Path::new("kept/a key.pub")), layout: None };
    let [signature, ..] = commands(given).map(Option::unwrap);
    assert!(signature.starts_with("cosign verify --key 'kept/a key.pub' "), "{signature}");
}

#[test]
fn an_image_in_a_directory_is_checked_without_a_registry() {
    let given = Given { key: None, layout: Some(Path::new("saved")) };
    let [signature, provenance, image, attachments] = commands(given);
    for command in [signature, provenance].map(Option::unwrap) {
        assert!(command.contains("--local-image saved") && !command.contains('@'), "{command}");
    }
    assert_eq!((image, attachments), (None, None));
}
