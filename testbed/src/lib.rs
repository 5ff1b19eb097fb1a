//! Brings up the real parts that the tests run on: docker, cosign, a registry, a base image, a forge with its
//! runner. `parts.rs` lists the parts, and `services.rs` lists what runs in the background. [`committed`],
//! [`forge_client`], [`proxy`], [`readable`], [`run`], [`spare`] and [`watcher`] are for the tests.

mod bench;
mod bridge;
pub mod cli;
mod commands;
pub mod committed;
mod context;
mod emulation;
mod exports;
pub mod faults;
mod files;
pub mod forge_client;
mod generated;
mod host;
mod http;
mod image;
mod layout;
mod lock;
mod mounts;
mod network;
mod parts;
mod picture;
mod process;
mod progress;
mod project;
mod provision;
pub mod proxy;
pub mod readable;
pub mod run;
mod services;
pub mod spare;
mod verifiers;
pub mod watcher;
