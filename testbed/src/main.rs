//! Brings up the real parts that the tests run on: docker, cosign, a registry, a base image. The table of contents of
//! its commands; the parts are listed in `parts.rs`, what runs in the background in `services.rs`.

mod commands;
mod context;
mod exports;
mod files;
mod host;
mod http;
mod image;
mod layout;
mod lock;
mod mounts;
mod network;
mod parts;
mod process;
mod progress;
mod provision;
mod services;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::environment::Environment;
use xtask::{failure, interrupt};

/// Real docker, cosign, registry and base image on loopback, for tests and rehearsals.
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
    Up,
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
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let run = || {
        interrupt::watch()?;
        let environment = Environment::of_this_process();
        match arguments.command {
            Command::Up => commands::up(&environment),
            Command::Down { purge } => commands::down(&environment, purge),
            Command::Env { json } => commands::env(&environment, json),
            Command::Status => commands::status(&environment),
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
