//! Rules of this repository as tests. A failure says which command to run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use xshell::cmd;
use xtask::process::Runner;
use xtask::process::environment::Environment;

/// How many crates xtask may depend on. See `docs/decisions/` before raising it.
const MAX_CRATES: usize = 40;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is below the workspace").to_owned()
}

fn runner() -> Runner {
    Runner::new(&Environment::from_process())
}

#[test]
fn the_tree_of_xtask_has_at_most_forty_crates() {
    let runner = runner();
    let sh = runner.shell().unwrap();
    let tree = cmd!(sh, "cargo tree --package xtask --edges normal --prefix none --locked --offline");
    let text = runner.call(tree).dir(&root()).read().unwrap();
    let crates: BTreeSet<_> = text.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    assert!(crates.len() <= MAX_CRATES, "{} crates:\n{crates:#?}", crates.len());
    for heavy in ["tokio", "rustls", "openssl", "native-tls", "async-std", "reqwest"] {
        assert!(!crates.iter().any(|name| name.starts_with(heavy)), "`{heavy}` brings TLS or async");
    }
}

#[test]
fn this_repository_passes_its_own_check() {
    xtask::commands::check::check(&runner(), &root()).unwrap();
}

#[test]
fn the_lockfile_does_not_name_where_packages_were_downloaded_from() {
    let lockfile = std::fs::read_to_string(root().join("service/package-lock.json")).unwrap();
    assert!(
        !lockfile.contains("\"resolved\""),
        "run `npm install --package-lock-only --omit-lockfile-registry-resolved`"
    );
}

#[test]
fn commands_rs_and_main_rs_stay_short() {
    let contents = std::fs::read_to_string(root().join("xtask/src/commands.rs")).unwrap();
    assert!(
        contents.lines().count() <= 90,
        "`commands.rs` has more than 90 lines: move code to the command's own file"
    );
    let main = std::fs::read_to_string(root().join("xtask/src/main.rs")).unwrap();
    assert!(main.lines().count() <= 10, "`main.rs` is what every repository that uses this tool has");
}
