//! `cargo xtask`: the table of contents. Each command has a file of its own; `cli.rs` has every flag.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser as _;
use nix::sys::resource::{Resource, setrlimit};

use xtask::cli::{Cli, Command};
use xtask::environment::Environment;
use xtask::verify::command::Options;
use xtask::{
    check, ci, doctor, failure, interrupt, keygen, notes, policies, rehearse, release, secret, verify,
};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let is_release = matches!(cli.command, Command::Release { plan: false, .. });
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {}", secret::redact(&format!("{error:#}")));
            if is_release && let Some(next) = release::unfinished::next_run(&error) {
                eprintln!("xtask: {next}");
            }
            ExitCode::from(failure::exit_code(&error))
        }
    }
}

fn run(command: Command) -> Result<()> {
    interrupt::watch()?;
    // Secrets are in this process's memory, and in cosign's: neither may end up in a core file.
    setrlimit(Resource::RLIMIT_CORE, 0, 0).context("forbidding core dumps")?;
    let environment = Environment::of_this_process();
    match command {
        Command::Release { tag, plan: true, json } => {
            release::show_plan::run(&environment, tag.as_deref(), json)
        }
        Command::Release { tag, plan: false, json } => {
            release::command::run(&environment, tag.as_deref(), json)
        }
        Command::Rehearse { what } => rehearse::run(&environment, what.as_deref()),
        Command::Verify { what, all, key, source, login, rebuild, builder, save, offline, json } => {
            let options = Options { what, all, key, source, login, rebuild, builder, save, offline, json };
            verify::command::run(&environment, &options)
        }
        Command::Check => check::run(&environment),
        Command::Policies { check } => policies::run(&environment, check),
        Command::Notes { what } => notes::run(&environment, what.as_deref()),
        Command::Keygen { directory } => keygen::run(&environment, &directory),
        Command::Doctor => doctor::run(&environment),
        Command::Ci { stages, name } => ci::run(&environment, &stages, name.as_deref()),
    }
}
