//! The commands of `cargo xtask`, a file each; `cli` has every flag.

pub mod check;
pub mod ci;
pub mod cli;
pub mod doctor;
pub mod handover;
pub mod keygen;
pub mod notes;
pub mod plan;
pub mod policies;
pub mod rehearse;
pub mod release;
mod testbed;
pub mod verify;
