//! What an exception needs, and what makes it invalid.

use serde_json::{Value, json};

use super::{Exception, read};
use crate::process::time::parse_rfc3339;

pub(crate) fn document() -> Value {
    json!({
        "@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://forge.example.org/acme/carol/exceptions",
        "author": "Acme", "timestamp": "2026-11-29T12:00:00Z", "version": 1,
        "statements": [{
            "vulnerability": {"name": "GHSA-xvch-5gv4-984h"}, "products": [{"@id": "pkg:npm/minimist@1.2.5"}],
            "status": "not_affected", "justification": "vulnerable_code_not_in_execute_path",
            "status_notes": "Until 2027-02-28: nothing of what a caller sends is parsed by it",
        }],
    })
}

/// The document with another value at `pointer`; null removes the field.
fn with(pointer: &str, value: Value) -> Vec<u8> {
    let mut document = document();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if value.is_null() {
        parent.remove(key).unwrap();
    } else {
        parent.insert(key.to_owned(), value);
    }
    document.to_string().into_bytes()
}

#[test]
fn an_exception_covers_one_version_until_the_end_of_its_last_day() {
    let expected = Exception {
        vulnerability: "GHSA-xvch-5gv4-984h".to_owned(),
        package: "pkg:npm/minimist@1.2.5".to_owned(),
        until: "2027-02-28".to_owned(),
        end: parse_rfc3339("2027-03-01T00:00:00Z").unwrap(),
        stated: parse_rfc3339(document()["timestamp"].as_str().unwrap()).unwrap(),
        reason: "nothing of what a caller sends is parsed by it".to_owned(),
    };
    assert_eq!(read(document().to_string().as_bytes()).unwrap(), [expected]);
    let two = json!([{"@id": "pkg:npm/a@1.0.0"}, {"@id": "pkg:npm/%40s/b@2.0.0"}]);
    assert_eq!(read(&with("/statements/0/products", two)).unwrap().len(), 2);
    assert!(read(&with("/statements/0/status", json!("under_investigation"))).is_ok());
}

#[test]
fn an_invalid_exception_is_refused_with_the_reason() {
    let statement = "/statements/0";
    for (key, value, words) in [
        ("status_notes", json!("it is fine"), "expected `Until 2027-02-28: why`"),
        ("status_notes", json!("Until 2027-02-30: why"), "expected `Until"),
        ("status_notes", json!("Until 2027-02-28:  "), "expected `Until"),
        (
            "status_notes",
            json!(format!("Until 2027-02-28: {}", "x".repeat(2000))),
            "has 2018 bytes: expected 2000",
        ),
        ("status_notes", Value::Null, "not an OpenVEX document"),
        ("status_notes", json!("Until 2028-02-28: why"), "more than 366 days"),
        ("justification", Value::Null, "`justification` or `impact_statement`"),
        ("justification", json!("because"), "not an OpenVEX document"),
        ("status", json!("affected"), "`action_statement`"),
        ("status", json!("fixed"), "not an OpenVEX document"),
        ("products", json!([]), "`products` is empty"),
        ("products", json!([{"@id": "pkg:npm/minimist"}]), "not an npm package with its version"),
        ("products", json!([{"@id": "pkg:npm/a@1", "subcomponents": []}]), "not an OpenVEX document"),
        ("products", json!([{"@id": "pkg:npm/a@1"}, {"@id": "pkg:npm/a@1"}]), "two statements"),
        ("vulnerability", json!({"name": ""}), "not that of an advisory"),
        ("vulnerability", json!({"name": "x".repeat(101)}), "not that of an advisory"),
        ("timestamp", json!("yesterday"), "reading `timestamp`"),
        ("expires", json!("2027-02-28"), "not an OpenVEX document"),
    ] {
        let error = read(&with(&format!("{statement}/{key}"), value)).unwrap_err();
        assert!(format!("{error:#}").contains(words), "{key}: {error:#}");
    }
    for (key, value) in
        [("@context", json!("https://openvex.dev/ns")), ("version", json!(0)), ("statements", json!([]))]
    {
        assert!(read(&with(&format!("/{key}"), value)).is_err(), "{key}");
    }
    assert!(read(b"{").is_err());
    let padded = document().to_string() + &" ".repeat(256 << 10);
    let error = read(padded.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("bytes: expected 262144 at most"), "{error}");
}
