//! Messages for people, on standard error. When nobody can read them, nothing is lost, so a write that fails neither
//! ends the command nor changes its exit code.

use std::fmt::Display;
use std::io::{self, Write as _};

/// Prints `text` unchanged, in one write: lines of different threads do not mix.
pub fn print(text: &str) {
    drop(io::stderr().write_all(text.as_bytes()));
}

/// Prints `text` as a line.
pub fn line(text: impl Display) {
    print(&format!("{text}\n"));
}
