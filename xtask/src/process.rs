//! The lowest layer: this process (its environment, secrets, signals, terminal, exit codes) and the only place that
//! starts other programs. Every child gets an allow-listed environment, its own process group, a timeout that ends
//! the whole group, a limit on the output that is read, and redaction of what appears in an error.

pub mod backoff;
mod call;
pub mod command_line;
pub mod environment;
pub mod failure;
pub mod file;
#[cfg(test)]
pub(crate) mod hostile;
pub mod interrupt;
pub mod leaks;
mod output;
pub mod parallel;
mod pipes;
pub mod problem;
pub mod progress;
mod search;
pub mod secret;
pub mod shown;
pub mod stderr;
pub mod stdout;
pub mod temp_dir;
pub mod time;
mod wait;

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use xshell::{Cmd, Shell};

use crate::process::environment::{Environment, SSH_AGENT};

pub use call::{Call, Dialogue};
pub use output::Output;
pub use wait::Watch;

/// Makes calls that all start from one base environment. Threads share it.
#[derive(Clone)]
pub struct Runner {
    inherited: Vec<(OsString, OsString)>,
    ssh_agent: Option<OsString>,
}

impl Runner {
    /// Children see the allow-listed part of `environment` and nothing else.
    #[must_use]
    pub fn new(environment: &Environment) -> Self {
        let inherited =
            environment.inherited().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        Self { inherited, ssh_agent: environment.ssh_agent().map(OsStr::to_owned) }
    }

    /// A shell to write commands with. Each thread needs its own.
    ///
    /// # Errors
    /// When the current directory is gone.
    pub fn shell(&self) -> Result<Shell> {
        Shell::new().context("finding the current directory")
    }

    /// As [`Runner::call`], for a program that may connect by SSH with the keys in the user's agent.
    pub fn call_with_ssh_agent(&self, cmd: Cmd<'_>) -> Call {
        let call = self.call(cmd);
        match &self.ssh_agent {
            Some(socket) => call.env(SSH_AGENT, socket),
            None => call,
        }
    }

    /// A call of `cmd`. Finish it with one of [`Call`]'s `run`, `read`, `output`, `stream`, `converse`, `inherit` and
    /// `detach`.
    pub fn call(&self, cmd: Cmd<'_>) -> Call {
        let written = Command::from(cmd);
        let (mut command, is_found) = self.located(&written);
        command.env_clear().envs(self.inherited.iter().map(|(key, value)| (key, value)));
        // Machine-readable output: no translation, no pager, no prompt on the terminal.
        command.envs([
            ("LC_ALL", "C.UTF-8"),
            ("GIT_PAGER", "cat"),
            ("TERM", "dumb"),
            ("GIT_TERMINAL_PROMPT", "0"),
        ]);
        command.process_group(0);
        Call::new(written.get_program().to_owned(), command, is_found)
    }

    /// The same command with its program's name resolved to a path, and whether the program was found. A name with a
    /// slash is already a path.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that starts programs")]
    fn located(&self, written: &Command) -> (Command, bool) {
        let name = written.get_program();
        let path = self.inherited.iter().find(|(key, _)| key == "PATH").map(|(_, path)| path);
        let path = path.filter(|_| !search::is_path(name));
        let file = path.map(|path| search::program(name, path));
        let is_found = !matches!(file, Some(None));
        let file = file.flatten();
        let mut command = Command::new(file.as_deref().map_or(name, Path::as_os_str));
        command.arg0(name).args(written.get_args());
        if let Some(dir) = written.get_current_dir() {
            command.current_dir(dir);
        }
        (command, is_found)
    }
}
