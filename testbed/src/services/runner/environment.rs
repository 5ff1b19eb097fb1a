//! What the jobs of workflows see of this machine.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use xtask::process::environment::PROXIES;

use crate::context::Context;
use crate::exports::State;
use crate::provision::text;

/// The user who runs the jobs, the certificates that they trust, and their docker configuration. The proxies are added
/// to these. `RUSTUP_TOOLCHAIN` is left out, because each checkout names its own toolchain.
const INHERITED: [&str; 10] = [
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "DOCKER_CONFIG",
];

/// Exports of the testbed that a release reads.
const EXPORTED: [&str; 3] = ["DOCKER_HOST", "DOCKER_CONFIG", "TESTBED_BASE_STAND_IN"];

/// The name of the directory that all jobs compile into, so that only the first job compiles everything.
pub(super) const TARGET: &str = "runner-target";

/// The environment of the runner.
pub(super) struct Jobs {
    /// All its variables.
    pub(super) variables: BTreeMap<&'static str, String>,
    /// The part that depends on the testbed and not on the caller of `up`. Only a change of this part restarts a
    /// running runner, which ends its jobs.
    pub(super) own: Vec<String>,
}

/// Builds the environment. `tmp` becomes `TMPDIR`, which distinguishes the processes of its jobs from all others on the
/// machine, because a release passes that variable on to its children.
pub(super) fn of_jobs(cx: &Context, state: &State, tmp: &Path) -> Result<Jobs> {
    let (mut environment, mut own) = (BTreeMap::new(), Vec::new());
    for name in INHERITED.into_iter().chain(PROXIES) {
        if let Some(value) = cx.variable(name)? {
            environment.insert(name, value.to_owned());
        }
    }
    for name in EXPORTED {
        if let Some(value) = state.exports.get(name) {
            environment.insert(name, value.clone());
            own.push(format!("{name}={value}"));
        }
    }
    let home =
        cx.variable("HOME")?.context("putting the runner's environment together: `HOME` is not set")?;
    // They are set even to their defaults, because they are in our environment only if rustup started us.
    for (name, default) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
        let dir = cx.variable(name)?.map_or_else(|| format!("{home}/{default}"), str::to_owned);
        environment.insert(name, dir);
    }
    let node = state.exports.get("TESTBED_NODE_BIN");
    let node = node.filter(|dir| Path::new(dir).starts_with(cx.layout.root()));
    let ours: Vec<_> = state.path.iter().chain(node).map(String::as_str).collect();
    own.extend(ours.iter().map(|dir| format!("PATH={dir}")));
    let machine = cx.host.path();
    environment.insert("PATH", path(ours.into_iter().chain(machine.split(':'))));
    environment.insert("TMPDIR", text(tmp)?.to_owned());
    environment.insert("CARGO_TARGET_DIR", text(&cx.layout.data(TARGET))?.to_owned());
    Ok(Jobs { variables: environment, own })
}

/// Each directory once, at its first position.
fn path<'a>(dirs: impl Iterator<Item = &'a str>) -> String {
    let mut kept = Vec::new();
    for dir in dirs {
        if !kept.contains(&dir) {
            kept.push(dir);
        }
    }
    kept.join(":")
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn a_directory_is_on_the_path_once_at_its_first_position() {
        let dirs = ["/t/bin", "/h/.cargo/bin", "/h/.cargo/bin", "/bin", "/t/bin"];
        assert_eq!(path(dirs.into_iter()), "/t/bin:/h/.cargo/bin:/bin");
    }
}
