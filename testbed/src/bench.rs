//! `cargo testbed bench`: what a release costs, measured against a straight script that does the same work without
//! the guarantees. Both run on one machine, in one run, in mixed order. Nothing is asserted. `docs/benchmarks.md`
//! explains the figures.

mod check;
mod contestant;
pub(crate) mod figures;
mod key;
pub(crate) mod machine;
mod measure;
mod notes;
mod report;
mod rounds;
mod steps;
mod verifying;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use xshell::cmd;
use xtask::process::Runner;
use xtask::process::environment::Environment;
use xtask::process::temp_dir::random_hex;

use crate::exports::State;
use crate::forge_client::Client;
use crate::generated;
use crate::host::Host;
use crate::layout::Layout;
use crate::provision::text;
pub(crate) use key::Key;
pub(crate) use steps::of_xtask;

use report::{Runs, spread};
use rounds::Bench;

/// A cold round takes more than a minute, most of it for downloads.
const MAX_COLD_ROUNDS: u16 = 3;

/// What is measured, and how often.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Rounds with a warm builder; each round measures both once
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=200))]
    rounds: u16,
    /// Also measure with an emptied builder, at most three rounds; empties the cache for everyone on this engine
    #[arg(long)]
    cold: bool,
    /// Also measure `verify --all` with N releases and with ten; making each one takes as long as a release
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(11..=500))]
    all_releases: Option<u16>,
    /// Measure only the notes of 10,000 and 100,000 commits; needs no testbed
    #[arg(long, conflicts_with_all = ["cold", "all_releases"])]
    notes: bool,
    /// Measure only `xtask check`, on this repository and on a large one; needs no testbed
    #[arg(long, conflicts_with_all = ["cold", "all_releases", "notes"])]
    check: bool,
    /// Repeat the order of an earlier run
    #[arg(long)]
    seed: Option<u64>,
    /// Write the result into docs/benchmarks.md
    #[arg(long)]
    write: bool,
    /// Two files and a command: run the command with its output in the files, and print what it used
    #[arg(last = true, hide = true)]
    measured: Vec<String>,
}

/// Measures and prints the figures as Markdown.
pub(crate) fn run(environment: &Environment, options: &Options) -> Result<()> {
    if !options.measured.is_empty() {
        return measure::stand_between(environment, &options.measured);
    }
    let seed = match options.seed {
        Some(seed) => seed,
        None => u64::from_str_radix(&random_hex()?[..8], 16).context("making a seed")?,
    };
    if options.check {
        let (xtask, _) = build_xtask(&Runner::new(environment))?;
        let load = machine::load()?;
        let text = check::measure(environment, &xtask, options.rounds)?;
        return publish(options, "bench --check", &format!("Load before: {load}.\n\n{text}"));
    }
    if options.notes {
        let (xtask, _) = build_xtask(&Runner::new(environment))?;
        let load = machine::load()?;
        let text = notes::measure(environment, &xtask, options.rounds, seed)?;
        return publish(options, "bench --notes", &format!("Load before: {load}; seed {seed}.\n\n{text}"));
    }
    let environment = &of_testbed(environment)?;
    let runner = Runner::new(environment);
    check_programs(environment)?;
    let client = Client::from_environment(environment)?;
    let machine = machine::describe(environment, &client)?;
    let (xtask, target) = build_xtask(&runner)?;
    let mut bench = Bench::set_up(environment, &client, &xtask, seed)?;
    bench.warm_up()?;
    let warm = bench.rounds(options.rounds, false)?;
    let verified = bench.verify(options.rounds)?;
    let all = match options.all_releases {
        Some(releases) => bench.verify_all(releases, options.rounds)?,
        None => Vec::new(),
    };
    let cold =
        if options.cold { Some(bench.rounds(options.rounds.min(MAX_COLD_ROUNDS), true)?) } else { None };
    bench.clean_up()?;
    let cargo = what_cargo_adds(&runner, &xtask, &target, options.rounds)?;
    let text = render(&machine, seed, &warm, cold.as_ref(), &verifying::render(&verified, &all), &cargo);
    publish(options, "bench", &text)
}

