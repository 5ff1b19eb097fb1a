//! A small lockfile, and images with its packages.

use super::super::archive::tests::{entry, file};
use super::super::image::Contents;
use super::super::image::tests::manifest;
use super::super::layer::tests::facts;
use super::{check, without_binaries};
use crate::inputs::config::{Dependencies, Folder};
use crate::inputs::lockfile::{self, Lockfile};
use serde_json::json;

/// A service with a nested, an aliased, a scoped, an optional and a local package, and with a development dependency.
pub(crate) fn lockfile() -> Lockfile {
    let manifest = json!({
        "name": "service", "dependencies": {"a": "1", "old": "npm:real@4", "@acme/core": "*"},
        "devDependencies": {"d": "2"}, "optionalDependencies": {"o": "1"}, "workspaces": ["packages/*"],
    });
    let mut root = manifest.clone();
    root["version"] = "0.0.0".into();
    let lock = json!({"lockfileVersion": 3, "name": "service", "packages": {
        "": root,
        "node_modules/a": {"version": "1.2.0", "integrity": "sha512-YQ==", "dependencies": {"@s/b": "3"}},
        "node_modules/@s/b": {"version": "2.0.0", "integrity": "sha512-Yg==", "dev": true},
        "node_modules/a/node_modules/@s/b": {"version": "3.0.0", "integrity": "sha512-Yw=="},
        "node_modules/old": {"name": "real", "version": "4.0.0", "integrity": "sha512-ZA=="},
        "node_modules/d": {"version": "2.0.0", "integrity": "sha512-ZQ==", "dev": true, "dependencies": {"@s/b": "2"}},
        "node_modules/o": {"version": "1.0.0", "integrity": "sha512-Zg==", "optional": true},
        "node_modules/@acme/core": {"resolved": "packages/core", "link": true},
        "packages/core": {"name": "@acme/core", "version": "1.0.0"},
    }});
    let (manifest, lock) = (manifest.to_string(), lock.to_string());
    lockfile::check(&Folder::default(), manifest.as_bytes(), lock.as_bytes()).unwrap()
}

pub(crate) fn whole() -> Vec<Vec<u8>> {
    vec![
        manifest("srv/app", "service", "0.0.0"),
        manifest("srv/app/node_modules/a", "a", "v1.2.0"),
        manifest("srv/app/node_modules/a/node_modules/@s/b", "@s/b", "3.0.0"),
        manifest("srv/app/node_modules/a/test/node_modules/inside", "inside", "9.0.0"),
        manifest("srv/app/node_modules/old", "real", "4.0.0"),
        manifest("srv/app/node_modules/o", "o", "1.0.0"),
        manifest("srv/app/packages/core", "@acme/core", "1.0.0"),
        entry(b'2', "srv/app/node_modules/@acme/core", "../../packages/core", b""),
    ]
}

pub(crate) fn contents(entries: &[Vec<u8>]) -> Contents {
    let base = facts(&[
        manifest("usr/local/lib/node_modules/npm", "npm", "10.0.0"),
        manifest("usr/local/lib/node_modules/npm/node_modules/d", "d", "2.0.0"),
    ]);
    Contents::of("linux/amd64", &[base, facts(entries)], Some(1), None).unwrap()
}

fn judge(entries: &[Vec<u8>], dependencies: Dependencies) -> Result<usize, String> {
    let held = check(&contents(entries), &lockfile(), dependencies);
    held.map(|held| held.locked.len()).map_err(|error| format!("{error:#}"))
}

#[test]
fn required_packages_of_the_lockfile_must_be_in_the_image() {
    assert_eq!(judge(&whole(), Dependencies::Installed), Ok(5));
    let without = |path: &str| {
        let all = whole().into_iter();
        all.filter(|entry| !entry.starts_with(format!("{path}/package.json").as_bytes())).collect::<Vec<_>>()
    };
    assert_eq!(judge(&without("srv/app/node_modules/o"), Dependencies::Installed), Ok(4), "it is optional");
    let error =
        judge(&without("srv/app/node_modules/a/node_modules/@s/b"), Dependencies::Installed).unwrap_err();
    assert!(error.contains("missing `@s/b` 3.0.0 (`node_modules/a/node_modules/@s/b`)"), "{error}");
}

#[test]
fn packages_in_excess_are_named_with_the_command_to_use() {
    let cases = [
        (manifest("srv/app/node_modules/d", "d", "2.0.0"), "`d` 2.0.0 (`srv/app/node_modules/d`)"),
        (manifest("srv/app/node_modules/a", "a", "1.2.1"), "missing `a` 1.2.0"),
        (manifest("srv/app/node_modules/a", "another", "1.2.0"), "`another` 1.2.0"),
        (manifest("usr/local/lib/node_modules/pm2", "pm2", "5.0.0"), "`pm2` 5.0.0"),
        (file("srv/app/node_modules/x/package.json", b"{}"), "`without a name` without a version"),
    ];
    for (extra, expected) in cases {
        // A header begins with the path, of at most 100 bytes.
        let others = whole().into_iter().filter(|entry| entry[..100] != extra[..100]);
        let all: Vec<_> = others.chain([extra.clone()]).collect();
        let error = judge(&all, Dependencies::Installed).unwrap_err();
        assert!(error.contains(expected), "expected `{expected}` in: {error}");
        assert!(error.contains("`npm ci --omit=dev --os=linux --cpu=x64 --libc=glibc`"), "{error}");
        assert!(!error.contains("bundle"), "{error}");
    }
}

