//! Packages that others only use if something else installs them.

use std::collections::BTreeMap;

use super::{SHA, check, target};
use crate::inputs::config::Folder;
use serde_json::{Value, json};

#[test]
fn with_legacy_peer_deps_a_peer_may_be_marked_as_a_tool() {
    let lock = json!({"lockfileVersion": 3, "packages": {
        "": {"dependencies": {"a": "1"}, "devDependencies": {"p": "1"}},
        "node_modules/a": {"version": "1.0.0", "integrity": SHA, "peerDependencies": {"p": "1"}},
        "node_modules/p": {"version": "1.0.0", "integrity": SHA, "dev": true},
    }});
    let lockfile = check(lock["packages"][""].to_string().as_bytes(), lock.to_string().as_bytes()).unwrap();
    let wrong = |legacy| lockfile.wrong_marks(&Folder::default(), legacy);
    assert!(
        wrong(false).len() == 1 && wrong(false)[0].contains("`legacy-peer-deps=true`"),
        "{:?}",
        wrong(false)
    );
    assert!(wrong(true).is_empty(), "{:?}", wrong(true));
}

#[test]
fn an_optional_peer_that_is_marked_as_a_tool_is_not_installed() {
    let mut lock = json!({"lockfileVersion": 3, "packages": {
        "": {"dependencies": {"orm": "1"}, "devDependencies": {"driver": "1"}},
        "node_modules/orm": {"version": "1.0.0", "integrity": SHA, "peerDependencies": {"driver": "1"},
            "peerDependenciesMeta": {"driver": {"optional": true}}},
        "node_modules/driver": {"version": "1.0.0", "integrity": SHA, "dev": true, "dependencies": {"below": "1"}},
        "node_modules/below": {"version": "1.0.0", "integrity": SHA, "dev": true},
    }});
    let read = |lock: &Value| {
        let lockfile =
            check(lock["packages"][""].to_string().as_bytes(), lock.to_string().as_bytes()).unwrap();
        let target = target("x64", "glibc");
        let paths = |packages: BTreeMap<String, _>| packages.into_keys().collect::<Vec<_>>();
        let wrong = |legacy| lockfile.wrong_marks(&Folder::default(), legacy).len();
        let installed = paths(lockfile.installed(&target).unwrap());
        (installed, paths(lockfile.tolerated(&target).unwrap()), wrong(true), wrong(false))
    };
    let (installed, tolerated, legacy, other) = read(&lock);
    assert_eq!((installed, legacy, other), (vec!["node_modules/orm".to_owned()], 0, 2));
    assert_eq!(tolerated, ["node_modules/below", "node_modules/driver"]);
    for path in ["node_modules/driver", "node_modules/below"] {
        lock["packages"][path]["dev"] = json!(false);
        lock["packages"][path]["devOptional"] = json!(true);
    }
    let (installed, _, _, other) = read(&lock);
    assert_eq!((installed.len(), other), (3, 0), "without `legacy-peer-deps`, npm installs it");
}
