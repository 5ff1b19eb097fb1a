//! The rules for lockfiles and the installed packages, as tables.

mod bounds;
mod hostile;
mod notes;
mod overrides;
mod peers;
mod platforms;
mod workspaces;

use std::collections::{BTreeMap, BTreeSet};

use super::{Libc, Locked, Target};
use crate::inputs::config::Folder;
use serde_json::{Value, json};

/// A valid hash.
const SHA: &str =
    "sha512-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==";

fn check(manifest: &[u8], lock: &[u8]) -> anyhow::Result<super::Lockfile> {
    super::check(&Folder::default(), manifest, lock)
}

fn manifest() -> Value {
    json!({"name": "service", "dependencies": {"a": "^1.0.0"}, "devDependencies": {"d": "2.0.0"},
        "optionalDependencies": {"alias": "npm:real@^4.0.0"}})
}

fn lock() -> Value {
    json!({"lockfileVersion": 3, "packages": {
        "": {"name": "service", "dependencies": {"a": "^1.0.0"}, "devDependencies": {"d": "2.0.0"},
        "optionalDependencies": {"alias": "npm:real@^4.0.0"}},
        "node_modules/a": {"version": "1.2.0", "integrity": SHA, "dependencies": {"@s/b": "*"}},
        "node_modules/a/node_modules/@s/b": {"version": "3.0.0", "integrity": SHA},
        "node_modules/alias": {"name": "real", "version": "4.0.0", "integrity": SHA, "optional": true},
        "node_modules/d": {"version": "2.0.0", "integrity": SHA, "dev": true},
    }})
}

fn run(manifest: &Value, lock: &Value) -> anyhow::Result<Vec<String>> {
    let lockfile = check(manifest.to_string().as_bytes(), lock.to_string().as_bytes())?;
    let installed = lockfile.installed(&Target::new(&"linux/amd64".to_owned().try_into()?, Libc::Glibc)?)?;
    let mut packages: Vec<_> =
        installed.values().map(|package| format!("{}@{}", package.name, package.version)).collect();
    packages.sort();
    Ok(packages)
}

#[test]
fn the_production_set_has_nested_scoped_and_aliased_packages_but_no_dev_ones() {
    assert_eq!(run(&manifest(), &lock()).unwrap(), ["@s/b@3.0.0", "a@1.2.0", "real@4.0.0"]);
}

#[test]
fn a_lockfile_that_disagrees_with_package_json_or_pins_no_bytes_is_refused() {
    type Change = fn(&mut Value, &mut Value);
    let cases: [(Change, &str); 8] = [
        (|m, _| m["dependencies"]["a"] = "^1.1.0".into(), "ask for `^1.1.0` of `a`"),
        (|m, _| m["dependencies"]["new"] = "1".into(), "of `new`"),
        (|m, _| m["dependencies"] = json!({}), "the dependencies of the lockfile have `a`"),
        (|m, _| m["devDependencies"]["d"] = "2.0.1".into(), "devDependencies"),
        (|_, l| l["lockfileVersion"] = 1.into(), "format 1"),
        (
            |_, l| l["packages"]["node_modules/a"]["integrity"] = Value::Null,
            "no integrity for `a` 1.2.0, so what is installed could change: delete `node_modules` and `package-lock.json`",
        ),
        (
            |_, l| {
                l["packages"]["node_modules/a"] = json!({"version": "1.2.0", "resolved": "git+ssh://git@forge.example.org/acme/a.git#0123abcd"});
            },
            "no integrity for `a` 1.2.0, so what is installed could change: it comes from git",
        ),
        (
            |_, l| l["packages"]["node_modules/a"]["integrity"] = "sha1-x".into(),
            "no sha512 integrity for `a`",
        ),
    ];
    for (change, expected) in cases {
        let (mut manifest, mut lock) = (manifest(), lock());
        change(&mut manifest, &mut lock);
        let error = run(&manifest, &lock).unwrap_err();
        assert_eq!(crate::process::failure::exit_code(&error), 3, "{error:#}");
        assert!(format!("{error:#}").contains(expected), "expected `{expected}` in: {error:#}");
    }
}

