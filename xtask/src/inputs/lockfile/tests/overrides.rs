//! Lockfiles that do not follow the `overrides` of package.json, as a table.

use std::collections::BTreeMap;

use super::{SHA, check};
use crate::inputs::config::Folder;
use serde_json::{Value, json};

#[test]
fn an_exact_override_is_compared_and_any_other_one_is_noted() {
    let lock = json!({"lockfileVersion": 3, "packages": {
        "": {"dependencies": {"a": "1", "@s/a": "1", "big": "1", "alias": "npm:other@1"}},
        "node_modules/a": {"version": "1.0.0", "integrity": SHA, "dependencies": {"b": "1"}},
        "node_modules/@s/a": {"version": "3.0.0", "integrity": SHA, "dependencies": {"b": "2"}},
        "node_modules/@s/a/node_modules/b": {"version": "2.0.0", "integrity": SHA},
        "node_modules/alias": {"name": "other", "version": "1.0.0", "integrity": SHA},
        "node_modules/b": {"version": "1.5.0", "integrity": SHA},
        "node_modules/big": {"version": "1.0.0", "integrity": SHA, "dependencies": {"c": "1"}, "bundleDependencies": ["c"]},
        "node_modules/big/node_modules/c": {"version": "1.0.0", "inBundle": true},
    }});
    let compared = |overrides: Value| {
        let mut manifest = lock["packages"][""].clone();
        manifest["overrides"] = overrides;
        let lockfile = check(manifest.to_string().as_bytes(), lock.to_string().as_bytes()).unwrap();
        let service = Folder::default();
        let problems = lockfile.problems(&service, &BTreeMap::new()).unwrap();
        (problems.concat(), lockfile.open_overrides(&service).unwrap_or_default())
    };
    for (overrides, expected) in [
        (json!({"@s/a": "3.0.1"}), "`overrides` ask for `3.0.1` of `@s/a`, the lockfile has `3.0.0`"),
        (
            json!({"b": "1.5.0"}),
            "the lockfile has `2.0.0` at `node_modules/@s/a/node_modules/b`; run `npm install",
        ),
        (json!({"b": {".": "2.0.0"}}), "the lockfile has `1.5.0` at `node_modules/b`"),
        (json!({"a": "1.0.0", "@s/a": {".": "3.0.0"}, "none": "1.0.0", "c": "9.0.0", "alias": "9.0.0"}), ""),
        (json!({}), ""),
        (json!(null), ""),
    ] {
        let (problem, note) = compared(overrides.clone());
        assert!(
            problem.contains(expected) && problem.is_empty() == expected.is_empty(),
            "{overrides}: {problem}"
        );
        assert_eq!(note, "", "{overrides}");
    }
    for (overrides, names) in [
        (json!({"a": "^2"}), "`a`"),
        (json!({"a": "$a", "b": ""}), "`a`, `b`"),
        (json!({"a@1": "2.0.0"}), "`a@1`"),
        (json!({"@s/a@3": "2.0.0", "@s/a": "3.0.1"}), "`@s/a`, `@s/a@3`"),
        (json!({"a": "npm:other@9.0.0"}), "`a`"),
        (json!({"a": {"b": "9.0.0"}, "b": "9.0.0"}), "`a`, `b`"),
        (json!({"a": {".": "9.0.0", "b": "9.0.0"}}), "`a`"),
        (json!({"\u{1b}[2J": "1.0.0"}), "`\\u{1b}[2J`"),
        (json!({"a": 1, "b": null, "c": false, "d": []}), "`a`, `b`, `c`, `d`"),
    ] {
        let (problem, note) = compared(overrides.clone());
        assert_eq!(problem, "", "{overrides}");
        let expected =
            format!("`overrides` for {names}, which only npm can compare with the lockfile; run `npm ci");
        assert!(note.contains(&expected), "{overrides}: {note}");
    }
    let many: serde_json::Map<_, _> = (0..20).map(|n| (format!("x{n}"), json!("*"))).collect();
    assert!(compared(Value::Object(many)).1.contains("` and 12 more, which"));
    for none in [json!([]), json!(1), json!("a"), json!(null)] {
        assert_eq!(compared(none.clone()), (String::new(), String::new()), "{none}");
    }
}

#[test]
fn many_overrides_and_deeply_nested_ones_are_read_quickly() {
    let mut lock = json!({"lockfileVersion": 3, "packages": {"": {}}});
    let mut overrides = json!({});
    for number in 0..20_000 {
        lock["packages"][format!("node_modules/x{number}")] = json!({"version": "1.0.0", "integrity": SHA});
        overrides[format!("x{number}")] = json!("1.0.0");
    }
    let deep = (0..100).fold(json!("1.0.0"), |inner, _| json!({"y": inner, "z": "x".repeat(1000)}));
    overrides["deep"] = deep;
    let manifest = json!({"overrides": overrides}).to_string();
    let lockfile = check(manifest.as_bytes(), lock.to_string().as_bytes()).unwrap();
    assert_eq!(lockfile.against_overrides(&Folder::default()), None);
    assert!(lockfile.open_overrides(&Folder::default()).unwrap().contains("for `deep`, which"));
}
