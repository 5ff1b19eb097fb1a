//! Data on standard output, for programs and people. When the reader has gone away, that is an error and not a panic.

use std::io::{self, Write as _};

use anyhow::{Context as _, Result};

/// Prints `text` unchanged.
///
/// # Errors
/// When standard output is closed.
pub fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).context("writing to standard output")
}
