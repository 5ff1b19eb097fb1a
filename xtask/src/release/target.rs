//! Where a release goes, and with which credentials: the real forge, or a rehearsal's throwaway parts.

use std::path::PathBuf;

use anyhow::{Context as _, Error, Result};

use crate::evidence::provenance::Invocation;
use crate::forge::Write;
use crate::inputs::stand_in::StandIn;
use crate::oci::keychain::Keychain;
use crate::oci::reference::{Image, Registry};
use crate::oci::registry::Credentials;
use crate::process::failure::{Refusal, is_transient, refused};
use crate::process::interrupt;
use crate::tool::cosign::SigningKey;

/// Everything that differs between a release and a rehearsal.
pub struct Target {
    /// Where the image goes.
    pub image: Image,
    /// The credentials to push it there; empty if none are needed.
    pub keychain: Keychain,
    /// The signing key; `None` for a run that only reads.
    pub key: Option<SigningKey>,
    /// The public key, if it is not `cosign.pub` at the top of the released commit.
    pub public_key: Option<Vec<u8>>,
    /// The public key as the printed commands name it: a relative path.
    pub public_key_name: String,
    /// What to do when the registry refuses, or when it is a throwaway registry and does not answer.
    pub registry_remedy: &'static str,
    /// Whether the registry is this machine's own, for a rehearsal. If it does not answer, somebody has to start it.
    pub is_throwaway: bool,
    /// Where the page goes.
    pub forge: Box<dyn Write>,
    /// Stand-ins for base images that cannot be reached.
    pub stand_ins: Vec<StandIn>,
    /// `cosign`, or a path.
    pub cosign: PathBuf,
    /// Who runs the release.
    pub invocation: Invocation,
}

impl Target {
    /// The signing key.
    ///
    /// # Errors
    /// When this run has none.
    pub fn key(&self) -> Result<&SigningKey> {
        self.key.as_ref().context("this run only reads, and has no key to sign with")
    }

    /// The credentials for the image's registry.
    #[must_use]
    pub fn credentials(&self) -> Option<&Credentials> {
        self.keychain.credentials(&self.image.registry)
    }

    /// The error of a request to the registry before anything was changed. If a remote registry is down or busy,
    /// waiting is enough; in every other case the remedy is needed.
    #[must_use]
    pub fn registry_error(&self, doing: &str, error: Error) -> Error {
        unanswered(self.is_throwaway, self.registry_remedy, doing, error)
    }

    /// The registry and the credentials to push to it.
    #[must_use]
    pub fn login(&self) -> Option<(&Registry, &Credentials)> {
        self.credentials().map(|credentials| (&self.image.registry, credentials))
    }
}

fn unanswered(is_throwaway: bool, remedy: &str, doing: &str, error: Error) -> Error {
    if interrupt::is_cause_of(&error) {
        return error.context(doing.to_owned());
    }
    match is_transient(&error) {
        true if !is_throwaway => error.context(doing.to_owned()),
        true => Refusal::new(format!("{doing}; {remedy}: {error:#}")).into(),
        false => refused(error.context(format!("{doing}; {remedy}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::unanswered;
    use crate::process::failure::{Transient, exit_code};
    use crate::process::interrupt::Interrupted;
    use anyhow::anyhow;

    #[test]
    fn only_a_remote_registry_that_is_down_needs_no_remedy() {
        let away = || Transient::new("`GET /v2/` answered 503").into();
        let elsewhere = unanswered(false, "set the secrets", "nothing was changed", away());
        assert_eq!((exit_code(&elsewhere), format!("{elsewhere:#}").contains("secrets")), (75, false));
        let stopped = unanswered(false, "set the secrets", "nothing was changed", Interrupted::by(2).into());
        assert_eq!((exit_code(&stopped), format!("{stopped:#}").contains("secrets")), (130, false));
        for error in [
            unanswered(true, "start it", "nothing was changed", away()),
            unanswered(false, "start it", "nothing was changed", anyhow!("answered 401")),
        ] {
            assert_eq!(
                (exit_code(&error), format!("{error:#}").contains("; start it")),
                (3, true),
                "{error:#}"
            );
        }
    }
}
