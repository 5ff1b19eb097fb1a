//! What is said about a lockfile and stops no release.

use super::check;
use serde_json::{Value, json};

#[test]
fn a_host_that_is_not_the_usual_one_is_noted() {
    let entry = |address: &str| json!({"version": "1.0.0", "integrity": "sha512-x", "resolved": address});
    let mut lock = json!({"lockfileVersion": 3, "packages": {
        "": {"dependencies": {"a": "1", "b": "1", "c": "1"}},
        "node_modules/a": entry("https://mirror.example.org/a.tgz"),
        "node_modules/b": entry("https://mirror.example.org/b.tgz"),
        "node_modules/c": entry("http://203.0.113.7/c.tgz"),
    }});
    let notes = |lock: &Value| {
        let manifest = lock["packages"][""].to_string();
        check(manifest.as_bytes(), lock.to_string().as_bytes()).unwrap().notes().unwrap()
    };
    assert_eq!(
        notes(&lock),
        ["`package-lock.json` has 1 of its packages from `http://203.0.113.7`, such as `node_modules/c`"]
    );
    lock["packages"]["node_modules/c"] = entry("https://mirror.example.org/c.tgz");
    assert!(notes(&lock).is_empty());
}

#[test]
fn an_install_script_of_the_service_itself_is_noted() {
    let lock = json!({"lockfileVersion": 3, "packages": {
        "": {"workspaces": ["core"], "dependencies": {"a": "1"}, "hasInstallScript": true},
        "node_modules/a": {"version": "1.0.0", "integrity": "sha512-x", "hasInstallScript": true},
        "node_modules/core": {"resolved": "core", "link": true},
        "core": {"hasInstallScript": true},
    }});
    let notes = check(lock["packages"][""].to_string().as_bytes(), lock.to_string().as_bytes())
        .unwrap()
        .notes()
        .unwrap();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].starts_with("`package.json` has an install script"), "{notes:?}");
    assert!(notes[1].starts_with("`core/package.json` has an install script"), "{notes:?}");
}
