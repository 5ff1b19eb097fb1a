//! Starts background programs, and waits until they are ready. `process/table.rs` finds and ends them.

mod table;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use xshell::cmd;
use xtask::process::Runner;
use xtask::process::interrupt;

use crate::files::remove_file;

use table::start_time;
pub(crate) use table::{Process, find, is_any_running, with_variable};

/// The polling interval of a wait.
const INTERVAL: Duration = Duration::from_millis(40);

/// How many lines of a log an error shows.
const TAIL: usize = 15;

/// One background program.
pub(crate) struct Service {
    /// Its name in messages.
    pub(crate) name: &'static str,
    /// The program, as an absolute path.
    pub(crate) program: PathBuf,
    /// Its arguments; `marker` must be among them.
    pub(crate) arguments: Vec<OsString>,
    /// The file of this state directory that distinguishes it from every other instance of the program.
    pub(crate) marker: PathBuf,
    /// Additional environment variables.
    pub(crate) environment: BTreeMap<&'static str, OsString>,
    /// The file for its output.
    pub(crate) log: PathBuf,
}

impl Service {
    /// Starts it. If it exits before [`Service::wait`] finds it ready, that is an error there.
    pub(crate) fn start(&self, runner: &Runner) -> Result<u32> {
        remove_file(&self.log)?;
        let shell = runner.shell()?;
        let (program, arguments) = (&self.program, &self.arguments);
        // It outlives the clone that it was started from, and its child processes need an existing working
        // directory.
        let dir = self.log.parent().context("a log without a directory")?;
        let mut call = runner.call(cmd!(shell, "{program} {arguments...}")).dir(dir);
        for (key, value) in &self.environment {
            call = call.env(key, value);
        }
        call.detach(&self.log)
    }

    /// Waits until `ready` returns `true`. If the process ends or the deadline passes, the error shows the end of the
    /// log.
    pub(crate) fn wait(
        &self,
        pid: u32,
        limit: Duration,
        mut ready: impl FnMut() -> Result<bool>,
    ) -> Result<()> {
        let mut ended = false;
        let done = poll(limit, || {
            // By pid, because a program that is still being loaded has no command line yet.
            ended = start_time(i32::try_from(pid)?)?.is_none();
            Ok(ended || ready()?)
        })?;
        if done && !ended {
            return Ok(());
        }
        let how = if ended { "ended at once".to_owned() } else { format!("not ready after {limit:?}") };
        bail!("starting {}: {how}; the end of `{}`:\n{}", self.name, self.log.display(), tail(&self.log)?)
    }
}

/// Calls `check` until it returns `true`; returns `false` if it has not done so after `limit`.
pub(crate) fn poll(limit: Duration, mut check: impl FnMut() -> Result<bool>) -> Result<bool> {
    let deadline = Instant::now() + limit;
    loop {
        interrupt::check()?;
        if check()? {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
        thread::sleep(INTERVAL);
    }
}

fn tail(log: &Path) -> Result<String> {
    let bytes = fs::read(log).with_context(|| format!("reading the log `{}`", log.display()))?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<_> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(TAIL)..].join("\n"))
}

#[cfg(test)]
mod tests {
    use super::{Service, poll};
    use std::collections::BTreeMap;
    use std::fs;
    use std::time::Duration;
    use xtask::process::Runner;
    use xtask::process::environment::Environment;
    use xtask::process::temp_dir::TempDir;

    #[test]
    fn a_service_runs_in_the_directory_of_its_log() {
        let scratch = TempDir::new().unwrap();
        let log = scratch.path().join("log");
        let service = Service {
            name: "pwd",
            program: "/bin/pwd".into(),
            arguments: Vec::new(),
            marker: log.clone(),
            environment: BTreeMap::new(),
            log: log.clone(),
        };
        service.start(&Runner::new(&Environment::from_process())).unwrap();
        let expected = format!("{}\n", scratch.path().display());
        assert!(poll(Duration::from_secs(30), || Ok(fs::read_to_string(&log)? == expected)).unwrap());
    }
}