/// Lockfiles that npm wrote, without addresses, and the folders that existed after npm 10.9.4 and 11.19.1 ran
/// `npm ci --omit=dev --ignore-scripts --os=linux --cpu=… --libc=…` with each.
const RECORDED: [(&str, &str); 7] = [
    ("aliases-and-dev", include_str!("fixtures/aliases-and-dev.json")),
    ("bundled", include_str!("fixtures/bundled.json")),
    ("dev-shares-production", include_str!("fixtures/dev-shares-production.json")),
    ("native", include_str!("fixtures/native.json")),
    ("peers", include_str!("fixtures/peers.json")),
    ("two-tables", include_str!("fixtures/two-tables.json")),
    ("workspaces", include_str!("fixtures/workspaces.json")),
];

fn target(cpu: &str, libc: &str) -> Target {
    let libc = if libc == "musl" { Libc::Musl } else { Libc::Glibc };
    Target { os: "linux".to_owned(), cpu: cpu.to_owned(), libc }
}

#[test]
fn each_npm_installs_for_each_platform_what_the_lockfile_implies() {
    for (name, text) in RECORDED {
        let recorded: Value = serde_json::from_str(text).unwrap();
        let lock = json!({"lockfileVersion": recorded["lockfileVersion"], "packages": recorded["packages"]});
        let lockfile =
            check(recorded["manifest"].to_string().as_bytes(), lock.to_string().as_bytes()).unwrap();
        for (run, found) in recorded["found"].as_object().unwrap() {
            let words: Vec<_> = run.split(' ').collect();
            let target = target(words[2], words[3]);
            let found: BTreeSet<String> = serde_json::from_value(found.clone()).unwrap();
            let installed: BTreeSet<_> = lockfile.installed(&target).unwrap().into_keys().collect();
            let tolerated: BTreeSet<_> = lockfile.tolerated(&target).unwrap().into_keys().collect();
            let missing: Vec<_> = installed.difference(&found).collect();
            assert!(missing.is_empty(), "{name}, {run}: npm did not install {missing:?}");
            let loose = lockfile.loose(&Folder::default());
            assert!(loose.is_empty(), "{name}: {loose:?}");
            let marks = lockfile.wrong_marks(&Folder::default(), false);
            assert!(marks.is_empty(), "{name}: {marks:?}");
            let extra: Vec<_> =
                found.difference(&installed).filter(|path| !tolerated.contains(*path)).collect();
            assert!(extra.is_empty(), "{name}, {run}: npm installed {extra:?} as well");
        }
    }
}

/// Path, name, version and whether it is optional, as text.
fn listed(lock: &Value, target: &Target) -> anyhow::Result<Vec<String>> {
    let manifest = lock["packages"][""].to_string();
    let installed = check(manifest.as_bytes(), lock.to_string().as_bytes())?.installed(target)?;
    let text = |(path, locked): (String, Locked)| {
        let optional = if locked.optional { " optional" } else { "" };
        let local = if locked.local { " local" } else { "" };
        format!("{path} {}@{}{optional}{local}", locked.name, locked.version)
    };
    Ok(installed.into_iter().map(text).collect())
}

#[test]
fn a_package_is_found_from_where_it_is_needed_and_listed_by_its_own_name() {
    let lock = json!({"lockfileVersion": 2, "packages": {
        "": {"workspaces": ["packages/*"], "dependencies": {"a": "1", "old": "npm:@s/real@1"},
             "optionalDependencies": {"b": "1"}, "devDependencies": {"tool": "file:tool"}},
        "node_modules/a": {"version": "1.0.0", "integrity": SHA, "dependencies": {"b": "2"}},
        "node_modules/a/node_modules/b": {"version": "2.0.0", "integrity": SHA, "dev": true},
        "node_modules/b": {"version": "1.0.0", "integrity": SHA, "dependencies": {"c": "1"}},
        "node_modules/c": {"version": "1.0.0", "integrity": SHA},
        "node_modules/old": {"name": "@s/real", "version": "1.0.0", "integrity": SHA},
        "node_modules/@acme/core": {"resolved": "packages/core", "link": true},
        "packages/core": {"name": "@acme/core", "version": "0.1.0", "dependencies": {"c": "1", "d": "1"}},
        "packages/core/node_modules/d": {"version": "1.0.0", "integrity": SHA},
        "node_modules/tool": {"resolved": "tool", "link": true},
        "tool": {"dependencies": {"e": "1"}},
        "node_modules/e": {"version": "1.0.0", "integrity": SHA},
    }});
    assert_eq!(
        listed(&lock, &target("x64", "glibc")).unwrap(),
        [
            "node_modules/a a@1.0.0",
            "node_modules/a/node_modules/b b@2.0.0",
            "node_modules/b b@1.0.0 optional",
            "node_modules/c c@1.0.0",
            "node_modules/old @s/real@1.0.0",
            "packages/core @acme/core@0.1.0 local",
            "packages/core/node_modules/d d@1.0.0",
        ]
    );
}

