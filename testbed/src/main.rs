//! The testbed's program: see `cli.rs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    testbed::cli::run()
}
