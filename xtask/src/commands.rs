//! The commands of `cargo xtask`, one file each. This file is their table of contents; `cli` has every flag.

pub mod check;
pub mod ci;
pub mod cli;
pub mod doctor;
pub mod handover;
pub mod init;
pub mod keygen;
pub mod notes;
pub mod plan;
pub mod policies;
pub mod rehearse;
pub mod release;
pub mod resign;
pub mod rotate;
mod testbed;
pub mod verify;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;

use crate::process::environment::Environment;
use crate::process::{failure, interrupt, shown, stderr};
use crate::release::unfinished;

use cli::{Cli, Command};

/// `cargo xtask`: reads the arguments and runs the command.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let is_verify = matches!(cli.command, Command::Verify(_));
    // This comes first: no child may find a secret in this process's environment.
    let environment = match handover::environment(cli.command.named_variables()) {
        Ok(environment) => environment,
        Err(error) if is_verify => return failed(&verify::outcome::of_error(error)),
        Err(error) => return failed(&error),
    };
    let is_release = matches!(cli.command, Command::Release { plan: false, .. });
    match run(cli.command, &environment) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let code = failed(&error);
            if is_release && let Some(next) = unfinished::next_run(&error) {
                stderr::line(format_args!("xtask: {next}"));
            }
            code
        }
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    stderr::line(format_args!("xtask: {}", shown::error(error)));
    ExitCode::from(failure::exit_code(error))
}

fn run(command: Command, environment: &Environment) -> Result<()> {
    interrupt::watch()?;
    match command {
        Command::Release { tag, plan: true, json } => plan::run(environment, tag.as_deref(), json),
        Command::Release { tag, plan: false, json } => release::run(environment, tag.as_deref(), json),
        Command::Rehearse { what, work_tree, registry } => {
            rehearse::run(environment, what.as_deref(), work_tree, registry.as_deref())
        }
        Command::Verify(options) => verify::run(environment, &options),
        Command::Resign { tag } => resign::run(environment, &tag),
        Command::Check { online, json } => check::run(environment, online, json),
        Command::Policies { check } => policies::run(environment, check),
        Command::Notes { what, coming, from, json, changelog, offline } => {
            let form = notes::Form::of(json, changelog);
            let asked = notes::Asked { what: what.as_deref(), coming, from: from.as_ref() };
            notes::run(environment, &asked, form, offline)
        }
        Command::Init(options) => init::run(environment, &options),
        Command::Keygen { directory } => keygen::run(environment, &directory),
        Command::Rotate { directory, lost } => rotate::run(environment, &rotate::Options { directory, lost }),
        Command::Doctor { fix } => doctor::run(environment, &fix),
        Command::Ci { stages, all, name } => {
            ci::run(environment, &stages, ci::Extent { all, name: name.as_deref() })
        }
    }
}
