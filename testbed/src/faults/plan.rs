//! The plan that a shim follows, and the calls that it records. Both are in files, because `xtask` passes nothing of
//! its environment on to its tools.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use xtask::process::environment::Environment;

use crate::provision::text;

/// The programs that `xtask release` starts.
pub(super) const PROGRAMS: [&str; 6] = ["cargo", "cosign", "curl", "docker", "git", "tar"];

/// The plan of one run.
#[derive(Serialize, Deserialize)]
pub(super) struct Plan {
    /// The program whose calls count; nothing else is ever killed.
    pub(super) xtask: PathBuf,
    /// Names of the project and their replacements in labels.
    pub(super) names: Vec<(String, String)>,
    /// Where the calls of this run are recorded.
    pub(super) log: PathBuf,
    /// Whether to measure how long each call takes.
    pub(super) measures: bool,
    /// The call that is disturbed.
    pub(super) strike: Option<Strike>,
}

/// A call and what happens to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Strike {
    pub(super) label: String,
    /// From 1.
    pub(super) occurrence: usize,
    pub(super) action: Action,
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Action {
    /// `xtask` is killed and the tool is not run.
    KillBefore,
    /// `xtask` is killed after the tool has run for `micros`; so is the tool, unless it is left running `alone`.
    KillMiddle { micros: u64, alone: bool },
    /// The tool runs to its end, and `xtask` is killed before it sees that.
    KillAfter,
    /// The tool is not run. The shim exits with 1.
    Fail,
    /// The tool is not run. The shim does not end.
    Hang,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Call {
    /// From 1, in the order in which they were made.
    pub(super) n: usize,
    pub(super) label: String,
    /// Since 1970.
    pub(super) at: Duration,
    /// Whether it was disturbed.
    pub(super) struck: bool,
    /// How long it took, if it was measured and has ended.
    pub(super) took: Option<Duration>,
}

impl Plan {
    /// Makes the shims in `dir`. `testbed` is this program; `environment` has the real tools on its PATH.
    pub(super) fn install(dir: &Path, testbed: &Path, environment: &Environment) -> Result<()> {
        let path = environment.get("PATH")?.context("reading `PATH`: it is not set")?;
        for program in PROGRAMS {
            let real = environment.find_program(Path::new(program))?;
            let real = real.with_context(|| format!("`{program}` is not on the PATH"))?;
            let words = [text(testbed)?, "shim", text(dir)?, program, text(&real)?];
            let words: Vec<_> = words.iter().map(|word| quoted(word)).collect();
            // What the tools start themselves does not go through a shim.
            let script = format!("#!/bin/sh\nPATH={} exec {} \"$@\"\n", quoted(path), words.join(" "));
            let shim = dir.join(program);
            fs::write(&shim, script).with_context(|| format!("writing `{}`", shim.display()))?;
            fs::set_permissions(&shim, fs::Permissions::from_mode(0o755))
                .with_context(|| format!("making `{}` a program", shim.display()))?;
        }
        Ok(())
    }

    /// Writes the plan for the next run into `dir`.
    pub(super) fn write(&self, dir: &Path) -> Result<()> {
        let json = serde_json::to_vec(self).context("rendering the plan of the shims")?;
        fs::write(dir.join("plan.json"), json).context("writing the plan of the shims")?;
        fs::write(&self.log, "").with_context(|| format!("making `{}`", self.log.display()))
    }

    /// The plan in `dir`.
    pub(super) fn read(dir: &Path) -> Result<Self> {
        let json = fs::read(dir.join("plan.json")).context("reading the plan of the shims")?;
        serde_json::from_slice(&json).context("reading the plan of the shims")
    }

    /// Records a call. Calls may overlap, so a lock gives each its own number and occurrence.
    pub(super) fn record(&self, label: &str, at: Duration) -> Result<(Call, Option<Action>)> {
        let _lock = self.lock()?;
        let calls = read_calls(&self.log)?;
        let occurrence = calls.iter().filter(|call| call.label == label).count() + 1;
        let strike = self.strike.as_ref().filter(|strike| strike.is_for(label, occurrence));
        let call =
            Call { n: calls.len() + 1, label: label.to_owned(), at, struck: strike.is_some(), took: None };
        self.append(&call)?;
        Ok((call, strike.map(|strike| strike.action)))
    }

    /// Records how long a call took.
    pub(super) fn record_end(&self, call: Call, took: Duration) -> Result<()> {
        let _lock = self.lock()?;
        self.append(&Call { took: Some(took), ..call })
    }

    fn lock(&self) -> Result<Flock<fs::File>> {
        let path = self.log.with_extension("lock");
        let file = fs::File::create(&path).with_context(|| format!("making `{}`", path.display()))?;
        Flock::lock(file, FlockArg::LockExclusive)
            .map_err(|(_file, error)| error)
            .context("locking the calls")
    }

    fn append(&self, call: &Call) -> Result<()> {
        let mut line = serde_json::to_vec(call).context("rendering a call")?;
        line.push(b'\n');
        let file = fs::File::options().append(true).open(&self.log);
        file.and_then(|mut file| file.write_all(&line)).context("recording a call")
    }
}

impl Strike {
    fn is_for(&self, label: &str, occurrence: usize) -> bool {
        self.label == label && self.occurrence == occurrence
    }
}

/// The calls in a log, in order.
pub(super) fn read_calls(log: &Path) -> Result<Vec<Call>> {
    let lines = fs::read_to_string(log).with_context(|| format!("reading `{}`", log.display()))?;
    let mut calls: Vec<Call> = Vec::new();
    for line in lines.lines() {
        let call: Call = serde_json::from_str(line).context("reading a call")?;
        match calls.get_mut(call.n - 1) {
            Some(known) => *known = call,
            None => calls.push(call),
        }
    }
    Ok(calls)
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::{Action, Plan, Strike, read_calls};
    use std::time::Duration;
    use xtask::process::temp_dir::TempDir;

    #[test]
    fn only_the_call_with_the_given_label_and_occurrence_is_disturbed() {
        let scratch = TempDir::new().unwrap();
        let strike = Strike { label: "git tag".to_owned(), occurrence: 2, action: Action::Fail };
        let (log, strike) = (scratch.path().join("calls"), Some(strike));
        let plan = Plan { xtask: "/x".into(), names: Vec::new(), log, measures: true, strike };
        plan.write(scratch.path()).unwrap();
        let plan = Plan::read(scratch.path()).unwrap();
        let record = |label: &str| plan.record(label, Duration::ZERO).unwrap();
        let (first, none) = record("git tag");
        assert_eq!((first.n, none), (1, None));
        assert_eq!(record("git log").1, None);
        assert_eq!(record("git tag").1, Some(Action::Fail));
        assert_eq!(record("git tag").1, None);
        plan.record_end(first, Duration::from_millis(5)).unwrap();
        let calls = read_calls(&plan.log).unwrap();
        assert_eq!(calls.iter().map(|call| call.struck).collect::<Vec<_>>(), [false, false, true, false]);
        assert_eq!(calls[0].took, Some(Duration::from_millis(5)));
    }
}
