//! The archives of two versions of one package have the same name in the provenance. They must be the commit's, in
//! the same order.

use serde_json::{Value, json};

use crate::evidence::claims;
use crate::inputs::config::Native;
use crate::verify::claim::Verdict;

use super::lies::predicate::DEPENDENCIES;
use super::recording::{Recording, all};

/// The digits of the digest of each version's archive.
const DIGITS: [&str; 2] = ["1", "2"];

fn url(digit: &str) -> String {
    format!("https://archives.example.org/a-{digit}.tar.gz")
}

/// What the provenance says of an archive.
fn resource(digit: &str) -> Value {
    json!({"name": "native a linux/amd64", "uri": url(digit), "digest": {"sha256": digit.repeat(64)}})
}

/// The verdict on a provenance that names the archives of these `digits`, for a commit with one archive for each
/// version.
fn judged(digits: &[&str]) -> Verdict {
    let (_, dir) = all().unwrap().pop().unwrap();
    let mut recording = Recording::load(&dir).unwrap();
    recording.config.native = DIGITS
        .iter()
        .map(|digit| {
            serde_json::from_value::<Native>(json!({
                "package": "a", "version": format!("{digit}.0.0"), "platform": "linux/amd64",
                "url": url(digit), "sha256": digit.repeat(64),
            }))
            .unwrap()
        })
        .collect();
    let mut world = recording.world.clone();
    world.change_provenance(|provenance| {
        let list = provenance.pointer_mut(DEPENDENCIES).and_then(Value::as_array_mut).unwrap();
        let after = list.iter().position(|resource| resource["name"] == "base-image").unwrap() + 1;
        list.splice(after..after, digits.iter().map(|digit| resource(digit)));
    });
    let claims = recording.judge_with_the_stand_in(&world);
    claims.iter().find(|claim| claim.id == claims::PROVENANCE_INPUTS).unwrap().verdict
}

#[test]
fn each_version_of_a_package_has_its_own_archive_in_the_provenance() {
    assert_eq!(judged(&DIGITS), Verdict::Holds);
    for lie in [&["2", "1"][..], &["1"], &["2"], &["1", "1"], &["1", "3"], &["1", "2", "2"]] {
        assert_eq!(judged(lie), Verdict::False, "{lie:?}");
    }
}
