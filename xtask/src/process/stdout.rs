//! Data for programs and people who read it, on standard output: a reader that has gone away is an error and no panic.

use std::io::{self, Write as _};

use anyhow::{Context as _, Result};

/// Prints `text` as it is.
///
/// # Errors
/// When standard output is closed.
pub fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).context("writing to standard output")
}
