//! What cosign says about an image: the printed commands, run as they stand.

use std::path::Path;
use std::thread;

use anyhow::{Context as _, Result};

use crate::evidence::attached::Kind;
use crate::oci::reference::Digest;
use crate::tool::cosign::{Cosign, VerifyCommand};
use crate::verify::Verifier;
use crate::verify::claim::{Seen, Unseen};
use crate::verify::observe::store::Store;

use super::{join, key_directory, seen};

/// cosign's answer to one command.
#[derive(Clone)]
pub(in crate::verify) enum Answer {
    /// It accepted the image and printed this.
    Accepted(String),
    /// It rejected the image with these words.
    Rejected(String),
}

/// Whom to ask, and about which image.
#[derive(Clone, Copy)]
pub(super) struct Questions<'a> {
    /// Anonymous if that is allowed.
    pub(super) cosign: &'a Cosign<'a>,
    /// Where the image is.
    pub(super) store: &'a dyn Store,
    /// The image.
    pub(super) digest: &'a Digest,
}

impl Questions<'_> {
    /// Runs `commands` in parallel, in a directory with the release's public key.
    pub(super) fn ask(self, verifier: &Verifier<'_>, commands: &[VerifyCommand]) -> Vec<Seen<Answer>> {
        let key = match key_directory(verifier) {
            Ok(key) => key,
            Err(error) => {
                return commands.iter().map(|_| Err(Unseen::Unknown(format!("{error:#}")))).collect();
            }
        };
        let dir = key.path();
        thread::scope(|scope| {
            let ask = |command| scope.spawn(move || seen(self.ask_one(command, dir)));
            let running: Vec<_> = commands.iter().map(ask).collect();
            running.into_iter().map(join).collect()
        })
    }

    /// cosign exits with the same code when an attestation is wrong and when the registry is down
    /// (docs/facts.md#exit-codes). So a rejection counts only if cosign repeats it after the registry has answered for
    /// the very thing that cosign rejected.
    fn ask_one(self, command: &VerifyCommand, dir: &Path) -> Result<Answer> {
        if let Ok(output) = self.cosign.try_verify(command, dir)? {
            return Ok(Answer::Accepted(output));
        }
        let kind = if command.is_signature() { Kind::Signatures } else { Kind::Attestations };
        let wanted = self.store.attached(self.digest, kind);
        for answer in self.store.fetch(wanted.as_slice()) {
            answer.with_context(|| format!("`{command}` failed, and the registry does not answer"))?;
        }
        Ok(match self.cosign.try_verify(command, dir)? {
            Ok(output) => Answer::Accepted(output),
            Err(words) => Answer::Rejected(words),
        })
    }
}
