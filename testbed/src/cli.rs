//! The command line.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use xtask::process::environment::Environment;
use xtask::process::{failure, interrupt};

use crate::{bench, commands, faults, picture, verifiers};

/// Real docker, cosign, registry, base image, forge and runner on loopback, for tests and rehearsals.
///
/// Everything lives in one directory: `TESTBED_DIR`, else `carol-testbed` in the user's cache directory.
#[derive(Parser)]
#[command(name = "testbed", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Provision what is missing and start what is not running; does nothing the second time
    Up {
        /// Purpose: a rehearsal needs neither the forge nor the second opinions, which take minutes to build
        #[arg(long = "for", value_name = "PURPOSE", value_parser = ["rehearsal", "tests"], default_value = "tests")]
        purpose: String,
        /// Run the published Forgejo image instead of building Gitea, where docker can pull it (not tried yet)
        #[arg(long, value_parser = ["forgejo"], value_name = "forgejo")]
        forge: Option<String>,
    },
    /// Stop what `up` started; downloads and builds stay
    Down {
        /// Remove the downloads and builds as well
        #[arg(long)]
        purge: bool,
    },
    /// Print the exports for a POSIX shell: `eval "$(cargo testbed env)"`
    Env {
        /// Print one flat JSON object instead
        #[arg(long)]
        json: bool,
    },
    /// Show for each part whether it runs, where, and in which version
    Status,
    /// Disturb a release at its calls and requests, run it again, and check that no trace of the fault is left
    Faults(faults::Options),
    /// Run two releases at the same time, then each once more, and check the same
    Races(faults::races::Options),
    /// Stands in for the tools of a disturbed release
    #[command(hide = true)]
    Shim(faults::shim::Options),
    /// Measure a release against a straight script that does the same, and print the figures as Markdown
    Bench(bench::Options),
    /// Verify a release in each format with the verifiers that people use; building them takes half an hour
    Verifiers(verifiers::Options),
    /// Release, and write a picture of the forge's page into docs/images; needs chromium, and builds the forge's
    /// styles
    Picture,
}

/// Runs the command that this process's arguments name.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    match dispatch(arguments.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("testbed: {error:#}");
            ExitCode::from(failure::exit_code(&error))
        }
    }
}

fn dispatch(command: Command) -> Result<ExitCode> {
    // The shim becomes another program, which must not inherit blocked signals.
    if let Command::Shim(options) = &command {
        return faults::shim::run(options);
    }
    interrupt::watch()?;
    let environment = Environment::from_process();
    match command {
        Command::Up { purpose, forge } => commands::up(&environment, purpose == "tests", forge.is_some()),
        Command::Down { purge } => commands::down(&environment, purge),
        Command::Env { json } => commands::env(&environment, json),
        Command::Status => commands::status(&environment),
        Command::Faults(options) => faults::run(&environment, &options),
        Command::Races(options) => faults::races::run(&environment, &options),
        Command::Shim(_) => Ok(()),
        Command::Bench(options) => bench::run(&environment, &options),
        Command::Verifiers(options) => verifiers::run(&environment, &options),
        Command::Picture => picture::run(&environment),
    }
    .map(|()| ExitCode::SUCCESS)
}
