//! Finds and ends processes. A process is ours if its own command line names a file of this state directory.
//! Recorded pids are not used. This also finds the orphans of a killed `up`, and never matches a reused pid.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::poll;

/// A live process. The start time makes it unique: pids are reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    /// Its id.
    pub(crate) pid: i32,
    start: u64,
}

impl Process {
    /// Sends SIGTERM, waits for at most `limit`, then sends SIGKILL.
    pub(crate) fn end(self, limit: Duration) -> Result<()> {
        for (signal, limit) in [(Signal::SIGTERM, limit), (Signal::SIGKILL, Duration::from_secs(5))] {
            if !self.is_alive()? {
                return Ok(());
            }
            match kill(Pid::from_raw(self.pid), signal) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(error) => return Err(error).with_context(|| format!("ending process {}", self.pid)),
            }
            if poll(limit, || Ok(!self.is_alive()?))? {
                return Ok(());
            }
        }
        bail!("process {} does not end, even after SIGKILL; look at it with `ps {}`", self.pid, self.pid)
    }

    fn is_alive(self) -> Result<bool> {
        Ok(start_time(self.pid)? == Some(self.start))
    }
}

/// Our background programs with `marker` among their arguments, oldest first.
pub(crate) fn find(marker: &Path) -> Result<Vec<Process>> {
    matching("cmdline", |command_line| is_service(command_line, marker))
}

/// Whether any process of the machine runs the program of that name.
pub(crate) fn is_any_running(program: &str) -> Result<bool> {
    let is_it = |command_line: &[u8]| program_of(command_line) == Some(OsStr::new(program));
    Ok(!matching("cmdline", is_it)?.is_empty())
}

/// Every process that was started with `assignment`, such as `NAME=value`, in its environment, oldest first. The
/// environment of other users' processes is not visible.
pub(crate) fn with_variable(assignment: &str) -> Result<Vec<Process>> {
    matching("environ", |environment| {
        environment.split(|byte| *byte == 0).any(|found| found == assignment.as_bytes())
    })
}

/// The processes whose `file` in `/proc/PID` has `wanted` content.
fn matching(file: &str, wanted: impl Fn(&[u8]) -> bool) -> Result<Vec<Process>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").context("listing the processes in `/proc`")? {
        let entry = entry.context("listing the processes in `/proc`")?;
        let Some(Ok(pid)) = entry.file_name().to_str().map(str::parse::<i32>) else { continue };
        let Some(content) = read_proc(&entry.path().join(file))? else { continue };
        if !wanted(&content) {
            continue;
        }
        if let Some(start) = start_time(pid)? {
            found.push(Process { pid, start });
        }
    }
    found.sort_by_key(|process| process.start);
    Ok(found)
}

/// Whether a NUL-separated command line is that of one of our programs with `marker`. A pager or an editor that
/// shows the file does not count.
fn is_service(command_line: &[u8], marker: &Path) -> bool {
    const PROGRAMS: [&str; 9] = [
        "apt-get",
        "buildkitd",
        "containerd",
        "containerd-shim-runc-v2",
        "dockerd",
        "docker-registry",
        "gitea",
        "gitea-runner",
        "registry",
    ];
    let mut words = command_line.split(|byte| *byte == 0).map(OsStr::from_bytes);
    program_of(command_line).is_some_and(|name| PROGRAMS.iter().any(|known| name == *known))
        && words.any(|word| word == marker.as_os_str())
}

fn program_of(command_line: &[u8]) -> Option<&OsStr> {
    let first = command_line.split(|byte| *byte == 0).next()?;
    Path::new(OsStr::from_bytes(first)).file_name()
}

/// The start time in clock ticks since the machine's start; `None` for a process that has ended.
pub(super) fn start_time(pid: i32) -> Result<Option<u64>> {
    let path = PathBuf::from(format!("/proc/{pid}/stat"));
    let Some(stat) = read_proc(&path)? else { return Ok(None) };
    let (state, start) = parse_stat(&String::from_utf8_lossy(&stat))
        .with_context(|| format!("reading `{}`: not in the format of proc(5)", path.display()))?;
    Ok((state != 'Z' && state != 'X').then_some(start))
}

/// State and start time: fields 3 and 22. The second field is a name in parentheses and may contain anything.
fn parse_stat(stat: &str) -> Option<(char, u64)> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?.chars().next()?;
    let Ok(start) = fields.nth(18)?.parse() else { return None };
    Some((state, start))
}

/// A file of a process; `None` if the process is gone or another user's.
fn read_proc(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {
            Ok(None)
        }
        Err(error) if error.raw_os_error() == Some(Errno::ESRCH as i32) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading `{}`", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::{is_service, parse_stat};
    use std::path::Path;

    #[test]
    fn the_start_time_is_found_after_any_process_name() {
        let stat = "42 (a) b (c)) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 0 0";
        assert_eq!(parse_stat(stat), Some(('S', 987_654)));
        assert_eq!(parse_stat("42 (cut) S 1 2"), None);
        assert_eq!(parse_stat(""), None);
    }

    #[test]
    fn only_a_known_program_with_exactly_this_file_is_ours() {
        let marker = Path::new("/t/run/dockerd.json");
        assert!(is_service(b"/x/dockerd\0--config-file\0/t/run/dockerd.json\0", marker));
        assert!(!is_service(b"less\0/t/run/dockerd.json\0", marker));
        assert!(!is_service(b"dockerd\0--config-file\0/t/run/dockerd.json.old\0", marker));
        assert!(!is_service(b"dockerd\0", marker));
        assert!(!is_service(b"", marker));
    }
}
