//! The release tool of this repository; `main.rs` is the table of contents of its commands.

pub mod check;
pub mod ci;
pub mod cli;
pub mod config;
pub mod dockerfile;
pub mod doctor;
pub mod environment;
pub mod failure;
pub mod forge;
pub mod index;
pub mod interrupt;
pub mod lockfile;
pub mod notes;
pub mod progress;
pub mod provenance;
pub mod reference;
pub mod registry;
pub mod rehearse;
pub mod release;
pub mod sbom;
pub mod scratch;
pub mod secret;
pub mod testbed;
pub mod time;
pub mod tool;
pub mod version;
