//! Lockfiles that npm would read in another way than they look. Each is refused, and the message names the entry and
//! the remedy.

use std::collections::BTreeMap;

use super::super::{Lockfile, Registries};
use super::{SHA, check};
use crate::inputs::config::Folder;
use serde_json::{Value, json};

/// One entry of each kind: required, nested, optional, aliased, a development dependency, one that is shared by
/// development and an optional package, a link, and a bundler with its bundled packages.
fn honest() -> Value {
    let entry = |value: Value| {
        let mut entry = json!({"version": "1.0.0", "integrity": SHA});
        entry.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
        entry
    };
    json!({"lockfileVersion": 3, "packages": {
        "": {"workspaces": ["packages/*"], "dependencies": {"a": "^1", "alias": "npm:@s/real@1", "big": "1"},
             "devDependencies": {"d": "1"}, "optionalDependencies": {"o": "1"}},
        "node_modules/a": entry(json!({"dependencies": {"n": "1"}, "resolved": "https://npm.example.org/a/-/a-1.0.0.tgz"})),
        "node_modules/a/node_modules/n": entry(json!({})),
        "node_modules/alias": entry(json!({"name": "@s/real"})),
        "node_modules/o": entry(json!({"optional": true, "dependencies": {"both": "1"}})),
        "node_modules/d": entry(json!({"dev": true, "dependencies": {"both": "1"}})),
        "node_modules/both": entry(json!({"devOptional": true})),
        "node_modules/@acme/core": {"resolved": "packages/core", "link": true},
        "packages/core": {"name": "@acme/core", "version": "1.0.0"},
        "node_modules/big": entry(json!({"bundleDependencies": ["in"], "dependencies": {"in": "1"}})),
        "node_modules/big/node_modules/in": {"version": "1.0.0", "inBundle": true, "dependencies": {"deep": "1"}},
        "node_modules/big/node_modules/deep": {"version": "1.0.0", "inBundle": true},
    }})
}

fn findings(lockfile: &Lockfile) -> Vec<String> {
    let service = Folder::default();
    let mut found = lockfile.problems(&service, &BTreeMap::new()).unwrap();
    found.extend(lockfile.wrong_marks(&service, false));
    found.extend(lockfile.elsewhere(&service, &Registries::default()).0);
    found
}

/// The messages about a lockfile: the refusal, or its findings.
fn messages(lock: &Value) -> Vec<String> {
    let manifest = lock["packages"][""].to_string();
    match check(manifest.as_bytes(), lock.to_string().as_bytes()) {
        Ok(lockfile) => findings(&lockfile),
        Err(error) => vec![format!("{error:#}")],
    }
}

#[test]
fn an_honest_lockfile_is_accepted() {
    assert_eq!(messages(&honest()), Vec::<String>::new());
}

