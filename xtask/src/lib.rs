//! The release tool of this repository, in layers. Each layer uses only those that are earlier in this list; a test reads
//! the `use` lines to enforce that. `docs/architecture.md` has the map.

// `eprintln!` panics when standard error is closed, so everything is written to it by `process::stderr`.
#![warn(clippy::print_stderr)]

pub mod process;

pub mod http;

pub mod oci;

pub mod tool;

pub mod inputs;

pub mod contents;

pub mod evidence;

pub mod build;

pub mod forge;

pub mod verify;

pub mod release;

pub mod commands;

pub use commands::main;