/// Prints a command's figures and, if asked, writes them into the document.
#[expect(clippy::print_stdout, reason = "this is the command's data")]
fn publish(options: &Options, command: &str, text: &str) -> Result<()> {
    println!("{text}");
    if options.write {
        generated::write("benchmarks.md", command, text)?;
    }
    Ok(())
}

/// The environment of a shell that has the exports. cosign 2 comes first on the PATH, because the script uses its
/// flags.
pub(crate) fn of_testbed(environment: &Environment) -> Result<Environment> {
    let layout = Layout::from_environment(environment)?;
    let Some(state) = State::read(&layout)? else {
        bail!("the testbed is not up; start it with `cargo testbed up`");
    };
    let path = environment.get("PATH")?.context("reading `PATH`: it is not set")?;
    let mut variables = state.variables(&Host::of_this_machine(path, layout.root())?.path());
    let cosign = variables.get("TESTBED_COSIGN_2").and_then(|cosign| Path::new(cosign).parent());
    if let (Some(dir), Some(path)) = (cosign.map(Path::to_owned), variables.get_mut("PATH")) {
        *path = format!("{}:{path}", text(&dir)?);
    }
    Ok(environment.with(variables))
}

/// The script needs more programs than `xtask` does.
fn check_programs(environment: &Environment) -> Result<()> {
    for program in ["bash", "jq", "curl", "git", "npm", "cosign", "docker"] {
        if environment.find_program(Path::new(program))?.is_none() {
            bail!("`{program}` is not on the PATH, and the straight script needs it; install it");
        }
    }
    Ok(())
}

/// The profile that cargo built `xtask` in.
fn profile(xtask: &Path) -> &'static str {
    if xtask.parent().is_some_and(|dir| dir.ends_with("release")) { "release" } else { "dev" }
}

/// The up-to-date `xtask` of this build, and its target directory.
pub(crate) fn build_xtask(runner: &Runner) -> Result<(PathBuf, PathBuf)> {
    let own = std::env::current_exe().context("finding this program's own file")?;
    let dir = own.parent().context("this program is in no directory")?;
    let target = dir.parent().context("this program is in no target directory")?;
    let shell = runner.shell()?;
    let release = dir.ends_with("release").then_some("--release");
    let build = cmd!(
        shell,
        "cargo build --quiet --locked --package xtask --bin xtask --target-dir {target} {release...}"
    );
    let call = runner.call(build).dir(Path::new(env!("CARGO_MANIFEST_DIR")));
    call.timeout(std::time::Duration::from_secs(600)).run()?;
    Ok((dir.join("xtask"), target.to_owned()))
}

/// Seconds that `cargo run` adds to the time of the binary itself, for a command that does nothing.
fn what_cargo_adds(runner: &Runner, xtask: &Path, target: &Path, rounds: u16) -> Result<String> {
    let shell = runner.shell()?;
    let time = |call: xtask::process::Call| {
        let started = Instant::now();
        call.dir(Path::new(env!("CARGO_MANIFEST_DIR"))).run()?;
        Ok::<_, anyhow::Error>(started.elapsed().as_secs_f64())
    };
    let mut added = Vec::new();
    for _ in 0..rounds {
        let run = cmd!(shell, "cargo run --quiet --locked --package xtask --target-dir {target} -- --help");
        let with = time(runner.call(run))?;
        added.push(with - time(runner.call(cmd!(shell, "{xtask} --help")))?);
    }
    Ok(spread(added, 2))
}

fn render(
    machine: &[(&'static str, String)],
    seed: u64,
    warm: &Runs,
    cold: Option<&Runs>,
    verified: &str,
    cargo: &str,
) -> String {
    let mut text = "### Machine\n\n| | |\n|---|---|\n".to_owned();
    text += &machine.iter().map(|(name, value)| format!("| {name} | {value} |\n")).collect::<String>();
    let mut section = |name: &str, runs: &Runs, is_cold: bool| {
        let rounds = runs.ours.len();
        text += &format!("\n### {name}: rounds {rounds}, seed {seed}\n\n");
        text += &format!("{}\n{}", runs.ratios(is_cold), runs.table());
        text += &format!("\nSteps, medians:\n{}", runs.steps());
    };
    section("Warm", warm, false);
    if let Some(cold) = cold {
        section("Cold", cold, true);
    }
    text + verified + &format!("\n`cargo run` adds to each start of `xtask`, s: {cargo}\n")
}