/// The entry, the field, its hostile value, and words of the message.
type Row = (&'static str, &'static str, Value, &'static str);

const A: &str = "node_modules/a";
const D: &str = "node_modules/d";
const O: &str = "node_modules/o";
const INNER: &str = "node_modules/big/node_modules/in";
const HASH: &str = "has the integrity";

/// Hashes that are invalid, too many, or not canonical.
fn hashes() -> Vec<Row> {
    let other = SHA.replace("AAAA", "BBBB");
    let two = format!("{SHA} {other}");
    let sha1 = "sha1-AAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let [loose, short, options, blank] =
        [SHA.replace("AA==", "AB=="), SHA.replacen("AAAA", "", 1), format!("{SHA}?x"), format!(" {SHA}")];
    vec![
        (A, "integrity", json!(""), "no sha512 integrity for `a`"),
        (A, "integrity", json!("x"), "no sha512 integrity for `a`"),
        (A, "integrity", json!(two), HASH),
        (A, "integrity", json!(format!("{sha1} {SHA}")), HASH),
        (A, "integrity", json!(loose), HASH),
        (A, "integrity", json!(short), HASH),
        (A, "integrity", json!(options), HASH),
        (A, "integrity", json!(blank), HASH),
        (A, "integrity", json!(SHA.trim_end_matches('=')), HASH),
        (A, "integrity", json!(SHA.replace("sha512", "SHA512")), "no sha512 integrity"),
        (D, "integrity", Value::Null, HASH),
        (D, "integrity", json!(sha1), HASH),
        (O, "integrity", json!(two), HASH),
        ("node_modules/hidden", "", json!({"version": "1.0.0", "integrity": SHA}), "no package asks for it"),
    ]
}

/// Archives from other places.
fn sources() -> Vec<Row> {
    vec![
        (A, "resolved", json!("git+ssh://git@forge.example.org/a/b.git#0123"), "git repository"),
        (D, "resolved", json!("git+https://forge.example.org/a/b.git#0123"), "git repository"),
        (D, "resolved", json!("github:a/b#0123"), "git repository"),
        (A, "resolved", json!("http://npm.example.org/a/-/a-1.0.0.tgz"), "without TLS"),
        (D, "resolved", json!("http://npm.example.org/d/-/d-1.0.0.tgz"), "without TLS"),
        (D, "resolved", json!("https://elsewhere.example.org/d/-/d-1.0.0.tgz"), "name the registries"),
        (A, "resolved", json!("https://npm.example.org/evil/-/evil-1.0.0.tgz"), "another package or version"),
        (A, "resolved", json!("https://npm.example.org/a/-/a-1.0.1.tgz"), "another package or version"),
        (A, "resolved", json!("https://npm.example.org/a/../b/-/a-1.0.0.tgz"), "`..`"),
        (A, "resolved", json!("https://user@npm.example.org/a/-/a-1.0.0.tgz"), "its host"),
        (A, "resolved", json!("file:/etc/a.tgz"), "file or folder"),
        (A, "resolved", json!("file:../../a.tgz"), "file or folder"),
        (A, "resolved", json!(false), "reading `service/package-lock.json`: "),
        (D, "version", json!("https://elsewhere.example.org/evil.tgz"), "the version `https:"),
        (INNER, "resolved", json!("https://npm.example.org/in/-/in-1.0.0.tgz"), "an archive of its own"),
        ("node_modules/@acme/core", "resolved", json!("../../elsewhere"), "`../../elsewhere`"),
        ("node_modules/@acme/core", "resolved", json!("node_modules/a"), "`node_modules/a`"),
        (D, "dependencies", json!({"both": "git+https://forge.example.org/a/b.git"}), "git repository"),
        (D, "dependencies", json!({"both": "a/b"}), "git repository"),
        (D, "dependencies", json!({"both": "file:../x"}), "file or folder"),
        ("", "devDependencies", json!({"d": "git+ssh://git@forge.example.org/d.git"}), "git repository"),
        (
            "",
            "devDependencies",
            json!({"d": "https://elsewhere.example.org/d.tgz"}),
            "an address of its own, not a version: depend on a published version of it, or commit its archive and write \
             `file:NAME-VERSION.tgz`",
        ),
    ]
}

/// Names, versions, bundles, marks and new entries.
fn shapes() -> Vec<Row> {
    vec![
        (A, "version", json!("9.9.9"), "another package or version"),
        (D, "version", json!("npm:evil@1.0.0"), "the version `npm:"),
        (D, "version", json!("^1.0.0"), "the version `^1.0.0`"),
        (D, "version", json!("1.x.x"), "the version `1.x.x`"),
        (D, "name", json!("x@https://elsewhere.example.org/evil.tgz#"), "the name"),
        (D, "name", json!(".bin"), "the name"),
        (A, "hasShrinkwrap", json!(true), "`hasShrinkwrap`"),
        (D, "hasShrinkwrap", json!(true), "`hasShrinkwrap`"),
        (A, "inBundle", json!(true), "no package around it lists it"),
        ("node_modules/a/node_modules/n", "inBundle", json!(true), "no package around it lists it"),
        (
            A,
            "bundleDependencies",
            json!(["n"]),
            "in `package-lock.json`, `node_modules/a/node_modules/n` lacks `inBundle`",
        ),
        (A, "bundleDependencies", json!(true), "without the names"),
        (A, "bundledDependencies", json!(["n"]), "`bundledDependencies`"),
        (INNER, "inBundle", json!(false), "no integrity for `in`"),
        (INNER, "integrity", json!(SHA), "an archive of its own"),
        (A, "extraneous", json!(true), "`extraneous`"),
        (A, "dev", json!(true), "has the mark `dev` for `node_modules/a`"),
        (O, "dev", json!(true), "has the mark `dev` for `node_modules/o`"),
        (D, "dev", json!(false), "lacks the mark `dev` for `node_modules/d`"),
        (A, "optional", json!(true), "has the mark `optional`"),
        (A, "devOptional", json!(true), "has the mark `optional`"),
        (O, "optional", json!(false), "lacks the mark `optional`"),
        ("node_modules/both", "dev", json!(true), "has the mark `dev` for `node_modules/both`"),
        ("packages/core", "dev", json!(true), "has the mark `dev` for `packages/core`"),
        (A, "dev", json!("true"), "reading `service/package-lock.json`: "),
        ("node_modules/@acme/core", "integrity", json!(SHA), "is a link"),
        (
            D,
            "optionalDependencies",
            json!({"both": "http://elsewhere.example.org/x.tgz"}),
            "an address of its own",
        ),
        ("node_modules/.bin", "version", json!("1.0.0"), "the name `.bin`"),
        ("node_modules/a/lib/x", "version", json!("1.0.0"), "not at a place where npm looks"),
        ("node_modules/a/node_modules", "version", json!("1.0.0"), "not at a place where npm looks"),
    ]
}

#[test]
fn an_entry_that_npm_could_read_in_another_way_is_refused_by_name() {
    let table = [hashes(), sources(), shapes()].concat();
    assert!(table.len() >= 60);
    for (path, field, value, expected) in table {
        let mut lock = honest();
        match field {
            "" => lock["packages"][path] = value.clone(),
            field => lock["packages"][path][field] = value.clone(),
        }
        let messages = messages(&lock).join("\n");
        assert!(
            messages.contains(expected) && (!messages.is_empty() || expected.is_empty()),
            "{path} {field} {value}: expected `{expected}` in: {messages}"
        );
        assert!(
            messages.is_empty()
                || expected.starts_with("reading")
                || ["run ", "delete ", "take ", "depend ", "have ", "name "]
                    .iter()
                    .any(|verb| messages.contains(verb)),
            "{path} {field} {value}: nothing to type in: {messages}"
        );
    }
}

#[test]
fn a_link_inside_of_an_installed_package_is_refused() {
    let mut lock = honest();
    lock["packages"]["node_modules/a/node_modules/n"] = json!({"link": true, "resolved": "packages/core"});
    assert!(
        messages(&lock).join("\n").contains("a link inside of an installed package"),
        "{:?}",
        messages(&lock)
    );
}

#[test]
fn a_duplicate_key_is_refused_and_a_key_in_another_case_is_a_different_one() {
    for twin in ["integrity", "\\u0069ntegrity"] {
        let text = honest().to_string();
        let text = text.replacen("{\"integrity\"", &format!("{{\"{twin}\":\"x\",\"integrity\""), 1);
        let error = format!(
            "{:#}",
            check(honest()["packages"][""].to_string().as_bytes(), text.as_bytes()).err().unwrap()
        );
        assert!(error.contains("twice"), "{error}");
    }
    // Both are packages, and npm tells them apart.
    let mut lock = honest();
    for name in ["JSONStream", "jsonstream"] {
        let path = format!("node_modules/{name}");
        lock["packages"][&path] = json!({"version": "1.0.0", "integrity": SHA});
        lock["packages"][""]["dependencies"][name] = json!("1");
    }
    assert_eq!(messages(&lock), Vec::<String>::new());
}

#[test]
fn a_byte_order_mark_is_skipped_once() {
    let lock = honest();
    let marked = |value: &Value| format!("\u{feff}{value}");
    assert!(check(marked(&lock["packages"][""]).as_bytes(), marked(&lock).as_bytes()).is_ok());
    let twice = format!("\u{feff}{}", marked(&lock));
    assert!(check(lock["packages"][""].to_string().as_bytes(), twice.as_bytes()).is_err());
    let lockfile = check(lock["packages"][""].to_string().as_bytes(), lock.to_string().as_bytes()).unwrap();
    let core = marked(&lock["packages"]["packages/core"]).into_bytes();
    let manifests = BTreeMap::from([("packages/core".to_owned(), core)]);
    assert_eq!(lockfile.problems(&Folder::default(), &manifests).unwrap(), Vec::<String>::new());
}

#[test]
fn more_entries_or_a_deeper_path_than_npm_writes_are_refused() {
    let deep = "node_modules/x/".repeat(65);
    let long = format!("node_modules/{}", "x".repeat(5000));
    for path in [deep.trim_end_matches('/'), &long] {
        let mut lock = honest();
        lock["packages"][path] = json!({});
        assert!(messages(&lock)[0].contains("nested more than 64 deep"), "{:?}", messages(&lock));
    }
    let many: serde_json::Map<_, _> =
        (0..100_001).map(|n| (format!("node_modules/x{n}"), json!({}))).collect();
    let lock = json!({"lockfileVersion": 3, "packages": many}).to_string();
    let error = check(b"{}", lock.as_bytes()).err().unwrap();
    assert!(format!("{error:#}").contains("100001 entries"), "{error:#}");
}

#[test]
fn workspaces_or_optional_peers_unlike_those_of_package_json_are_refused() {
    let mut manifest = honest()["packages"][""].clone();
    manifest["workspaces"] = json!(["other/*"]);
    let error = check(manifest.to_string().as_bytes(), honest().to_string().as_bytes()).err().unwrap();
    assert!(format!("{error:#}").contains("different `workspaces`"), "{error:#}");
    let lock = json!({"lockfileVersion": 3, "packages": {"": {"peerDependencies": {"p": "1"}}}}).to_string();
    let manifest = json!({"peerDependencies": {"p": "1"}, "peerDependenciesMeta": {"p": {"optional": true}}});
    let error = check(manifest.to_string().as_bytes(), lock.as_bytes()).err().unwrap();
    assert!(format!("{error:#}").contains("the peer `p` is optional"), "{error:#}");
}

#[test]
fn one_name_and_version_with_two_archives_is_named() {
    let with = |integrity: &str| {
        let mut lock = honest();
        lock["packages"]["node_modules/o"]["dependencies"]["n"] = "1".into();
        lock["packages"]["node_modules/n"] =
            json!({"version": "1.0.0", "integrity": integrity, "optional": true});
        messages(&lock)
    };
    assert_eq!(with(SHA), Vec::<String>::new());
    let words = "in `package-lock.json`, `node_modules/n` has another integrity than \
                 `node_modules/a/node_modules/n`, with the same name and version: delete `node_modules`";
    let found = with(&SHA.replacen("AAAA", "BBBB", 1));
    assert!(found.len() == 1 && found[0].starts_with(words), "{found:?}");
}
