//! Where an image's bytes are read from: a registry, or a directory that `verify --save` made from one.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::contents::read::Layers;
use crate::evidence::attached::Kind;
use crate::evidence::bundle;
use crate::oci::reference::Digest;
use crate::oci::registry::{Client, DigestMismatch, Got, Wanted};
use crate::process::file;

use super::is_wrong;
use super::saved::Saved;

/// Larger than any manifest, config or attestation of ours, in bytes.
const MAX_SIZE: u64 = 64 << 20;

/// Larger than any layer that is read here, in bytes.
const MAX_LAYER_SIZE: u64 = 8 << 30;

/// Answers requests for an image's parts. Every answer is checked against its digest.
pub(in crate::verify) trait Store: Layers {
    /// The answer to each of `wanted`, in order; `None` for what does not exist.
    fn batch(&self, wanted: &[Wanted]) -> Vec<Result<Option<Got>>>;

    /// As [`Store::batch`], for manifests and blobs: their bytes.
    fn fetch(&self, wanted: &[Wanted]) -> Vec<Result<Option<Vec<u8>>>> {
        let answers = self.batch(wanted).into_iter();
        answers.map(|answer| Ok(answer?.map(Got::into_bytes))).collect()
    }

    /// A manifest of the base image, from a store that has it in place of the base image's registry; `None` from all
    /// others.
    fn base(&self, _digest: &Digest) -> Option<Result<Vec<u8>>> {
        None
    }

    /// The manifests that refer to `digest`.
    fn referrers(&self, digest: &Digest) -> Result<Referrers>;

    /// What to fetch to get what cosign attached to `digest`; `None` if the store does not have it.
    fn attached(&self, digest: &Digest, kind: Kind) -> Option<Wanted>;
}

/// The manifests that refer to an image.
pub(in crate::verify) enum Referrers {
    /// The store leaves them out, as `cosign save` does.
    NotKept,
    /// As the registry lists them, and the index under the tag, if there is one: an image copied from a registry
    /// without such a list brings that index along.
    Listed(Vec<Digest>, Option<Vec<u8>>),
    /// As listed by the index under a tag, in a registry that does not list them itself; `None` if there is no such
    /// tag.
    Tagged(Option<Vec<u8>>),
}

impl Store for Client {
    fn referrers(&self, digest: &Digest) -> Result<Referrers> {
        let listed = Client::referrers(self, digest)?;
        let tagged = self.manifest(&bundle::tag(digest))?.map(|found| found.bytes);
        Ok(match listed {
            Some(listed) => Referrers::Listed(listed, tagged),
            None => Referrers::Tagged(tagged),
        })
    }

    fn batch(&self, wanted: &[Wanted]) -> Vec<Result<Option<Got>>> {
        Client::batch(self, wanted)
    }

    fn attached(&self, digest: &Digest, kind: Kind) -> Option<Wanted> {
        Some(Wanted::Tagged(kind.tag(digest)))
    }
}

/// An OCI image layout (image specification v1.1, "Image Layout") as written by `cosign save`: one image with what is
/// attached to it.
pub struct Layout {
    path: PathBuf,
    saved: Saved,
}

impl Layout {
    /// Opens the directory.
    ///
    /// # Errors
    /// When it is not a layout, or holds anything but one image and what is attached to it.
    pub fn open(path: &Path) -> Result<Self> {
        // Commands run in another directory, where the public key is.
        let path = path.canonicalize().with_context(|| format!("looking for `{}`", path.display()))?;
        let file = path.join("index.json");
        let remedy = || {
            format!("reading `{}`: is it a directory that `cargo xtask verify --save` made?", file.display())
        };
        let bytes = file::read(&file, MAX_SIZE).with_context(remedy)?;
        let bytes = bytes.with_context(|| format!("there is no `{}`", file.display()))?;
        let saved = Saved::parse(&bytes).with_context(remedy)?;
        Ok(Self { path, saved })
    }

    /// The digest of the image in it.
    #[must_use]
    pub fn image(&self) -> &Digest {
        &self.saved.image
    }

