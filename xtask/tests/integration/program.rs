//! The program itself, against a server of a few lines on loopback.

mod changelog;
mod exit_codes;
mod login;
mod pulls;
mod server;
