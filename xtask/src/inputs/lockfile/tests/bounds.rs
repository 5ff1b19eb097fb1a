//! Files that are too large, or small ones that would take too long.

use std::collections::BTreeMap;

use super::super::MAX_MANIFEST_SIZE;
use super::{check, lock, manifest};
use crate::inputs::config::Folder;
use serde_json::{Map, Value, json};

#[test]
fn a_package_json_that_is_too_large_is_refused() {
    let padded = |value: &Value, size: usize| {
        let text = value.to_string();
        let blanks = " ".repeat(size - text.len());
        (text + &blanks).into_bytes()
    };
    let lock = lock().to_string();
    let lockfile = check(&padded(&manifest(), MAX_MANIFEST_SIZE), lock.as_bytes()).unwrap();
    let error = check(&padded(&manifest(), MAX_MANIFEST_SIZE + 1), lock.as_bytes()).err().unwrap();
    let error = format!("{error:#}");
    assert!(error.contains("it has 1048577 bytes, and 1048576 are expected at most"), "{error}");
    let local = BTreeMap::from([("core".to_owned(), padded(&json!({}), MAX_MANIFEST_SIZE + 1))]);
    let error = format!("{:#}", lockfile.problems(&Folder::default(), &local).unwrap_err());
    assert!(error.starts_with("reading `core/package.json`: it has 1048577 bytes"), "{error}");
}

#[test]
fn a_lockfile_with_too_many_places_to_look_in_is_refused() {
    let mut packages = json!({"": {}});
    let folder = |level: usize| vec!["a"; level].join("/");
    for level in 1..400 {
        packages[format!("{}/node_modules/x", folder(level))] = json!({});
    }
    let names: Map<_, _> = (0..30_000).map(|number| (format!("y{number}"), json!("*"))).collect();
    packages[folder(400)] = json!({"optionalDependencies": names});
    let lock = json!({"lockfileVersion": 3, "packages": packages});
    let error = format!("{:#}", check(b"{}", lock.to_string().as_bytes()).err().unwrap());
    assert!(error.contains("more than 10000000 places"), "{error}");
}
