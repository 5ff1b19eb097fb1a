//! The release tool of this repository; `main.rs` is the table of contents of its commands.

pub mod config;
pub mod environment;
pub mod failure;
pub mod interrupt;
pub mod reference;
pub mod registry;
pub mod scratch;
pub mod secret;
pub mod time;
pub mod tool;
pub mod version;