    /// The directory.
    pub(in crate::verify) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads every blob completely: its bytes must match the digest in its name. If one has other bytes, that is the
    /// error, whatever else cannot be read.
    pub(in crate::verify) fn check(&self) -> Result<()> {
        let blobs = self.path.join("blobs").join("sha256");
        let doing = || format!("listing `{}`", blobs.display());
        let mut checked = Ok(());
        for entry in fs::read_dir(&blobs).with_context(doing)? {
            let name = entry.with_context(doing)?.file_name();
            let digest = format!("sha256:{}", name.to_string_lossy()).parse();
            let digest = digest.with_context(|| format!("a file in `{}` is no blob", blobs.display()));
            match digest.and_then(|digest| self.has_blob(&digest)) {
                Err(error) if is_wrong(&error) => return Err(error),
                found => checked = checked.and(found.map(drop)),
            }
        }
        checked
    }

    fn file(&self, digest: &Digest) -> PathBuf {
        self.path.join("blobs").join("sha256").join(digest.hex())
    }
}

impl Layout {
    fn blob(&self, digest: &Digest) -> Result<Option<Vec<u8>>> {
        let file = self.file(digest);
        let bytes = file::read(&file, MAX_SIZE).with_context(|| format!("reading `{}`", file.display()))?;
        if let Some(bytes) = &bytes {
            DigestMismatch::check_bytes(&format!("`{}`", file.display()), bytes, digest)?;
        }
        Ok(bytes)
    }

    /// Reads a layer completely: a registry is trusted to have what it lists, but this disk is not.
    fn has_blob(&self, digest: &Digest) -> Result<bool> {
        let path = self.file(digest);
        let doing = || format!("reading `{}`", path.display());
        let Some(file) = file::open(&path, MAX_LAYER_SIZE).with_context(doing)? else { return Ok(false) };
        let found = Digest::of_reader(file).with_context(doing)?;
        DigestMismatch::check_digest(&format!("`{}`", path.display()), found, digest)?;
        Ok(true)
    }
}

impl Layers for Layout {
    fn layer(&self, digest: &Digest, _scratch: &Path) -> Result<Option<PathBuf>> {
        Ok(self.has_blob(digest)?.then(|| self.file(digest)))
    }
}

impl Store for Layout {
    fn referrers(&self, _digest: &Digest) -> Result<Referrers> {
        Ok(Referrers::NotKept)
    }

    fn batch(&self, wanted: &[Wanted]) -> Vec<Result<Option<Got>>> {
        let answer = |wanted: &Wanted| match wanted {
            Wanted::Manifest(digest) | Wanted::Blob(digest) => Ok(self.blob(digest)?.map(Got::Bytes)),
            Wanted::Tagged(tag) => bail!("a directory has no tags, so it has no `{tag}`"),
            Wanted::HasBlob(digest) => Ok(self.has_blob(digest)?.then_some(Got::There)),
            Wanted::Referrers(_) => bail!("a directory has no list of what refers to an image"),
        };
        wanted.iter().map(answer).collect()
    }

    fn base(&self, digest: &Digest) -> Option<Result<Vec<u8>>> {
        let missing = || format!("the directory has no manifest `{digest}` of the base image");
        Some(self.blob(digest).and_then(|found| found.with_context(missing)))
    }

    fn attached(&self, image: &Digest, kind: Kind) -> Option<Wanted> {
        let found = match kind {
            Kind::Signatures => &self.saved.signatures,
            Kind::Attestations => &self.saved.attestations,
        };
        found.clone().filter(|_| image == self.image()).map(Wanted::Manifest)
    }
}

#[cfg(test)]
mod tests {
    use super::{Layout, Saved, Store as _};
    use crate::evidence::attached::Kind;
    use crate::oci::reference::Digest;
    use crate::oci::registry::Wanted;
    use crate::process::temp_dir::TempDir;
    use crate::verify::claim::Unavailable;
    use crate::verify::observe::seen;
    use nix::sys::stat::Mode;
    use serde_json::json;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;
    use std::sync::mpsc;
    use std::time::Duration;

    /// A layout at `path` whose image has signatures and attestations.
    fn layout(path: &Path) -> Layout {
        let [image, signatures, attestations] =
            [b"image".as_slice(), b"signatures", b"attestations"].map(Digest::of);
        let saved = Saved { image, signatures: Some(signatures), attestations: Some(attestations) };
        Layout { path: path.to_owned(), saved }
    }

