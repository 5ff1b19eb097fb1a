//! Processes as /proc shows them.

use std::fs;

use anyhow::Result;
use nix::unistd::Pid;

use super::checkout::{Checkout, text};

/// One process at one moment.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Process {
    pub(crate) pid: Pid,
    /// The program's path.
    program: String,
    /// Its arguments, each followed by a space.
    pub(crate) arguments: String,
    /// `KEY=value` entries, separated by NUL.
    environment: String,
}

impl Process {
    /// A process may end between two reads, so whatever can no longer be read is empty. It may also become another
    /// program. So that the environment of one program is not attributed to another, everything is read again until the
    /// program has stayed the same.
    fn read(pid: Pid) -> Self {
        let file = |name: &str| fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let program = || fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        let mut before = program();
        loop {
            let environment = String::from_utf8_lossy(&file("environ")).into_owned();
            let arguments = String::from_utf8_lossy(&file("cmdline")).replace('\0', " ");
            let after = program();
            if before == after {
                return Self { pid, program: before.to_string_lossy().into_owned(), arguments, environment };
            }
            before = after;
        }
    }

    /// The program without its directory.
    pub(crate) fn name(&self) -> &str {
        self.program.rsplit('/').next().unwrap_or_default()
    }

    /// A variable of its environment.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        let mut variables = self.environment.split('\0').filter_map(|variable| variable.split_once('='));
        variables.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// Whether a run in `checkout` started it, even if its parent has changed: `TMPDIR` is inherited.
    pub(crate) fn is_of(&self, checkout: &Checkout) -> Result<bool> {
        Ok(self.variable("TMPDIR") == Some(text(checkout.tmp())?))
    }

    /// Whether `text` occurs anywhere in its environment.
    pub(crate) fn environment_has(&self, text: &str) -> bool {
        self.environment.contains(text)
    }
}

/// All processes of this machine.
pub(crate) fn all() -> Result<Vec<Process>> {
    let mut processes = Vec::new();
    for entry in fs::read_dir("/proc")? {
        if let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) {
            processes.push(Process::read(Pid::from_raw(pid)));
        }
    }
    Ok(processes)
}

/// Processes that runs in `checkout` started.
pub(crate) fn of(checkout: &Checkout) -> Result<Vec<Process>> {
    let mut processes = Vec::new();
    for process in all()? {
        if process.is_of(checkout)? {
            processes.push(process);
        }
    }
    Ok(processes)
}
