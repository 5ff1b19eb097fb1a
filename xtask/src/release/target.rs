//! Where a release goes, and with what right: the real forge, or a rehearsal's throwaway parts.

use std::path::PathBuf;

use crate::evidence::provenance::Invocation;
use crate::forge::Write;
use crate::inputs::stand_in::StandIn;
use crate::oci::keychain::Keychain;
use crate::oci::reference::{Image, Registry};
use crate::oci::registry::Credentials;
use crate::tool::cosign::SigningKey;

/// Everything that differs between a release and a rehearsal.
pub struct Target {
    /// Where the image goes.
    pub image: Image,
    /// The right to push it there; empty where no one asks for it.
    pub keychain: Keychain,
    /// What signs.
    pub key: SigningKey,
    /// The public key, where it is not `cosign.pub` at the top of the released commit.
    pub public_key: Option<Vec<u8>>,
    /// The public key as the printed commands name it: a relative path.
    pub public_key_name: String,
    /// What to do when the registry does not answer.
    pub registry_remedy: &'static str,
    /// Where the page goes.
    pub forge: Box<dyn Write>,
    /// What stands in for base images that cannot be reached.
    pub stand_ins: Vec<StandIn>,
    /// `cosign`, or a path.
    pub cosign: PathBuf,
    /// Who runs it.
    pub invocation: Invocation,
}

impl Target {
    /// The right to push to the image's registry.
    #[must_use]
    pub fn credentials(&self) -> Option<&Credentials> {
        self.keychain.credentials(&self.image.registry)
    }

    /// The registry and the right to push to it.
    #[must_use]
    pub fn login(&self) -> Option<(&Registry, &Credentials)> {
        self.credentials().map(|credentials| (&self.image.registry, credentials))
    }
}
