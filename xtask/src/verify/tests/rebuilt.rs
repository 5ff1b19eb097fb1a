//! The statement about a rebuild is read only in the form in which it is written.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::evidence::attached::TEST_RESULT_PREDICATE;
use crate::evidence::envelope::seal;
use crate::evidence::rebuild::{predicate, read};
use crate::oci::reference::Digest;

use super::recording::{Recording, all};

#[test]
fn a_statement_about_a_rebuild_is_read_only_in_the_form_in_which_it_is_written() {
    let (_, dir) = all().unwrap().pop().unwrap();
    let recording = Recording::load(&dir).unwrap();
    let (release, digest) = (recording.release(), Digest::of(b"image"));
    let builder = BTreeMap::from([("docker".to_owned(), "29.0.0".to_owned())]);
    let read = |predicate: &Value| {
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1", "predicateType": TEST_RESULT_PREDICATE, "predicate": predicate,
            "subject": [{"name": release.image.to_string(), "digest": {"sha256": digest.hex()}}],
        });
        read(&seal(statement.to_string().as_bytes(), "MEUC"), &release, &digest)
    };
    for is_same in [true, false] {
        let honest = predicate(&release, is_same, &builder);
        assert_eq!(read(&honest).unwrap(), is_same);
        for (pointer, value) in [
            ("/result", json!(if is_same { "WARNED" } else { "PASSED" })),
            ("/result", json!("FAILED")),
            ("/failedTests", json!(["same content"])),
            ("/passedTests", json!([])),
            ("/configuration/0/digest/gitCommit", json!("8".repeat(40))),
            ("/configuration/1/uri", json!("https://example.org/builder")),
            ("/configuration/1/annotations", json!({"docker": 29})),
        ] {
            let mut other = honest.clone();
            *other.pointer_mut(pointer).unwrap() = value;
            assert!(read(&other).is_err(), "{other}");
        }
    }
}
