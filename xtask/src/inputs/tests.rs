//! What the worked services pin.

use std::path::Path;

use super::Inputs;
use crate::inputs::config::Config;
use crate::process::failure::exit_code;

/// The configuration of a service at the top of its repository.
fn config(native: &str) -> Config {
    let manifest = format!(
        "[workspace.metadata.release]\nforge = \"https://forge.example.org\"\nrepository = \"acme/carol\"\n\
         title = \"t\"\ndescription = \"d\"\nlicenses = \"MIT\"\nservice = \".\"\n\
         platforms = [\"linux/amd64\", \"linux/arm64\"]\nbranches = [\"main\"]\n\
         [workspace.metadata.release.smoke]\nport = 3000\nhealth = \"/healthz\"\nversion = \"/version\"\n{native}"
    );
    let dir = crate::process::temp_dir::TempDir::new().unwrap();
    std::fs::write(dir.path().join("Cargo.toml"), manifest).unwrap();
    Config::of_work_tree(dir.path()).unwrap()
}

fn worked(name: &str, native: &str) -> Inputs {
    worked_with(name, native, &[])
}

/// As [`worked`], with the empty files `more` at the top.
fn worked_with(name: &str, native: &str, more: &[&str]) -> Inputs {
    let more: Vec<_> = more.iter().map(|path| (*path, "")).collect();
    worked_with_files(name, native, &more)
}

/// As [`worked`], with the files `more`, each with its content.
fn worked_with_files(name: &str, native: &str, more: &[(&str, &str)]) -> Inputs {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testbed/services").join(name);
    let file = |path: &String| {
        let given = more.iter().find(|(given, _)| given == path).map(|(_, text)| text.as_bytes().to_vec());
        given.or_else(|| std::fs::read(root.join(path)).ok())
    };
    let read = |paths: &[String]| Ok(paths.iter().map(file).collect());
    Inputs::read(&config(native), &read).unwrap()
}

fn archives() -> String {
    let archive = |(platform, cpu): (&str, &str)| {
        let name = format!("better-sqlite3-v12.4.1-node-v127-linux-{cpu}.tar.gz");
        format!(
            "[[workspace.metadata.release.native]]\npackage = \"better-sqlite3\"\nplatform = \"{platform}\"\n\
             url = \"https://archives.example.org/{name}\"\nsha256 = \"{}\"\n",
            "0".repeat(64)
        )
    };
    [("linux/amd64", "x64"), ("linux/arm64", "arm64")].map(archive).concat()
}

#[test]
fn the_committed_key_is_the_placeholder() {
    let committed = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../cosign.pub")).unwrap();
    assert!(
        super::is_placeholder(&committed),
        "remove `PLACEHOLDER_KEY`, and what the documentation says about it"
    );
    assert!(!super::is_placeholder(b""));
}

#[test]
fn the_worked_services_keep_every_rule() {
    let sharp = "[[workspace.metadata.release.native]]\npackage = \"sharp\"\nscript = \"unneeded\"\n";
    for (name, native) in [("typescript", String::new()), ("native", format!("{sharp}{}", archives()))] {
        let inputs = worked(name, &native);
        assert!(inputs.ensure_kept().is_ok(), "{name}: {:?}", inputs.problems);
        assert_eq!(inputs.package_lock().unwrap().0, "package-lock.json");
    }
}

#[test]
fn a_policy_that_buildx_would_interpret_is_neither_released_nor_built() {
    let inputs = worked_with("typescript", "", &["Dockerfile.rego"]);
    assert_eq!(inputs.problems.len(), 1, "{:?}", inputs.problems);
    for error in [inputs.ensure_kept().unwrap_err(), inputs.ensure_inert().unwrap_err()] {
        assert_eq!(exit_code(&error), 3);
        assert!(error.to_string().contains("`Dockerfile.rego` is a policy that buildx"), "{error}");
    }
    assert!(worked_with("typescript", "", &["policy.rego"]).ensure_kept().is_ok());
    assert!(worked("native", &archives()).ensure_inert().is_ok(), "the other rules are only about a release");
}

#[test]
fn a_secret_in_the_npmrc_is_refused_and_not_repeated() {
    let settings = |value: &str| format!("audit=false\n//npm.example.org/:_authToken={value}\n");
    let read = |text: &str| worked_with_files("typescript", "", &[(".npmrc", text)]).ensure_kept();
    let error = read(&settings("abcdef")).unwrap_err().to_string();
    assert!(error.contains("line 2 has the secret itself after `_authToken`"), "{error}");
    assert!(!error.contains("abcdef"), "{error}");
    assert!(read(&settings("${NPM_TOKEN}")).is_ok());
}

#[test]
fn a_lockfile_that_npm_prefers_to_ours_is_refused() {
    let inputs = worked_with("typescript", "", &["npm-shrinkwrap.json"]);
    let error = inputs.ensure_kept().unwrap_err().to_string();
    assert!(error.contains("npm reads `npm-shrinkwrap.json` in place of `package-lock.json`"), "{error}");
    assert!(error.contains("`git rm npm-shrinkwrap.json`"), "{error}");
    assert!(worked_with("typescript", "", &["web/npm-shrinkwrap.json"]).ensure_kept().is_ok());
}

#[test]
fn a_package_with_an_undecided_install_script_is_refused_by_name() {
    let inputs = worked("native", &archives());
    let error = inputs.ensure_kept().unwrap_err();
    assert_eq!(exit_code(&error), 3);
    assert!(error.to_string().starts_with("`sharp` 0.34.4 brings an install script"), "{error}");
    assert_eq!(inputs.problems.len(), 1, "{:?}", inputs.problems);
}
