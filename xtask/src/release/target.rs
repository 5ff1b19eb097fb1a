//! Where a release goes, and with what right: the real forge, or a rehearsal's throwaway parts.

use std::path::PathBuf;

use crate::forge::Forge;
use crate::provenance::Invocation;
use crate::reference::{Image, Registry};
use crate::registry::Credentials;
use crate::tool::cosign::SigningKey;

/// Everything that differs between a release and a rehearsal.
pub struct Target {
    /// Where the image goes.
    pub image: Image,
    /// The right to push it there; `None` where no one asks for it.
    pub credentials: Option<Credentials>,
    /// What signs.
    pub key: SigningKey,
    /// Where the public key is read from.
    pub public_key: PublicKey,
    /// The public key as the printed commands name it.
    pub public_key_name: String,
    /// Where the page goes.
    pub forge: Box<dyn Forge>,
    /// `registry/path@sha256:…` of what stands in for the base images where the real ones cannot be reached.
    pub stand_in: Option<String>,
    /// `cosign`, or a path.
    pub cosign: PathBuf,
    /// Who runs it.
    pub invocation: Invocation,
}

/// Where the commands of the page find their key.
#[derive(Clone, Debug)]
pub enum PublicKey {
    /// `cosign.pub` at the top of the released commit.
    OfTheCommit,
    /// A path below this directory, the one that the printed commands are pasted in.
    Below(PathBuf),
}

impl Target {
    /// The registry and the right to push to it.
    #[must_use]
    pub fn login(&self) -> Option<(&Registry, &Credentials)> {
        self.credentials.as_ref().map(|credentials| (&self.image.registry, credentials))
    }
}
