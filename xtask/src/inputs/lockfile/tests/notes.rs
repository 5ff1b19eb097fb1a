//! Notes about a lockfile that do not prevent a release.

use super::super::Registries;
use super::{SHA, check};
use crate::inputs::config::Folder;
use serde_json::{Value, json};

#[test]
fn a_single_unnamed_host_is_noted_and_several_are_a_problem() {
    let entry = |address: &str| json!({"version": "1.0.0", "integrity": SHA, "resolved": address});
    let mut lock = json!({"lockfileVersion": 3, "packages": {
        "": {"dependencies": {"a": "1", "b": "1"}, "devDependencies": {"c": "1"}},
        "node_modules/a": entry("https://mirror.example.org/npm/a/-/a-1.0.0.tgz"),
        "node_modules/b": entry("https://mirror.example.org/npm/b/-/b-1.0.0.tgz"),
        "node_modules/c": entry("https://elsewhere.example.org/c/-/c-1.0.0.tgz"),
    }});
    let elsewhere = |lock: &Value, named: &[&str]| {
        let manifest = lock["packages"][""].to_string();
        let named = named.iter().map(|url| (*url).to_owned().try_into().unwrap()).collect();
        let lockfile = check(manifest.as_bytes(), lock.to_string().as_bytes()).unwrap();
        lockfile.elsewhere(&Folder::default(), &Registries { named, plain_http: Vec::new() })
    };
    let (problems, note) = elsewhere(&lock, &[]);
    assert_eq!(
        problems,
        [
            "`package-lock.json` has 1 of its packages from `https://elsewhere.example.org`, such as `node_modules/c`, and 2 \
          of its packages from `https://mirror.example.org`, such as `node_modules/a`; name the registries that are meant in \
          `npm-registries`"
        ]
    );
    assert_eq!(note, None);
    let both = ["https://mirror.example.org/npm", "https://elsewhere.example.org/"];
    assert_eq!(elsewhere(&lock, &both), (Vec::new(), None));
    let (problems, _) = elsewhere(&lock, &both[..1]);
    assert!(
        problems.len() == 1
            && problems[0].contains("`node_modules/c`")
            && problems[0].contains("none of `npm-registries`"),
        "{problems:?}"
    );
    lock["packages"]["node_modules/c"] = entry("https://mirror.example.org/npm/c/-/c-1.0.0.tgz");
    let (problems, note) = elsewhere(&lock, &[]);
    assert!(problems.is_empty(), "{problems:?}");
    let note = note.unwrap();
    assert!(note.contains("3 of its packages from `https://mirror.example.org`"), "{note}");
    lock["packages"]["node_modules/c"] = entry("http://mirror.example.org/npm/c/-/c-1.0.0.tgz");
    let (problems, _) = elsewhere(&lock, &["https://mirror.example.org"]);
    assert!(problems.len() == 1 && problems[0].contains("without TLS"), "{problems:?}");
}

#[test]
fn an_install_script_of_the_service_itself_is_noted() {
    let lock = json!({"lockfileVersion": 3, "packages": {
        "": {"workspaces": ["core"], "dependencies": {"a": "1"}, "hasInstallScript": true},
        "node_modules/a": {"version": "1.0.0", "integrity": SHA, "hasInstallScript": true},
        "node_modules/core": {"resolved": "core", "link": true},
        "core": {"hasInstallScript": true},
    }});
    let notes = check(lock["packages"][""].to_string().as_bytes(), lock.to_string().as_bytes())
        .unwrap()
        .own_scripts();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].starts_with("`package.json` has an install script"), "{notes:?}");
    assert!(notes[1].starts_with("`core/package.json` has an install script"), "{notes:?}");
}
