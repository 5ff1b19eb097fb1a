//! The program itself, against a small server on loopback.

mod changelog;
mod exit_codes;
mod login;
mod pulls;
mod server;
