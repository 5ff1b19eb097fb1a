//! The program between `xtask` and each of its tools (`testbed shim`). It records the call, disturbs it if the plan
//! says so, and otherwise becomes the tool.

use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Pid, getpgrp, getppid};
use xshell::{Shell, cmd};

use super::label;
use super::plan::{Action, Plan};

/// Longer than anyone waits for a call that hangs.
const MAX_HANG: Duration = Duration::from_secs(600);

/// A call, as the shim's script passes it on.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The directory of the shims
    dir: PathBuf,
    /// The name of the tool
    program: String,
    /// The real tool
    real: PathBuf,
    /// The arguments of the call
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Records the call, and disturbs it if the plan says so.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let plan = Plan::read(&options.dir)?;
    let parent = getppid();
    let mut input = None;
    let label = if options.program == "curl" && options.arguments == ["-q", "--config", "-"] {
        // The request is on standard input, with its credential. It is read, labelled and passed on.
        let mut config = Vec::new();
        std::io::stdin().read_to_end(&mut config).context("reading the configuration for curl")?;
        let label = label::of_curl(&String::from_utf8_lossy(&config), &plan.names);
        input = Some(config);
        label
    } else {
        label::of_call(&options.program, &options.arguments, &plan.names)
    };
    let at = SystemTime::now().duration_since(UNIX_EPOCH).context("reading the clock")?;
    let (call, action) = plan.record(&label, at)?;
    let tool = Tool { plan: &plan, parent, options, input };
    match action {
        None if plan.measures => {
            let began = Instant::now();
            let code = tool.finish()?;
            plan.record_end(call, began.elapsed())?;
            Ok(code)
        }
        None => tool.become_tool(),
        Some(action) => tool.disturb(action),
    }
}

/// A call that is about to be made.
struct Tool<'a> {
    plan: &'a Plan,
    parent: Pid,
    options: &'a Options,
    input: Option<Vec<u8>>,
}

impl Tool<'_> {
    fn disturb(&self, action: Action) -> Result<ExitCode> {
        match action {
            Action::Fail => {
                eprintln!("{}: injected failure", self.options.program);
                Ok(ExitCode::FAILURE)
            }
            Action::Hang => {
                thread::sleep(MAX_HANG);
                Ok(ExitCode::FAILURE)
            }
            Action::KillBefore => {
                self.kill_xtask()?;
                Ok(ExitCode::FAILURE)
            }
            Action::KillAfter => {
                let mut child = self.start()?;
                let status = child.wait().context("waiting for the tool")?;
                self.kill_xtask()?;
                Ok(code(status))
            }
            Action::KillMiddle { micros, alone } => {
                let until = Instant::now() + Duration::from_micros(micros);
                let mut child = self.start()?;
                while Instant::now() < until && child.try_wait().context("looking at the tool")?.is_none() {
                    thread::sleep(Duration::from_micros(200));
                }
                self.kill_xtask()?;
                if !alone {
                    // The group consists of this process and the tool.
                    killpg(getpgrp(), Signal::SIGKILL).context("ending the tool's group")?;
                }
                Ok(code(child.wait().context("waiting for the tool")?))
            }
        }
    }

    /// Kills `xtask`, but no other process that has been given its process id meanwhile.
    fn kill_xtask(&self) -> Result<()> {
        let program = std::fs::read_link(format!("/proc/{}/exe", self.parent));
        // Someone else may have ended it meanwhile.
        let Ok(program) = program else { return Ok(()) };
        let expected = &self.plan.xtask;
        ensure!(&program == expected, "`{}` is not `{}`", program.display(), expected.display());
        match kill(self.parent, Signal::SIGKILL) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(error) => Err(error).context("killing xtask"),
        }
    }

    /// The tool. It inherits this process's streams, so that nobody notices the process in between.
    fn command(&self) -> Result<Command> {
        let shell = Shell::new().context("finding the current directory")?;
        let (real, arguments) = (&self.options.real, cached(&self.options.program, &self.options.arguments));
        Ok(Command::from(cmd!(shell, "{real} {arguments...}")))
    }

    fn start(&self) -> Result<Child> {
        let mut command = self.command()?;
        if self.input.is_some() {
            command.stdin(Stdio::piped());
        }
        let mut child = command.spawn().with_context(|| starting(&self.options.real))?;
        if let (Some(input), Some(mut pipe)) = (&self.input, child.stdin.take()) {
            // A tool that ends before it has read everything reports that with its exit code.
            pipe.write_all(input).or_else(|error| match error.kind() {
                std::io::ErrorKind::BrokenPipe => Ok(()),
                _ => Err(error),
            })?;
        }
        Ok(child)
    }

    fn finish(&self) -> Result<ExitCode> {
        Ok(code(self.start()?.wait().context("waiting for the tool")?))
    }

    fn become_tool(&self) -> Result<ExitCode> {
        if self.input.is_some() {
            return self.finish();
        }
        let error = self.command()?.exec();
        Err(error).with_context(|| starting(&self.options.real))
    }
}

/// The arguments for the real tool. A release builds without the builder's cache. That would take most of the time of
/// each of thousands of cases, and says nothing about resuming, so here the build uses the cache. Another test checks
/// that a release does not (docs/decisions/0024-a-release-has-a-cache-of-its-own.md).
fn cached<'a>(program: &str, arguments: &'a [String]) -> Vec<&'a str> {
    let is_build = program == "docker" && arguments.starts_with(&["buildx".to_owned(), "build".to_owned()]);
    let is_kept = |argument: &&str| {
        !is_build
            || (*argument != "--no-cache" && !argument.starts_with("--build-arg=BUILDKIT_CACHE_MOUNT_NS="))
    };
    arguments.iter().map(String::as_str).filter(is_kept).collect()
}

fn starting(program: &Path) -> String {
    format!("starting `{}`", program.display())
}

/// A signal becomes 1: no caller here distinguishes the two.
fn code(status: std::process::ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}

#[cfg(test)]
mod tests {
    use super::cached;

    #[test]
    fn a_build_uses_the_builders_cache_and_other_calls_are_unchanged() {
        let of = |program: &str, words: &str| {
            let words: Vec<_> = words.split(' ').map(str::to_owned).collect();
            cached(program, &words).join(" ")
        };
        let build = "buildx build --no-cache --build-arg=BUILDKIT_CACHE_MOUNT_NS=5f --build-arg=VERSION=1 .";
        assert_eq!(of("docker", build), "buildx build --build-arg=VERSION=1 .");
        for (program, words) in [("docker", "buildx ls --no-cache"), ("curl", build)] {
            assert_eq!(of(program, words), words);
        }
    }
}
