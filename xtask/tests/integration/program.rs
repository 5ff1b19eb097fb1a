//! The program itself, against a small server on loopback.

mod adopt;
mod all;
mod changelog;
mod clones;
mod exit_codes;
mod keys;
mod latest;
mod login;
mod offline;
mod plan;
mod private_packages;
mod pulls;
mod server;
mod unread;
mod update;
