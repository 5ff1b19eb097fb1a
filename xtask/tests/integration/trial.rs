//! What preflight requires of a builder. A script in place of docker acts as builders that none of our machines has:
//! one without source policies, and one that answers only at the second attempt.

#![expect(clippy::unwrap_used, reason = "what a test sets up must work")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use xtask::process::Runner;
use xtask::process::environment::Environment;
use xtask::process::temp_dir::TempDir;
use xtask::tool::docker::{Docker, DockerConfig};

/// The output of a builder that denies the requested source if it is given a policy.
const DENIES: &str = "cat > /dev/null; grep -q '\"action\":\"DENY\"' \"$EXPERIMENTAL_BUILDKIT_SOURCE_POLICY\" || exit 0\n\
    echo 'ERROR: source \"https://denied.invalid/\" denied by policy: source denied by policy' >&2; exit 1\n";

/// The result for a docker that runs `script`, and how often it was started.
fn said(script: &str) -> (Result<(), String>, usize) {
    let scratch = TempDir::new().unwrap();
    let (program, starts) = (scratch.path().join("docker"), scratch.path().join("starts"));
    fs::write(&program, format!("#!/bin/sh\necho x >> {}\n{script}", starts.display())).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let path = Environment::from_process().get("PATH").unwrap().unwrap_or_default().to_owned();
    let environment = Environment::from_pairs([("PATH", format!("{}:{path}", scratch.path().display()))]);
    let (runner, config) = (Runner::new(&environment), DockerConfig::new(&environment, None).unwrap());
    let found = Docker::new(&runner, &config).check_denial("").map_err(|error| format!("{error:#}"));
    (found, fs::read_to_string(starts).unwrap().lines().count())
}

#[test]
fn a_builder_must_deny_what_a_policy_denies() {
    assert_eq!(said(DENIES), (Ok(()), 1));
    let (found, starts) = said("cat > /dev/null; exit 0\n");
    assert!(found.unwrap_err().contains("fetched `https://denied.invalid/`"));
    assert_eq!(starts, 2);
    let (found, _) = said("cat > /dev/null; echo 'ERROR: no such host' >&2; exit 1\n");
    assert!(found.unwrap_err().contains("asking the builder for a source that it has to deny"));
}

#[test]
fn a_transient_failure_is_not_taken_for_a_builder_without_policies() {
    let once = format!("[ $(wc -l < $(dirname $0)/starts) = 1 ] && exit 1\n{DENIES}");
    assert_eq!(said(&once), (Ok(()), 2));
}
