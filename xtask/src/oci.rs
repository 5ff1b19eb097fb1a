//! Images and where they are stored: references, digests and manifests, the registry client, and the keychain that
//! binds each credential to one host.

pub mod exact;
#[cfg(test)]
mod hostile;
pub mod index;
pub mod keychain;
pub mod manifest;
pub mod media_type;
pub mod platform;
pub mod reference;
pub mod registry;
