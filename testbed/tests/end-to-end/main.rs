//! The end-to-end tests: what a person sees of `cargo xtask`, on the testbed's real docker, registry and cosign. Run by
//! `cargo xtask ci`, two side by side; by hand with the testbed's exports set (docs/testbed.md):
//! `cargo test --package testbed --features end-to-end --test end-to-end -- --test-threads=2 NAME`.
//! Each goes through `harness::test`, or `harness::alone` where no other may run beside it.

mod bad_input;
mod bad_machine;
mod by_hand;
mod carried;
mod contents;
mod evidence;
mod faults;
mod forge;
mod harness;
mod interrupt;
mod judges;
mod lies;
mod lockfiles;
mod machine;
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
