//! The release tool of this repository, in layers: each knows only those above it in this list, and a test reads the `use`
//! lines to see that it stays so. `docs/architecture.md` has the map.

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
