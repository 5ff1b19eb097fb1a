//! The network of a smoke test. A script in place of docker acts as an engine that none of our machines has, and as
//! one in which killed runs have left something.

#![expect(clippy::unwrap_used, reason = "what a test sets up must work")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use xtask::process::Runner;
use xtask::process::environment::Environment;
use xtask::process::temp_dir::TempDir;
use xtask::tool::docker::{Docker, DockerConfig};

/// The engine of docker 27: `isolated` came with 28.
const ENGINE_27: &str = "case $* in *gateway_mode_ipv4=isolated*)\n\
    echo 'Error response from daemon: unknown gateway mode isolated' >&2; exit 1;; esac\n";

/// The arguments of each call of docker, one call per line, up to the removal of the network. `script` acts as
/// docker.
fn calls(script: &str) -> Vec<String> {
    let scratch = TempDir::new().unwrap();
    let (program, calls) = (scratch.path().join("docker"), scratch.path().join("calls"));
    let text = format!("#!/bin/sh\necho \"$@\" | sed s/-[0-9a-f]*$/-X/ >> {}\n{script}", calls.display());
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let path = Environment::from_process().get("PATH").unwrap().unwrap_or_default().to_owned();
    let environment = Environment::from_pairs([("PATH", format!("{}:{path}", scratch.path().display()))]);
    let (runner, config) = (Runner::new(&environment), DockerConfig::new(&environment, None).unwrap());
    drop(Docker::new(&runner, &config).network("acme/carol", Duration::from_secs(60)).unwrap());
    fs::read_to_string(calls).unwrap().lines().map(str::to_owned).collect()
}

const LIST: &str =
    "ps --all --no-trunc --filter label=xtask-smoke=acme/carol --format {{.ID}} {{.CreatedAt}}";
const CREATE: &str = "network create --internal --opt com.docker.network.bridge.inhibit_ipv4=true \
    --label xtask-smoke=acme/carol xtask-smoke-X";
const REMOVE: &str = "network rm --force xtask-smoke-X";
const PRUNE: &str = "network prune --force --filter label=xtask-smoke --filter until=3600s";

#[test]
fn a_network_without_the_host_needs_no_option_of_docker_28() {
    assert_eq!(calls(ENGINE_27), [LIST, CREATE, REMOVE]);
}

#[test]
fn containers_of_killed_runs_are_removed_and_their_networks_with_them() {
    let script = "[ $1 = ps ] || exit 0\necho 'old1 2025-01-01 00:00:00 +0000 UTC'\n\
        TZ=UTC date '+new1 %Y-%m-%d %H:%M:%S +0000 UTC'\n[ \"$TZ\" = UTC ]\n";
    assert_eq!(calls(script), [LIST, "rm --force --volumes old1", PRUNE, CREATE, REMOVE]);
}

#[test]
fn a_container_that_cannot_be_removed_does_not_stop_a_release() {
    let script = "[ $1 != rm ] || exit 1\n[ $1 != ps ] || echo 'old1 2025-01-01 00:00:00 +0000 UTC'\n";
    assert_eq!(calls(script), [LIST, "rm --force --volumes old1", CREATE, REMOVE]);
}
