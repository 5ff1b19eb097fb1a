//! The commands that `verify` prints for a person to check a claim.

use crate::evidence::claims;
use crate::verify::by_hand;
use crate::verify::claim::Claim;

use super::recording::{Recording, all};

#[test]
fn the_files_of_a_page_are_fetched_before_they_are_checked() {
    let (_, dir) = all().unwrap().pop().unwrap();
    let recording = Recording::load(&dir).unwrap();
    let mut claims = [Claim::judge(claims::PAGE_ASSETS, &Ok(()), |()| Ok(String::new()))];
    by_hand::add(&recording.release(), None, &mut claims);
    let command = claims[0].by_hand.clone().unwrap();
    let place = |words: &str| command.find(words).unwrap_or_else(|| panic!("no {words} in: {command}"));
    let fetched = place("curl -fsSLO 'http");
    let (verified, compared) = (place(" && cosign verify-blob "), place(" && sha256sum -c SHA256SUMS"));
    assert!(fetched < verified && verified < compared, "{command}");
}
