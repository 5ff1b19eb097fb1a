//! `cargo xtask ci`: everything that a change must pass, the same here as on the forge. No test is skipped silently:
//! each end-to-end test records that it ran, and a missing record fails the command. Those that are too long for
//! every change are counted, and run with `--all`.

mod stage;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use xshell::cmd;

use crate::commands::check;
use crate::commands::testbed::{self, Purpose};
use crate::inputs::config::{self, Config, NamedSecrets};
use crate::process::environment::Environment;
use crate::process::progress::Steps;
use crate::process::shown;
use crate::process::stderr;
use crate::process::{Call, Runner};
use crate::tool::git::Git;

pub use stage::Stage;

/// Where each end-to-end test leaves a file with its name.
const RAN: &str = "target/e2e-ran";

/// More threads than cores: the slow unit tests only wait, for a timeout or between two tries.
const AT_ONCE: &str = "--test-threads=16";

/// How many end-to-end tests run in parallel: as many as the smallest machine has cores. A test that must run alone
/// sees to that itself.
const SIDE_BY_SIDE: &str = "--test-threads=2";

/// The timeout of a stage. It allows for a cold build, and for tests on a slow or busy machine. It is shorter than
/// the job's timeout in the workflow, which would not say which stage hung.
const TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// The same, if the tests that are too long for every change run as well.
const LONG_TIMEOUT: Duration = Duration::from_secs(120 * 60);

/// Which tests of a stage run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extent<'a> {
    /// Also those that are too long for every change, which are marked `#[ignore]`.
    pub all: bool,
    /// Only those whose names contain this, including the long ones.
    pub name: Option<&'a str>,
}

impl Extent<'_> {
    fn has_long_ones(self) -> bool {
        self.all || self.name.is_some()
    }

    fn patience(self) -> Duration {
        if self.has_long_ones() { LONG_TIMEOUT } else { TIMEOUT }
    }
}

/// Runs `stages`, or all of them if none is named, and continues after a failure. `extent` selects tests.
///
/// # Errors
/// When a stage does not pass; the error names each of those.
pub fn run(environment: &Environment, stages: &[Stage], extent: Extent<'_>) -> Result<()> {
    let git = Git::here(&Runner::new(environment))?;
    let (root, steps) = (git.root(), Steps::plain());
    let has_testbed = testbed::is_in(root);
    let stages = &Stage::chosen(stages, has_testbed, extent.all)?;
    stage::check_name(stages, extent.name)?;
    let (mut failed, mut picked) = (Vec::new(), false);
    let mut testbed = None;
    for stage in stages {
        let result = if has_testbed && stage.needs_testbed() {
            let exports = testbed.get_or_insert_with(|| {
                let brought_up =
                    steps.run("testbed", "", || testbed::ensure(environment, root, Purpose::Tests));
                brought_up.map_err(|error| format!("{error:#}"))
            });
            match exports {
                Ok(exports) => one(*stage, exports, root, &steps, extent),
                Err(words) => Err(anyhow!("there is no testbed: {words}")),
            }
        } else {
            one(*stage, environment, root, &steps, extent)
        };
        match result {
            Ok(picks) => picked |= picks,
            Err(error) => {
                crate::process::interrupt::check()?;
                stderr::line(format_args!("failed: {}", shown::error(&error)));
                failed.push(*stage);
            }
        }
    }
    stderr::line(format_args!("\n{}", steps.table()));
    stage::check_passed(&failed)?;
    stage::check_picked(stages, extent.name, picked)
}

/// Runs one stage. Returns whether the name in `extent` selected a test in it.
fn one(
    stage: Stage,
    environment: &Environment,
    root: &Path,
    steps: &Steps,
    extent: Extent<'_>,
) -> Result<bool> {
    const CLIPPY: [&str; 8] = [
        "clippy",
        "--quiet",
        "--locked",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "--deny=warnings",
    ];
    let runner = Runner::new(environment);
    let cargo = |arguments: &[&str]| cargo(&runner, root, TIMEOUT, arguments)?.inherit();
    match stage {
        Stage::Format => steps.run("format", "cargo fmt", || cargo(&["fmt", "--all", "--check"]))?,
        Stage::Lint => steps.run("lint", "cargo clippy", || cargo(&CLIPPY))?,
        Stage::Unit => {
            return steps.run("unit tests", "cargo test", || unit_tests(&runner, root, extent.name));
        }
        Stage::Service => steps.run("service", "npm test", || service_tests(environment, root))?,
        Stage::Check => steps.run("check", "", || check::check(&runner, root))?,
        Stage::EndToEnd => {
            return steps.run("end-to-end", "on real parts", || end_to_end_tests(environment, root, extent));
        }
    }
    Ok(false)
}

fn unit_tests(runner: &Runner, root: &Path, name: Option<&str>) -> Result<bool> {
    let tests = |argument: &str| {
        let words = ["test", "--quiet", "--locked", "--workspace"].into_iter().chain(name);
        cargo(runner, root, TIMEOUT, &words.chain(["--", argument]).collect::<Vec<_>>())
    };
    if name.is_some() && parse_list(&tests("--list")?.read()?).is_empty() {
        return Ok(false);
    }
    tests(AT_ONCE)?.inherit()?;
    Ok(true)
}

