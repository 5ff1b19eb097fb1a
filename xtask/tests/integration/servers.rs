//! The clients of registry and forge, against servers on loopback.

mod downloads;
mod files;
mod forge;
mod gates;
mod mark;
mod referrers;
mod registry;
mod renamed;
pub(crate) mod server;
mod stale;
mod visibility;
