//! The command line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::environment::Environment;
use xtask::{failure, interrupt};

use crate::{bench, commands};

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
        /// What for: a rehearsal needs neither the forge nor the second opinions, which take minutes to build
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
    /// Say of each part whether it runs, where, and which version
    Status,
    /// Measure a release beside a straight script that does the same, and print the figures as Markdown
    Bench(bench::Options),
}

/// Does what this process's arguments say.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let run = || {
        interrupt::watch()?;
        let environment = Environment::of_this_process();
        match arguments.command {
            Command::Up { purpose, forge } => commands::up(&environment, purpose == "tests", forge.is_some()),
            Command::Down { purge } => commands::down(&environment, purge),
            Command::Env { json } => commands::env(&environment, json),
            Command::Status => commands::status(&environment),
            Command::Bench(options) => bench::run(&environment, &options),
        }
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("testbed: {error:#}");
            ExitCode::from(failure::exit_code(&error))
        }
    }
}
