//! The clients of registry and forge, against servers on loopback.

mod forge;
mod registry;
mod server;
mod visibility;