    /// What `Layout::check` and `Layout::blob` say about a blob that `make` creates at a path; `None` if they do not
    /// return.
    fn said(make: fn(&Path)) -> [Option<String>; 2] {
        let scratch = TempDir::new().unwrap();
        let blobs = scratch.path().join("blobs/sha256");
        fs::create_dir_all(&blobs).unwrap();
        let digest = Digest::of(b"blob");
        let index = "application/vnd.oci.image.index.v1+json";
        let kind = json!({ "kind": "dev.cosignproject.cosign/imageIndex" });
        let entry = json!({ "mediaType": index, "size": 4, "digest": digest, "annotations": kind });
        let saved = json!({ "schemaVersion": 2, "mediaType": index, "manifests": [entry] });
        fs::write(scratch.path().join("index.json"), saved.to_string()).unwrap();
        make(&blobs.join(digest.hex()));
        let (layout, (sender, answer)) = (Layout::open(scratch.path()).unwrap(), mpsc::channel());
        std::thread::spawn(move || {
            for result in [layout.check(), layout.blob(&digest).map(drop)] {
                sender
                    .send(result.map_or_else(|error| format!("{error:#}"), |()| "fine".to_owned()))
                    .unwrap();
            }
        });
        [(); 2].map(|()| answer.recv_timeout(Duration::from_secs(20)).ok())
    }

    #[test]
    fn wrong_bytes_are_reported_whatever_else_lies_beside_them() {
        type Stray = fn(&Path, u8);
        let strays: [Stray; 2] = [
            |blobs, number| fs::write(blobs.join(format!("stray-{number}")), b"").unwrap(),
            |blobs, number| fs::create_dir(blobs.join(Digest::of(&[number]).hex())).unwrap(),
        ];
        for stray in strays {
            let scratch = TempDir::new().unwrap();
            let blobs = scratch.path().join("blobs/sha256");
            fs::create_dir_all(&blobs).unwrap();
            let layout = layout(scratch.path());
            let check = || seen(layout.check());
            // A directory is listed in any order.
            (0..8).for_each(|number| stray(&blobs, number));
            assert!(matches!(check(), Err(Unavailable::Failed(_))), "{:?}", check());
            fs::write(blobs.join(Digest::of(b"blob").hex()), b"other").unwrap();
            (8..16).for_each(|number| stray(&blobs, number));
            assert!(matches!(check(), Err(Unavailable::Invalid(_))), "{:?}", check());
        }
    }

    #[test]
    fn what_is_attached_is_attached_to_the_image_of_the_layout() {
        let scratch = TempDir::new().unwrap();
        let layout = layout(scratch.path());
        for (kind, expected) in
            [(Kind::Signatures, b"signatures".as_slice()), (Kind::Attestations, b"attestations")]
        {
            let of = |image: &[u8]| layout.attached(&Digest::of(image), kind);
            assert_eq!(of(b"image"), Some(Wanted::Manifest(Digest::of(expected))));
            assert_eq!(of(b"platform"), None);
        }
    }

    #[test]
    fn only_a_regular_file_of_a_reasonable_size_is_read_as_a_blob() {
        type Case = (fn(&Path), &'static str);
        let cases: [Case; 6] = [
            (|path| fs::write(path, b"blob").unwrap(), "fine"),
            (|path| nix::unistd::mkfifo(path, Mode::S_IRWXU).unwrap(), "it is not a file"),
            (|path| symlink("/dev/zero", path).unwrap(), "it is a symbolic link"),
            (|path| fs::create_dir(path).unwrap(), "it is not a file"),
            (|path| fs::write(path, b"other").unwrap(), "sha256:"),
            (|path| fs::File::create(path).unwrap().set_len(9 << 30).unwrap(), "it is larger than"),
        ];
        for (make, expected) in cases {
            for found in said(make) {
                assert!(
                    found.as_ref().is_some_and(|found| found.contains(expected)),
                    "{expected}: {found:?}"
                );
            }
        }
    }
}
