//! What cosign says about an image: the printed commands, run unchanged.

use std::path::Path;
use std::thread;

use anyhow::Result;

use crate::evidence::attached::Kind;
use crate::evidence::bundle;
use crate::oci::manifest::ImageManifest;
use crate::oci::reference::Digest;
use crate::oci::registry::Wanted;
use crate::process::failure::is_transient;
use crate::tool::cosign::{Cosign, VerifyCommand};
use crate::verify::Verifier;
use crate::verify::claim::{Seen, Unseen};
use crate::verify::observe::store::{Referrers, Store};

use super::{join, key_directory, seen};

/// At most this many blobs are fetched. No release attaches more.
const MOST_BLOBS: usize = 1000;

/// cosign's answer to one command.
#[derive(Clone)]
pub(in crate::verify) enum Answer {
    /// It accepted the image and printed this.
    Accepted(String),
    /// It rejected the image with these words.
    Rejected(String),
}

/// Which cosign to run, and where the image is.
#[derive(Clone, Copy)]
pub(super) struct Questions<'a> {
    /// Without credentials if the image can be read that way.
    pub(super) cosign: &'a Cosign<'a>,
    /// Where the image is.
    pub(super) store: &'a dyn Store,
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
    /// (docs/facts.md#exit-codes). So a rejection counts only if cosign repeats it after the registry has answered
    /// for everything that cosign reads.
    fn ask_one(self, command: &VerifyCommand, dir: &Path) -> Result<Answer> {
        if let Ok(output) = self.cosign.try_verify(command, dir)? {
            return Ok(Answer::Accepted(output));
        }
        let kind = if command.is_signature() { Kind::Signatures } else { Kind::Attestations };
        // Any other error is an answer, and cosign's rejection counts.
        if let Err(error) = check_answers(self.store, &command.digests, kind)
            && is_transient(&error)
        {
            return Err(error.context(format!("`{command}` failed, and the registry does not answer")));
        }
        Ok(match self.cosign.try_verify(command, dir)? {
            Ok(output) => Answer::Accepted(output),
            Err(words) => Answer::Rejected(words),
        })
    }
}

/// Fetches what is attached to each of `digests`, including bundles, because cosign 3 reads those. That something is
/// missing, or is not a manifest, is an answer as well.
fn check_answers(store: &dyn Store, digests: &[Digest], kind: Kind) -> Result<()> {
    let mut wanted = Vec::new();
    for digest in digests {
        wanted.extend(store.attached(digest, kind));
        let bundles = match store.referrers(digest)? {
            Referrers::Listed(listed, _) => listed,
            Referrers::Tagged(Some(index)) => bundle::named(&index).unwrap_or_default(),
            Referrers::Tagged(None) | Referrers::NotKept => Vec::new(),
        };
        wanted.extend(bundles.into_iter().map(Wanted::Manifest));
    }
    let manifests = store.fetch(&wanted).into_iter().collect::<Result<Vec<_>>>()?;
    let manifests = manifests.iter().flatten().filter_map(|bytes| ImageManifest::parse(bytes).ok());
    let layers = manifests.flat_map(|manifest| manifest.layers);
    let wanted: Vec<_> = layers.map(|layer| Wanted::Blob(layer.digest)).take(MOST_BLOBS).collect();
    store.fetch(&wanted).into_iter().try_for_each(|answer| answer.map(drop))
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use anyhow::{Result, bail};
    use serde_json::json;

    use super::check_answers;
    use crate::contents::read::Layers;
    use crate::evidence::attached::Kind;
    use crate::evidence::bundle;
    use crate::oci::manifest::tests::descriptor;
    use crate::oci::reference::Digest;
    use crate::oci::registry::{Got, Wanted};
    use crate::verify::observe::store::{Referrers, Store};

    /// A registry with attestations and a bundle beside an image. It answers 503 for what it is `busy` with, and has lost
    /// what is `lost`.
    struct Registry {
        busy: String,
        lost: String,
    }

    fn image() -> Digest {
        Digest::of(b"image")
    }

    impl Layers for Registry {
        fn layer(&self, _digest: &Digest, _scratch: &Path) -> Result<Option<PathBuf>> {
            Ok(None)
        }
    }

    impl Store for Registry {
        fn several(&self, wanted: &[Wanted]) -> Vec<Result<Option<Got>>> {
            let layers =
                |name: &str| json!({ "config": descriptor("config", 1), "layers": [descriptor(name, 1)] });
            let fetch = |wanted: &Wanted| {
                let (name, answer) = match wanted {
                    Wanted::Tagged(tag) => (tag.to_string(), layers("envelope").to_string()),
                    Wanted::Manifest(digest) => (digest.to_string(), layers("bundle").to_string()),
                    Wanted::Blob(digest) => (digest.to_string(), "its bytes".to_owned()),
                    Wanted::HasBlob(_) | Wanted::Referrers(_) => bail!("it is not requested here"),
                };
                match name {
                    busy if busy == self.busy => bail!("answered 503"),
                    lost if lost == self.lost => Ok(None),
                    _ => Ok(Some(Got::Bytes(answer.into_bytes()))),
                }
            };
            wanted.iter().map(fetch).collect()
        }

        fn referrers(&self, digest: &Digest) -> Result<Referrers> {
            match bundle::tag(digest).as_str() == self.busy {
                true => bail!("answered 503"),
                false => Ok(Referrers::Listed(vec![Digest::of(b"bundle manifest")], None)),
            }
        }

        fn attached(&self, digest: &Digest, kind: Kind) -> Option<Wanted> {
            Some(Wanted::Tagged(kind.tag(digest)))
        }
    }

    #[test]
    fn a_part_that_cosign_reads_may_be_missing_but_not_unavailable() {
        let parts = [
            Kind::Attestations.tag(&image()).to_string(),
            bundle::tag(&image()).to_string(),
            Digest::of(b"envelope").to_string(),
            Digest::of(b"bundle manifest").to_string(),
            Digest::of(b"bundle").to_string(),
        ];
        let check = |busy: &str, lost: &str| {
            let registry = Registry { busy: busy.to_owned(), lost: lost.to_owned() };
            check_answers(&registry, &[image()], Kind::Attestations)
        };
        assert!(check("", "").is_ok());
        for part in &parts {
            assert!(check(part, "").is_err(), "{part}");
            assert!(check("", part).is_ok(), "{part}");
        }
    }
}
