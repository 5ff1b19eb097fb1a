//! The lockfile's rules, and what is installed, as tables.

use super::check;
use serde_json::{Value, json};

fn manifest() -> Value {
    json!({"name": "service", "dependencies": {"a": "^1.0.0"}, "devDependencies": {"d": "2.0.0"},
        "optionalDependencies": {"alias": "npm:real@^4.0.0"}})
}

fn lock() -> Value {
    json!({"lockfileVersion": 3, "packages": {
        "": {"name": "service", "dependencies": {"a": "^1.0.0"}, "devDependencies": {"d": "2.0.0"},
        "optionalDependencies": {"alias": "npm:real@^4.0.0"}},
        "node_modules/a": {"version": "1.2.0", "integrity": "sha512-x", "dependencies": {"@s/b": "*"}},
        "node_modules/a/node_modules/@s/b": {"version": "3.0.0", "integrity": "sha512-x"},
        "node_modules/alias": {"name": "real", "version": "4.0.0", "integrity": "sha512-x", "optional": true},
        "node_modules/d": {"version": "2.0.0", "integrity": "sha512-x", "dev": true},
    }})
}

fn run(manifest: &Value, lock: &Value) -> anyhow::Result<Vec<String>> {
    let lockfile = check(manifest.to_string().as_bytes(), lock.to_string().as_bytes())?;
    Ok(lockfile
        .production
        .into_iter()
        .map(|package| format!("{}@{}", package.name, package.version))
        .collect())
}

#[test]
fn the_production_set_has_nested_scoped_and_aliased_packages_but_no_dev_ones() {
    assert_eq!(run(&manifest(), &lock()).unwrap(), ["@s/b@3.0.0", "a@1.2.0", "real@4.0.0"]);
}

#[test]
fn disagreement_is_refused_in_both_directions_and_every_kind() {
    type Change = fn(&mut Value, &mut Value);
    let cases: [(Change, &str); 6] = [
        (|m, _| m["dependencies"]["a"] = "^1.1.0".into(), "ask for `^1.1.0` of `a`"),
        (|m, _| m["dependencies"]["new"] = "1".into(), "of `new`"),
        (|m, _| m["dependencies"] = json!({}), "ask for nothing of `a`"),
        (|m, _| m["devDependencies"]["d"] = "2.0.1".into(), "devDependencies"),
        (|_, l| l["lockfileVersion"] = 1.into(), "format 1"),
        (|_, l| l["packages"]["node_modules/a"]["integrity"] = Value::Null, "no integrity for `a`"),
    ];
    for (change, expected) in cases {
        let (mut manifest, mut lock) = (manifest(), lock());
        change(&mut manifest, &mut lock);
        let error = run(&manifest, &lock).unwrap_err();
        assert_eq!(crate::failure::exit_code(&error), 3, "{error:#}");
        assert!(format!("{error:#}").contains(expected), "expected `{expected}` in: {error:#}");
    }
}
