//! Packages that exist separately for each platform.

use super::{SHA, check, target};
use crate::inputs::config::Folder;
use serde_json::{Value, json};

#[test]
fn an_optional_package_without_an_entry_for_a_released_platform_is_named() {
    let lock = json!({"lockfileVersion": 3, "packages": {
        "": {"dependencies": {"rollupish": "1"}},
        "node_modules/rollupish": {"version": "1.0.0", "integrity": SHA,
            "optionalDependencies": {"@r/linux-x64": "1", "@r/linux-arm64": "1", "@r/darwin-arm64": "1"}},
        "node_modules/@r/linux-x64": {"version": "1.0.0", "integrity": SHA, "cpu": ["x64"], "optional": true},
    }});
    let lockfile = check(lock["packages"][""].to_string().as_bytes(), lock.to_string().as_bytes()).unwrap();
    let targets = [target("x64", "glibc"), target("arm64", "glibc")];
    let problems = lockfile.unlocked(&Folder::default(), &targets);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0].contains("`@r/linux-arm64`") && problems[0].contains("delete `node_modules`"),
        "{problems:?}"
    );
}

#[test]
fn a_lockfile_without_libc_is_reported_if_npm_would_install_both() {
    let recorded: Value = serde_json::from_str(include_str!("../fixtures/native.json")).unwrap();
    let problem = |packages: &Value, libc: &str| {
        let lock = json!({"lockfileVersion": 3, "packages": packages}).to_string();
        let lockfile = check(recorded["manifest"].to_string().as_bytes(), lock.as_bytes()).unwrap();
        let targets = [target("x64", libc), target("arm64", libc)];
        lockfile.without_libc(&Folder::default(), &targets).unwrap()
    };
    let good = &recorded["packages"];
    assert_eq!((problem(good, "glibc"), problem(good, "musl")), (None, None));
    let mut old = good.clone();
    for entry in old.as_object_mut().unwrap().values_mut() {
        entry.as_object_mut().unwrap().remove("libc");
    }
    for (libc, named) in [("glibc", "linuxmusl-x64`"), ("musl", "`node_modules/@img/sharp-linux-x64`")] {
        let found = problem(&old, libc).unwrap();
        assert!(found.contains(named) && found.contains("written by an npm before 11.11"), "{found}");
        assert!(
            found.contains("run `npx npm@11 install` there, then try `npx npm@10 ci --dry-run`"),
            "{found}"
        );
    }
}