fn service_tests(environment: &Environment, root: &Path) -> Result<()> {
    let config = Config::of_work_tree(root)?;
    let service = &root.join(config.service.to_string());
    let path = environment.get("PATH")?.unwrap_or_default();
    let path = environment.get("TESTBED_NODE_BIN")?.map_or(path.to_owned(), |node| format!("{node}:{path}"));
    let runner = Runner::new(&environment.with([("PATH", path)]));
    let sh = runner.shell()?;
    install(&runner, service, &config::set_secrets(&config.build_secrets, environment)?)?;
    // Test runners read `CI`: without it, some watch for changes and never end.
    let ci = environment.get("CI")?.map(|value| ("CI", value));
    let test = runner.call(cmd!(sh, "npm test")).dir(service).timeout(TIMEOUT);
    ci.into_iter().fold(test, |call, (name, value)| call.env(name, value)).inherit()
}

/// Runs `npm ci`. No script of a package sees the `secrets` for private packages: if there are any, the scripts run
/// afterwards.
fn install(runner: &Runner, service: &Path, secrets: &NamedSecrets) -> Result<()> {
    let sh = runner.shell()?;
    let call = |command| runner.call(command).dir(service).timeout(TIMEOUT);
    let install = cmd!(sh, "npm ci --no-audit --no-fund --logs-max=0");
    if secrets.is_empty() {
        return call(install).run();
    }
    let install = call(install.arg("--ignore-scripts"));
    secrets.iter().fold(install, |call, (name, secret)| call.secret_env(name, secret)).run()?;
    // npm may be configured to run no scripts, which `npm run` would ignore.
    if call(cmd!(sh, "npm config get ignore-scripts")).read()? == "true" {
        return Ok(());
    }
    call(cmd!(sh, "npm rebuild --logs-max=0")).run()?;
    call(cmd!(sh, "npm run prepare --if-present --logs-max=0")).run()
}

fn end_to_end_tests(environment: &Environment, root: &Path, extent: Extent<'_>) -> Result<bool> {
    let ran = root.join(RAN);
    if ran.exists() {
        fs::remove_dir_all(&ran).with_context(|| format!("removing `{}`", ran.display()))?;
    }
    fs::create_dir_all(&ran).with_context(|| format!("making `{}`", ran.display()))?;
    let runner = Runner::new(environment);
    let tests = |arguments: &[&str]| -> Result<Call> {
        let fixed = [
            "test",
            "--quiet",
            "--locked",
            "--package=testbed",
            "--features=end-to-end",
            "--test=end-to-end",
            "--",
        ];
        let words = [&fixed, arguments].concat();
        let mut call = cargo(&runner, root, extent.patience(), &words)?.env("E2E_RAN", &ran);
        for (key, value) in environment.testbed()? {
            call = call.env(key, value);
        }
        Ok(call)
    };
    let picked = |arguments: &[&'static str]| -> Vec<&str> {
        extent.name.into_iter().chain(arguments.iter().copied()).collect()
    };
    let list = |which: &'static str| -> Result<BTreeSet<String>> {
        Ok(parse_list(&tests(&picked(&["--list", "--format=terse", which]))?.read()?))
    };
    let mut listed = list("--include-ignored")?;
    if listed.is_empty() && extent.name.is_some() {
        return Ok(false);
    }
    ensure!(!listed.is_empty(), "there is no end-to-end test");
    let long = if extent.has_long_ones() { BTreeSet::new() } else { list("--ignored")? };
    listed.retain(|test| !long.contains(test));
    let which = extent.has_long_ones().then_some("--include-ignored");
    let passed = tests(&picked(&[&[SIDE_BY_SIDE], which.as_slice()].concat()))?.inherit();
    let durations = durations(&ran);
    if let Ok(durations) = &durations {
        stderr::line(format_args!("the slowest that passed, in seconds:\n{}", slowest(durations)));
    }
    // If a test failed, report that, and not a file that could not be read.
    passed?;
    check_all_ran(&listed, &durations?.into_keys().collect())?;
    let count = listed.len();
    match long.len() {
        0 => stderr::line(format_args!("all {count} end-to-end tests ran")),
        more => stderr::line(format_args!(
            "{count} end-to-end tests ran; `cargo xtask ci --all` runs {more} more, which take long"
        )),
    }
    Ok(true)
}

/// The names of the tests in the output of `cargo test -- --list --format=terse`, which has lines like `name: test`.
fn parse_list(text: &str) -> BTreeSet<String> {
    text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
}

/// The duration in seconds of each test that passed, by its name. The file that the test leaves contains it.
fn durations(ran: &Path) -> Result<BTreeMap<String, f64>> {
    let of = |entry: std::io::Result<fs::DirEntry>| {
        let file = entry?.path();
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&file).with_context(|| format!("reading `{}`", file.display()))?;
        let seconds = text
            .trim()
            .parse()
            .with_context(|| format!("`{}` does not hold a number of seconds", file.display()))?;
        Ok((name, seconds))
    };
    fs::read_dir(ran)?.map(of).collect()
}

/// A line for each of the twenty slowest tests, the slowest first.
fn slowest(durations: &BTreeMap<String, f64>) -> String {
    let mut ordered: Vec<_> = durations.iter().collect();
    ordered.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    ordered.iter().take(20).map(|(name, seconds)| format!("{seconds:8.1}  {name}\n")).collect()
}

fn check_all_ran(listed: &BTreeSet<String>, ran: &BTreeSet<String>) -> Result<()> {
    let missing: Vec<_> = listed.difference(ran).cloned().collect();
    if !missing.is_empty() {
        bail!("these end-to-end tests did not run to their end: {}", missing.join(", "));
    }
    Ok(())
}

fn cargo(runner: &Runner, root: &Path, patience: Duration, arguments: &[&str]) -> Result<Call> {
    let sh = runner.shell()?;
    Ok(runner.call(cmd!(sh, "cargo {arguments...}")).dir(root).timeout(patience))
}