#[test]
fn a_required_package_that_does_not_fit_the_platform_is_refused_by_name() {
    let mut lock = json!({"lockfileVersion": 3, "packages": {
        "": {"dependencies": {"a": "1"}},
        "node_modules/a": {"version": "1.0.0", "integrity": SHA, "optionalDependencies": {"b": "1"}},
        "node_modules/b": {"version": "1.0.0", "integrity": SHA, "dependencies": {"c": "1", "d": "1"}},
        "node_modules/c": {"version": "1.0.0", "integrity": SHA, "cpu": ["!arm64"]},
        "node_modules/d": {"version": "1.0.0", "integrity": SHA},
    }});
    assert_eq!(listed(&lock, &target("x64", "glibc")).unwrap().len(), 4);
    assert_eq!(listed(&lock, &target("arm64", "glibc")).unwrap(), ["node_modules/a a@1.0.0"]);
    lock["packages"]["node_modules/a"]["dependencies"] = json!({"c": "1"});
    let error = listed(&lock, &target("arm64", "glibc")).unwrap_err();
    assert_eq!(crate::process::failure::exit_code(&error), 3, "{error:#}");
    assert!(format!("{error:#}").contains("`node_modules/c`"), "{error:#}");
}

#[test]
fn a_dangling_link_or_dependency_or_an_unusual_path_is_refused() {
    for (path, entry, expected) in [
        ("node_modules/a", json!({"resolved": "elsewhere", "link": true}), "`elsewhere`"),
        ("node_modules/a", json!({"link": true, "resolved": "node_modules/a"}), "`node_modules/a`"),
        ("node_modules/../a", json!({}), "not a plain path"),
        ("/a", json!({}), "not a plain path"),
        ("node_modules/b", json!({"version": "1.0.0"}), "no entry for `a`"),
    ] {
        let mut lock = json!({"lockfileVersion": 3, "packages": {"": {"dependencies": {"a": "1"}}}});
        lock["packages"][path] = entry;
        let error = format!("{:#}", listed(&lock, &target("x64", "glibc")).unwrap_err());
        assert!(error.contains(expected), "expected `{expected}` in: {error}");
    }
}

