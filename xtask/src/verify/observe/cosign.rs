//! What cosign says about an image: the printed commands, run unchanged.

use std::path::Path;
use std::thread;

use anyhow::{Context as _, Result};

use crate::evidence::attached::Kind;
use crate::evidence::bundle;
use crate::oci::manifest::ImageManifest;
use crate::oci::reference::Digest;
use crate::oci::registry::Wanted;
use crate::tool::cosign::{Cosign, VerifyCommand};
use crate::verify::Verifier;
use crate::verify::claim::{Observed, Unavailable};
use crate::verify::observe::store::{Referrers, Store};

use super::{is_wrong, join, key_directory, seen};

/// At most this many blobs are fetched. No release attaches more.
const MAX_BLOBS: usize = 1000;

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
    pub(super) fn ask(self, verifier: &Verifier<'_>, commands: &[VerifyCommand]) -> Vec<Observed<Answer>> {
        let key = match key_directory(verifier) {
            Ok(key) => key,
            Err(error) => {
                return commands.iter().map(|_| Err(Unavailable::Failed(format!("{error:#}")))).collect();
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
        check_answers(self.store, &command.digests, kind)
            .with_context(|| format!("`{command}` failed, and what it reads could not be fetched"))?;
        Ok(match self.cosign.try_verify(command, dir)? {
            Ok(output) => Answer::Accepted(output),
            Err(words) => Answer::Rejected(words),
        })
    }
}

/// Fetches what is attached to each of `digests`, including bundles, because cosign 3 reads those. That something is
/// missing, is not a manifest, or has bytes that do not match its digest is an answer as well.
fn check_answers(store: &dyn Store, digests: &[Digest], kind: Kind) -> Result<()> {
    let mut wanted = Vec::new();
    for digest in digests {
        wanted.extend(store.attached(digest, kind));
        let bundles = match answered(store.referrers(digest))? {
            Some(Referrers::Listed(listed, _)) => listed,
            Some(Referrers::Tagged(Some(index))) => bundle::named(&index).unwrap_or_default(),
            Some(Referrers::Tagged(None) | Referrers::NotKept) | None => Vec::new(),
        };
        wanted.extend(bundles.into_iter().map(Wanted::Manifest));
    }
    let fetch = |wanted: &[Wanted]| store.fetch(wanted).into_iter().map(answered).collect::<Result<Vec<_>>>();
    let manifests = fetch(&wanted)?;
    let manifests = manifests.iter().flatten().flatten();
    let manifests = manifests.filter_map(|bytes| ImageManifest::parse(bytes).ok());
    let layers = manifests.flat_map(|manifest| manifest.layers);
    let wanted: Vec<_> = layers.map(|layer| Wanted::Blob(layer.digest)).take(MAX_BLOBS).collect();
    fetch(&wanted).map(drop)
}

/// The answer; `None` for one with wrong bytes.
fn answered<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Err(error) if is_wrong(&error) => Ok(None),
        answer => answer.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    use anyhow::{Result, bail};
    use serde_json::json;

    use super::{Answer, Questions};
    use crate::contents::read::Layers;
    use crate::evidence::attached::Kind;
    use crate::evidence::bundle;
    use crate::oci::manifest::tests::descriptor;
    use crate::oci::reference::Digest;
    use crate::oci::registry::{DigestMismatch, Got, Wanted};
    use crate::process::Runner;
    use crate::process::environment::Environment;
    use crate::process::failure::{NotPublic, Transient};
    use crate::tool::cosign::{Cosign, VerifyCommand};
    use crate::tool::docker::DockerConfig;
    use crate::verify::claim::{Observed, Unavailable};
    use crate::verify::observe::seen;
    use crate::verify::observe::store::{Referrers, Store};

    /// How a registry answers for one thing.
    #[derive(Clone, Copy, Debug)]
    enum How {
        Busy,
        Hidden,
        Refuses,
        OtherBytes,
        NoManifest,
        Missing,
    }

    impl How {
        fn answer(self) -> Result<Option<Vec<u8>>> {
            match self {
                Self::Busy => Err(Transient::new("answered 503").into()),
                Self::Hidden => Err(NotPublic::new("it").into()),
                Self::Refuses => bail!("answered 403"),
                Self::OtherBytes => {
                    DigestMismatch::check_bytes("answered", b"other", &Digest::of(b"these"))?;
                    Ok(None)
                }
                Self::NoManifest => Ok(Some(b"{}".to_vec())),
                Self::Missing => Ok(None),
            }
        }
    }

    /// A registry with attestations and a bundle beside an image, which answers differently for some of them.
    struct Registry(Vec<(String, How)>);

    impl Registry {
        fn odd(&self, name: &str) -> Option<Result<Option<Vec<u8>>>> {
            self.0.iter().find(|(odd, _)| odd == name).map(|(_, how)| how.answer())
        }
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
        fn batch(&self, wanted: &[Wanted]) -> Vec<Result<Option<Got>>> {
            let layers =
                |name: &str| json!({ "config": descriptor("config", 1), "layers": [descriptor(name, 1)] });
            let fetch = |wanted: &Wanted| {
                let (name, answer) = match wanted {
                    Wanted::Tagged(tag) => (tag.to_string(), layers("envelope").to_string()),
                    Wanted::Manifest(digest) => (digest.to_string(), layers("bundle").to_string()),
                    Wanted::Blob(digest) => (digest.to_string(), "its bytes".to_owned()),
                    Wanted::HasBlob(_) | Wanted::Referrers(_) => bail!("it is not requested here"),
                };
                let answer = self.odd(&name).unwrap_or_else(|| Ok(Some(answer.into_bytes())));
                Ok(answer?.map(Got::Bytes))
            };
            wanted.iter().map(fetch).collect()
        }

        fn referrers(&self, digest: &Digest) -> Result<Referrers> {
            match self.odd(bundle::tag(digest).as_str()) {
                Some(answer) => Ok(Referrers::Tagged(answer?)),
                None => Ok(Referrers::Listed(vec![Digest::of(b"bundle manifest")], None)),
            }
        }

        fn attached(&self, digest: &Digest, kind: Kind) -> Option<Wanted> {
            Some(Wanted::Tagged(kind.tag(digest)))
        }
    }

    /// The answer of a cosign that rejects everything.
    fn rejected(odd: Vec<(String, How)>) -> Observed<Answer> {
        let environment = Environment::from_process();
        let runner = Runner::new(&environment);
        let config = DockerConfig::new(&environment, None).unwrap();
        let cosign = Cosign::new(&runner, "false", &config, Duration::from_secs(20));
        let image_name = "registry.example.org/acme/carol".parse().unwrap();
        let command = VerifyCommand::attestation("cosign.pub", "x", &image_name, &image());
        let questions = Questions { cosign: &cosign, store: &Registry(odd) };
        seen(questions.ask_one(&command, Path::new("/")))
    }

    #[test]
    fn a_rejection_counts_only_if_the_registry_answers_for_everything_that_cosign_reads() {
        let parts = [
            Kind::Attestations.tag(&image()).to_string(),
            bundle::tag(&image()).to_string(),
            Digest::of(b"envelope").to_string(),
            Digest::of(b"bundle manifest").to_string(),
            Digest::of(b"bundle").to_string(),
        ];
        assert!(matches!(rejected(Vec::new()), Ok(Answer::Rejected(_))));
        for part in &parts {
            let rejected = |how| rejected(vec![(part.clone(), how)]);
            assert!(matches!(rejected(How::Busy), Err(Unavailable::Transient(_))), "{part}");
            for how in [How::Hidden, How::Refuses] {
                assert!(matches!(rejected(how), Err(Unavailable::Failed(_))), "{part} {how:?}");
            }
            for how in [How::OtherBytes, How::NoManifest, How::Missing] {
                assert!(matches!(rejected(how), Ok(Answer::Rejected(_))), "{part} {how:?}");
            }
        }
        // Wrong bytes do not hide that something else was not answered for.
        for wrong in [&parts[1], &parts[3]] {
            let odd = [(wrong, How::OtherBytes), (&parts[2], How::Refuses)];
            let odd = odd.map(|(part, how)| (part.clone(), how));
            assert!(matches!(rejected(odd.into()), Err(Unavailable::Failed(_))), "{wrong}");
        }
    }
}
