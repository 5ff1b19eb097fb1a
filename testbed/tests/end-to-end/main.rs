//! The end-to-end tests: what a person sees of `cargo xtask`, on the testbed's real docker, registry and cosign.
//! `cargo xtask ci` runs them, two at a time. To run some by hand, set the testbed's exports (docs/testbed.md):
//! `cargo test --package testbed --features end-to-end --test end-to-end -- --test-threads=2 NAME`.
//! Each test goes through `harness::test`, or through `harness::alone` if no other test may run beside it.

mod bad_input;
mod bad_machine;
mod base;
mod by_hand;
mod carried;
mod contents;
mod evidence;
mod faults;
mod forge;
mod harness;
mod interrupt;
mod judges;
mod layers;
mod lies;
mod lockfiles;
mod machine;
mod networked;
mod online;
mod own_files;
mod published;
mod recorded;
mod rehearsal;
mod rotating;
mod same_digest;
mod secrets;
mod services;
mod smoke;
mod sources;
mod tags;
