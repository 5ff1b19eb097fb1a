//! The release tool of this repository; `main.rs` is the table of contents of its commands.

pub mod environment;
pub mod failure;
pub mod interrupt;
pub mod scratch;
pub mod secret;
pub mod tool;