#[test]
fn a_bundled_service_needs_the_setting_and_lists_the_lockfiles_packages() {
    let bundle = [file("srv/app/main.js", b"")];
    let error = judge(&bundle, Dependencies::Installed).unwrap_err();
    assert!(
        error.contains("no `node_modules` at all: if a bundler")
            && error.contains("`dependencies = \"bundled\"`"),
        "{error}"
    );
    // Such as Next.js with `output: "standalone"`, which copies a part of `node_modules`.
    let part = [manifest("srv/app/node_modules/o", "o", "1.0.0")];
    let error = judge(&part, Dependencies::Installed).unwrap_err();
    assert!(error.contains("most packages are missing: if a bundler"), "{error}");
    assert_eq!(judge(&part, Dependencies::Bundled), Ok(1));
    let held = check(&contents(&bundle), &lockfile(), Dependencies::Bundled).unwrap();
    let mut names: Vec<_> = held.bundled.iter().map(|locked| locked.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["@acme/core", "@s/b", "a", "o", "real"]);
    let dev = [manifest("srv/app/node_modules/d", "d", "2.0.0")];
    let error = judge(&dev, Dependencies::Bundled).unwrap_err();
    assert!(
        error.contains("in excess `d` 2.0.0")
            && error.contains("; move what is in excess to `dependencies`, or"),
        "packages that are installed must be in the lockfile here as well: {error}"
    );
    assert!(!error.contains("npm ci"), "{error}");
}

#[test]
fn packages_in_directories_of_other_package_managers_are_compared_too() {
    let link = |path: &str, target: &str| entry(b'2', &format!("srv/app/node_modules/{path}"), target, b"");
    let package = |path: &str, name: &str, version: &str| {
        manifest(&format!("srv/app/node_modules/{path}"), name, version)
    };
    let with = |more: Vec<Vec<u8>>| {
        let kept = |entry: &&Vec<u8>| !String::from_utf8_lossy(entry).contains("node_modules/old/");
        let entries: Vec<_> = whole().iter().filter(kept).cloned().chain(more).collect();
        judge(&entries, Dependencies::Installed)
    };
    let old = || package("old", "real", "4.0.0");
    let whole = with(vec![old()]);
    assert!(whole.is_ok(), "{whole:?}");
    for moved in [
        vec![
            package(".store/old@4/node_modules/old", "real", "4.0.0"),
            link("old", ".store/old@4/node_modules/old"),
        ],
        vec![package(".nitro/old@4", "real", "4.0.0"), link("old", ".nitro/old@4")],
    ] {
        assert_eq!(with(moved), whole);
    }
    for (more, path) in [
        (
            vec![package(".store/evil@1/node_modules/evil", "evil", "1.0.0")],
            ".store/evil@1/node_modules/evil",
        ),
        (vec![package(".nf3/evil@1", "evil", "1.0.0"), link("evil", ".nf3/evil@1")], ".nf3/evil@1"),
    ] {
        let error = with([vec![old()], more].concat()).unwrap_err();
        assert!(error.contains("in excess `evil` 1.0.0") && error.contains(path), "{error}");
    }
    // Without a link to it, a package is a file like any other.
    assert_eq!(with(vec![old(), package(".cache/x", "x", "1.0.0")]), whole);
}

#[test]
fn an_image_without_any_package_for_its_processor_is_reported() {
    let root = json!({"dependencies": {"sharp": "1"}});
    let native =
        |cpu: &str| json!({"version": "1.0.0", "integrity": "sha512-YQ==", "cpu": [cpu], "optional": true});
    let lock = json!({"lockfileVersion": 3, "packages": {
        "": root,
        "node_modules/sharp": {"version": "1.0.0", "integrity": "sha512-YQ==", "optionalDependencies":
            {"sharp-linux-x64": "1", "sharp-linux-arm64": "1", "libvips-linux-x64": "1"}},
        "node_modules/sharp-linux-x64": native("x64"),
        "node_modules/libvips-linux-x64": native("x64"),
        "node_modules/sharp-linux-arm64": native("arm64"),
    }});
    let (root, lock) = (root.to_string(), lock.to_string());
    let lockfile = lockfile::check(&Folder::default(), root.as_bytes(), lock.as_bytes()).unwrap();
    let wrong = |packages: &[&str], dependencies| {
        let packages: Vec<_> = packages
            .iter()
            .map(|name| manifest(&format!("app/node_modules/{name}"), name, "1.0.0"))
            .collect();
        without_binaries(&contents(&packages), &lockfile, dependencies).unwrap()
    };
    let words = wrong(&["sharp"], Dependencies::Installed).unwrap();
    for expected in
        ["`linux/amd64`", "`node_modules/sharp-linux-x64`", "`npm ci --omit=dev --os=linux --cpu=x64"]
    {
        assert!(words.contains(expected), "expected `{expected}` in: {words}");
    }
    // One of them is enough: a person may have removed the others from the image.
    for there in [&["sharp", "sharp-linux-x64"][..], &["sharp", "sharp-linux-x64", "libvips-linux-x64"]] {
        assert_eq!(wrong(there, Dependencies::Installed), None, "{there:?}");
    }
    assert_eq!(wrong(&["sharp"], Dependencies::Bundled), None);
}
