//! `cargo xtask`: the table of contents. Each command has a file of its own; `cli.rs` has every flag.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;

use xtask::commands::cli::{Cli, Command};
use xtask::commands::verify::Options;
use xtask::commands::{
    check, ci, doctor, handover, keygen, notes, plan, policies, rehearse, release, verify,
};
use xtask::process::environment::Environment;
use xtask::process::{failure, interrupt, secret};
use xtask::release::unfinished;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Before anything else: no child may find a secret in this process's environment.
    let environment = match handover::environment(cli.command.named_variables()) {
        Ok(environment) => environment,
        Err(error) => return failed(&error),
    };
    let is_release = matches!(cli.command, Command::Release { plan: false, .. });
    match run(cli.command, &environment) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let code = failed(&error);
            if is_release && let Some(next) = unfinished::next_run(&error) {
                eprintln!("xtask: {next}");
            }
            code
        }
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("xtask: {}", secret::redact(&format!("{error:#}")));
    ExitCode::from(failure::exit_code(error))
}

fn run(command: Command, environment: &Environment) -> Result<()> {
    interrupt::watch()?;
    match command {
        Command::Release { tag, plan: true, json } => plan::run(environment, tag.as_deref(), json),
        Command::Release { tag, plan: false, json } => release::run(environment, tag.as_deref(), json),
        Command::Rehearse { what, work_tree } => rehearse::run(environment, what.as_deref(), work_tree),
        Command::Verify { what, all, key, source, login, rebuild, builder, save, offline, json } => {
            let options = Options { what, all, key, source, login, rebuild, builder, save, offline, json };
            verify::run(environment, &options)
        }
        Command::Check => check::run(environment),
        Command::Policies { check } => policies::run(environment, check),
        Command::Notes { what } => notes::run(environment, what.as_deref()),
        Command::Keygen { directory } => keygen::run(environment, &directory),
        Command::Doctor => doctor::run(environment),
        Command::Ci { stages, name } => ci::run(environment, &stages, name.as_deref()),
    }
}