#[test]
fn a_local_folder_is_compared_with_its_own_package_json() {
    let lock = json!({"lockfileVersion": 3, "packages": {
        "": {"workspaces": ["packages/*"]},
        "node_modules/core": {"resolved": "packages/core", "link": true},
        "packages/core": {"name": "core", "dependencies": {"a": "^1.0.0"}},
        "node_modules/a": {"version": "1.0.0", "integrity": SHA},
    }});
    let service = Folder::default();
    let bytes = lock.to_string();
    let lockfile = check(br#"{"workspaces": ["packages/*"]}"#, bytes.as_bytes()).unwrap();
    let [(folder, path)] = &lockfile.local_manifests(&service).unwrap()[..] else { panic!() };
    assert_eq!((folder.as_str(), path.as_str()), ("packages/core", "service/packages/core/package.json"));
    for (range, expected) in [("^1.0.0", 0), ("^1.1.0", 1)] {
        let manifest = json!({"name": "core", "dependencies": {"a": range}}).to_string();
        let manifests = [(folder.clone(), manifest.into_bytes())].into();
        let problems = lockfile.problems(&service, &manifests).unwrap();
        assert_eq!(problems.len(), expected, "{problems:?}");
    }
}

#[test]
fn a_folder_outside_of_the_repository_is_refused() {
    let lock = |folder: &str| json!({"lockfileVersion": 3, "packages": {"": {}, folder: {}}}).to_string();
    let path =
        |folder: &str| check(b"{}", lock(folder).as_bytes()).unwrap().local_manifests(&Folder::default());
    assert_eq!(path("../shared").unwrap()[0].1, "shared/package.json");
    assert!(path("../../shared").unwrap_err().to_string().contains("outside of the repository"));
}

#[test]
fn a_folder_whose_dependencies_npm_does_not_install_is_refused_with_a_remedy() {
    let words = "make both workspaces of a `package.json` above them and write `service = \".\"`, or commit the archive of `npm pack`";
    for shared in [
        json!({"../shared": {"dependencies": {"ms": "2"}},
            "node_modules/shared": {"resolved": "../shared", "link": true}}),
        // With `install-links`.
        json!({"node_modules/shared": {"version": "1.0.0", "resolved": "file:../shared"}}),
    ] {
        let mut packages = shared;
        packages[""] = json!({"dependencies": {"shared": "file:../shared"}});
        let lock = json!({"lockfileVersion": 3, "packages": packages});
        let error = format!("{:#}", listed(&lock, &target("x64", "glibc")).unwrap_err());
        assert!(error.contains(words) && !error.contains("npm install"), "{error}");
    }
}

#[test]
fn a_dependency_that_is_also_a_development_dependency_is_named() {
    let lock = json!({"lockfileVersion": 3, "packages": {
        "": {"dependencies": {"a": "1"}, "devDependencies": {"a": "1"}},
        "node_modules/a": {"version": "1.0.0", "integrity": SHA, "dev": true},
    }});
    let lockfile = check(lock["packages"][""].to_string().as_bytes(), lock.to_string().as_bytes()).unwrap();
    let problems = lockfile.problems(&Folder::default(), &BTreeMap::new()).unwrap();
    assert!(problems[0].contains("`a` in `devDependencies` as well"), "{problems:?}");
}

#[test]
fn a_peer_that_npm_marks_as_a_tool_is_optional() {
    let mut lock = json!({"lockfileVersion": 3, "packages": {
        "": {"dependencies": {"a": "1"}, "devDependencies": {"p": "1"}},
        "node_modules/a": {"version": "1.0.0", "integrity": SHA, "peerDependencies": {"p": "1"}},
        "node_modules/p": {"version": "1.0.0", "integrity": SHA, "dev": true},
    }});
    let target = target("x64", "glibc");
    assert_eq!(
        listed(&lock, &target).unwrap(),
        ["node_modules/a a@1.0.0", "node_modules/p p@1.0.0 optional"]
    );
    lock["packages"]["node_modules/p"]["dev"] = json!(false);
    assert_eq!(listed(&lock, &target).unwrap(), ["node_modules/a a@1.0.0", "node_modules/p p@1.0.0"]);
}

#[test]
fn an_optional_peer_is_installed_if_something_else_brings_it_even_a_tool() {
    let mut lock = json!({"lockfileVersion": 3, "packages": {
        "": {"dependencies": {"a": "1"}, "devDependencies": {"p": "1"}},
        "node_modules/a": {"version": "1.0.0", "integrity": SHA,
            "peerDependencies": {"p": "1"}, "peerDependenciesMeta": {"p": {"optional": true}}},
        "node_modules/p": {"version": "1.0.0", "integrity": SHA, "devOptional": true},
    }});
    assert_eq!(
        listed(&lock, &target("x64", "glibc")).unwrap(),
        ["node_modules/a a@1.0.0", "node_modules/p p@1.0.0 optional"]
    );
    lock["packages"][""]["devDependencies"] = json!({});
    assert_eq!(listed(&lock, &target("x64", "glibc")).unwrap(), ["node_modules/a a@1.0.0"]);
}
