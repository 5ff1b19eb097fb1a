//! The parameters of a container, and the docker arguments that they become: for a call, and for a person to paste.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::time::Duration;

use anyhow::Result;

use super::{Container, Docker};
use crate::process::Output;
use crate::process::command_line::quoted;
use crate::process::temp_dir::random_hex;

/// The label of everything that a smoke test makes, with the repository's name as its value. It identifies leftovers.
pub const LABEL: &str = "xtask-smoke";

/// The parameters of a container.
#[derive(Clone, Debug)]
pub struct Run {
    /// The image, by digest. The engine must already have it.
    pub image: String,
    /// The platform, if it is not the engine's own.
    pub platform: Option<String>,
    /// Its network; without one it has no network at all.
    pub network: Option<String>,
    /// Its name in that network.
    pub alias: Option<String>,
    /// The restrictions of a careful self-hoster: a read-only root and no capabilities.
    pub is_strict: bool,
    /// The memory limit, in docker's notation.
    pub memory: String,
    /// The limit of processes and threads.
    pub pids: u32,
    /// Its environment variables.
    pub env: BTreeMap<String, String>,
    /// Directories that are kept in memory.
    pub tmpfs: Vec<String>,
    /// Directories that get an anonymous volume each.
    pub writable: Vec<String>,
    /// The program to start in place of the image's own.
    pub entrypoint: Option<String>,
    /// Its arguments, in place of the image's own.
    pub arguments: Vec<String>,
    /// The value of [`LABEL`].
    pub label: String,
}

impl Run {
    /// The words after `docker`: `first`, and then the parameters.
    pub(super) fn arguments(&self, first: &[&str]) -> Vec<String> {
        let mut words: Vec<String> = first.iter().map(|word| (*word).to_owned()).collect();
        words.push(format!("--network={}", self.network.as_deref().unwrap_or("none")));
        words.extend(self.alias.iter().map(|alias| format!("--network-alias={alias}")));
        words.extend(self.platform.iter().map(|platform| format!("--platform={platform}")));
        if self.is_strict {
            words.extend(["--read-only", "--cap-drop=ALL"].map(str::to_owned));
        }
        words.push("--security-opt=no-new-privileges".to_owned());
        words.extend([format!("--memory={}", self.memory), format!("--pids-limit={}", self.pids)]);
        words.extend(self.tmpfs.iter().map(|path| format!("--tmpfs={path}")));
        words.extend(self.writable.iter().map(|path| format!("--volume={path}")));
        words.extend(self.env.iter().map(|(name, value)| format!("--env={name}={value}")));
        words.extend(self.entrypoint.iter().map(|program| format!("--entrypoint={program}")));
        words.push(self.image.clone());
        words.extend(self.arguments.iter().cloned());
        words
    }

    /// The same as a command line for a person to paste, beginning with `first`.
    #[must_use]
    pub fn by_hand(&self, first: &[&str]) -> String {
        let words = self.arguments(&[&["run"], first].concat());
        quoted(OsStr::new("docker"), words.iter().map(OsStr::new))
    }
}

impl Docker<'_> {
    /// Starts a container in the background.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self, run: &Run) -> Result<Container<'_>> {
        let name = format!("{LABEL}-{}", random_hex()?);
        let label = format!("{LABEL}={}", run.label);
        // Made before the start, so that a half-started container is removed too.
        let container = Container::new(self, name.clone());
        let words = run.arguments(&["run", "--detach", "--name", &name, "--label", &label, "--pull=never"]);
        self.call_for_containers(&words)?.run()?;
        Ok(container)
    }

    /// Runs a container until it ends, for at most `timeout`. The caller judges the exit status.
    ///
    /// # Errors
    /// When docker cannot be run, or it takes too long.
    pub fn run(&self, run: &Run, timeout: Duration) -> Result<Output> {
        let name = format!("{LABEL}-{}", random_hex()?);
        let label = format!("{LABEL}={}", run.label);
        let _container = Container::new(self, name.clone());
        let first = ["run", "--name", &name, "--label", &label, "--pull=never", "--no-healthcheck"];
        self.call_for_containers(&run.arguments(&first))?.timeout(timeout).output()
    }
}

#[cfg(test)]
mod tests {
    use super::Run;

    fn run() -> Run {
        Run {
            image: "127.0.0.1:5000/acme/carol@sha256:0".to_owned(),
            platform: Some("linux/arm64".to_owned()),
            network: Some("xtask-smoke-1".to_owned()),
            alias: Some("service".to_owned()),
            is_strict: true,
            memory: "1g".to_owned(),
            pids: 512,
            env: [("GREETING".to_owned(), "it's $HOME".to_owned())].into(),
            tmpfs: vec!["/tmp".to_owned()],
            writable: vec!["/data".to_owned()],
            entrypoint: None,
            arguments: vec!["--verbose".to_owned()],
            label: "acme/carol".to_owned(),
        }
    }

    #[test]
    fn a_strict_container_is_read_only_without_capabilities_and_with_limits() {
        let words = run().arguments(&["--detach"]).join(" ");
        assert_eq!(
            words,
            "--detach --network=xtask-smoke-1 --network-alias=service --platform=linux/arm64 --read-only \
             --cap-drop=ALL --security-opt=no-new-privileges --memory=1g --pids-limit=512 --tmpfs=/tmp --volume=/data \
             --env=GREETING=it's $HOME 127.0.0.1:5000/acme/carol@sha256:0 --verbose"
        );
    }

    #[test]
    fn a_container_that_is_not_strict_has_limits_too_and_by_default_no_network() {
        let words = Run { is_strict: false, network: None, ..run() }.arguments(&[]).join(" ");
        assert!(words.starts_with("--network=none "), "{words}");
        assert!(!words.contains("--read-only") && !words.contains("--cap-drop"), "{words}");
        for bound in ["no-new-privileges", "--memory=1g", "--pids-limit=512"] {
            assert!(words.contains(bound), "{words}");
        }
    }

    #[test]
    fn no_port_is_published() {
        assert!(!run().arguments(&[]).iter().any(|word| word.contains("publish")));
    }

    #[test]
    fn the_command_line_for_a_person_is_quoted_for_a_shell() {
        let line = run().by_hand(&["--rm"]);
        assert!(
            line.starts_with("docker run --rm --network=xtask-smoke-1 --network-alias=service "),
            "{line}"
        );
        assert!(line.contains(r"'--env=GREETING=it'\''s $HOME'"), "{line}");
    }
}
