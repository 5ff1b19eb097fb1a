//! The history of the project's keys, in `keys/`: which key signs which versions, and that each one was named by the one
//! before it. A repository without it has one key, its `cosign.pub`.
//!
//! | file | is |
//! |---|---|
//! | `keys/history.toml` | the list, the oldest first ([`read`]) |
//! | `keys/0001.pub` | the public key of the first entry, as PEM; `0002.pub` of the second, and so on |
//! | `keys/0002.endorsement` | the signature of key 1 over the [`statement`] about key 2, as cosign writes it: base64 of an ECDSA signature in DER |

mod public_key;
mod read;

use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use semver::Version;

use crate::inputs::version::ReleaseTag;
use crate::inputs::{PUBLIC_KEY, Reader};
use crate::oci::reference::Digest;

pub use public_key::PublicKey;
pub use read::{Entry, check_words, read};

/// Where they are.
pub const DIRECTORY: &str = "keys";
/// The list.
pub const HISTORY: &str = "keys/history.toml";
/// The first line of a [`statement`]: no image signature or attestation begins so, and no later form of a statement.
const STATEMENT: &str = "xtask-key-endorsement/1";
/// cosign's are below 100 bytes.
const LONGEST_ENDORSEMENT: usize = 512;

/// Every key, the oldest first; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The keys in the order in which they sign.
    pub keys: Vec<Key>,
    /// Whether there is a history; else the one key is `cosign.pub`.
    pub is_written: bool,
}

/// One key of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// What the list says of it.
    pub entry: Entry,
    /// The public key.
    pub public: PublicKey,
    /// The signature of the key before it over the [`statement`], in base64; none for the first, and for one that is not endorsed.
    pub endorsement: Option<String>,
}

/// What the key before it has to have signed for a key to be endorsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endorsement<'a> {
    /// The number of the endorsed key; the first key of a history is 1.
    pub number: usize,
    /// The public half of the key that signs.
    pub by: &'a PublicKey,
    /// The signature, in base64.
    pub signature: &'a str,
    /// What is signed.
    pub statement: String,
}

/// What the key with the fingerprint `old` signs to endorse the one with the fingerprint `new`, which signs the versions from
/// `from` on. To the byte: four lines, each ended by a line feed.
#[must_use]
pub fn statement(old: &Digest, new: &Digest, from: &Version) -> String {
    format!("{STATEMENT}\nold {old}\nnew {new}\nfrom {from}\n")
}

/// The file of the key with this number.
#[must_use]
pub fn public_file(number: usize) -> String {
    format!("{DIRECTORY}/{number:04}.pub")
}

/// The file with the endorsement of the key with this number.
#[must_use]
pub fn endorsement_file(number: usize) -> String {
    format!("{DIRECTORY}/{number:04}.endorsement")
}

impl Keys {
    /// Reads the history and the files that it names, from a commit or a work tree. The inner result is what they are.
    ///
    /// # Errors
    /// The outer result's: when `files` fails. The inner one's: when a file is missing or not of its form, or `cosign.pub` is
    /// not the last key.
    pub fn read(files: Reader<'_>) -> Result<Result<Self>> {
        let mut found = files(&[PUBLIC_KEY.to_owned(), HISTORY.to_owned()])?.into_iter();
        let (present, entries) = match listed(found.next().flatten(), found.next().flatten()) {
            Ok(listed) => listed,
            Err(error) => return Ok(Err(error)),
        };
        let Some(entries) = entries else { return Ok(Ok(Self::of_one(present))) };
        let numbers = 1..=entries.len();
        let paths: Vec<_> =
            numbers.flat_map(|number| [public_file(number), endorsement_file(number)]).collect();
        Ok(with_files(&present, entries, files(&paths)?))
    }

    /// The history in the work tree at `root`, where it has one.
    ///
    /// # Errors
    /// As both of [`Keys::read`].
    pub fn of_work_tree(root: &Path) -> Result<Option<Self>> {
        if in_work_tree(root, HISTORY)?.is_none() {
            return Ok(None);
        }
        let files = |paths: &[String]| paths.iter().map(|path| in_work_tree(root, path)).collect();
        Self::read(&files)?.map(Some)
    }

    /// What a repository without a history has: one key for every version.
    fn of_one(public: PublicKey) -> Self {
        let entry = Entry {
            fingerprint: public.fingerprint(),
            from: Version { pre: lowest(), ..Version::new(0, 0, 0) },
            also: Vec::new(),
            unendorsed: None,
            retired: false,
        };
        Self { keys: vec![Key { entry, public, endorsement: None }], is_written: false }
    }

    /// The number of the key that signs `tag`, and the key: the last one that begins at or below that version, unless another
    /// one lists it.
    #[must_use]
    pub fn of_version(&self, tag: &ReleaseTag) -> Option<(usize, &Key)> {
        let version = tag.version();
        let numbered = || (1..).zip(&self.keys);
        let listed = numbered().find(|(_, key)| key.entry.also.contains(version));
        listed.or_else(|| numbered().filter(|(_, key)| key.entry.from <= *version).last())
    }

    /// The number of the key with this fingerprint.
    #[must_use]
    pub fn number_of(&self, fingerprint: &Digest) -> Option<usize> {
        (1..).zip(&self.keys).find(|(_, key)| key.entry.fingerprint == *fingerprint).map(|(number, _)| number)
    }

    /// Every endorsement that there is, for cosign to judge.
    #[must_use]
    pub fn endorsements(&self) -> Vec<Endorsement<'_>> {
        let pairs = (2..).zip(self.keys.windows(2));
        let endorsed = pairs.filter_map(|(number, pair)| {
            let [old, new] = pair else { return None };
            let statement = statement(&old.entry.fingerprint, &new.entry.fingerprint, &new.entry.from);
            let signature = new.endorsement.as_deref()?;
            Some(Endorsement { number, by: &old.public, signature, statement })
        });
        endorsed.collect()
    }

    /// Those that somebody may still meet: the present one, and the one before it unless it is retired or did not name its
    /// successor, which then has no reason to be trusted beside it.
    #[must_use]
    pub fn accepted(&self) -> Vec<(usize, &Key)> {
        let mut accepted = Vec::new();
        let mut is_endorsed = true;
        for (number, key) in (1..).zip(&self.keys).collect::<Vec<_>>().into_iter().rev().take(2) {
            if is_endorsed && !key.entry.retired {
                accepted.push((number, key));
            }
            is_endorsed = key.endorsement.is_some();
        }
        accepted.reverse();
        accepted
    }
}

/// The pre-release that is below every other one.
fn lowest() -> semver::Prerelease {
    semver::Prerelease::new("0").expect("`0` is a pre-release")
}

/// The lowest version above `tag`, as a key that follows it begins there: `1.2.4-0` after `v1.2.3`, `1.3.0-rc.1.0` after
/// `v1.3.0-rc.1`.
///
/// # Errors
/// When there is no such version.
pub fn next_version(tag: &ReleaseTag) -> Result<Version> {
    let version = tag.version();
    if version.pre.is_empty() {
        let patch = version.patch.checked_add(1).with_context(|| format!("no version follows `{tag}`"))?;
        return Ok(Version { pre: lowest(), ..Version::new(version.major, version.minor, patch) });
    }
    let next = format!("{version}.0");
    Version::parse(&next).with_context(|| format!("no version follows `{tag}`"))
}

/// The file `path` of the work tree at `root`, where it has one.
///
/// # Errors
/// When it is there and cannot be read.
pub fn in_work_tree(root: &Path, path: &str) -> Result<Option<Vec<u8>>> {
    match std::fs::read(root.join(path)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading `{path}`")),
    }
}

/// The present key, and what the list says where there is one.
fn listed(present: Option<Vec<u8>>, history: Option<Vec<u8>>) -> Result<(PublicKey, Option<Vec<Entry>>)> {
    let present = present.with_context(|| format!("there is no `{PUBLIC_KEY}`"))?;
    let present = PublicKey::parse(&present).with_context(|| format!("reading `{PUBLIC_KEY}`"))?;
    let entries = history.map(|bytes| read(&bytes)).transpose();
    Ok((present, entries.with_context(|| format!("reading `{HISTORY}`"))?))
}

/// The keys of `entries`, with what was `found` of each one's two files; the last is the present one.
fn with_files(present: &PublicKey, entries: Vec<Entry>, found: Vec<Option<Vec<u8>>>) -> Result<Keys> {
    let mut found = found.into_iter();
    let mut keys: Vec<Key> = Vec::new();
    for (number, entry) in (1..).zip(entries) {
        let (public, endorsement) = (found.next().flatten(), found.next().flatten());
        let (file, name) = (public_file(number), endorsement_file(number));
        let public = public.with_context(|| format!("there is no `{file}`, key {number} of `{HISTORY}`"))?;
        let public = PublicKey::parse(&public).with_context(|| format!("reading `{file}`"))?;
        ensure!(
            public.fingerprint() == entry.fingerprint,
            "`{file}` has the fingerprint {}, and `{HISTORY}` says {}",
            public.fingerprint(),
            entry.fingerprint
        );
        let endorsement = endorsement.map(|bytes| signature(&bytes)).transpose();
        let endorsement = endorsement.with_context(|| format!("reading `{name}`"))?;
        match (&endorsement, &entry.unendorsed, number) {
            (None, None, 1) | (Some(_), None, 2..) | (None, Some(_), 2..) => {}
            (Some(_), _, 1) => bail!("there is a `{name}`, and no key before the first could have made it"),
            (Some(_), _, _) => bail!("key {number} of `{HISTORY}` is `unendorsed`, and there is a `{name}`"),
            (None, _, _) => bail!(
                "there is no `{name}`; if the key before it could not sign it, say so with `unendorsed` in `{HISTORY}`"
            ),
        }
        keys.push(Key { entry, public, endorsement });
    }
    if let Some(last) = keys.last().filter(|last| last.public != *present) {
        bail!(
            "`{PUBLIC_KEY}` has the fingerprint {}, and the last key of `{HISTORY}` has {}: they must be the same key",
            present.fingerprint(),
            last.public.fingerprint()
        );
    }
    Ok(Keys { keys, is_written: true })
}

/// One line of base64, as cosign takes it.
fn signature(bytes: &[u8]) -> Result<String> {
    ensure!(bytes.len() <= LONGEST_ENDORSEMENT, "it has {} bytes: expected a signature", bytes.len());
    let text = std::str::from_utf8(bytes).context("it is not text")?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let decoded = STANDARD.decode(text).context("it is not one line of base64")?;
    ensure!(!decoded.is_empty(), "it is empty");
    Ok(text.to_owned())
}

#[cfg(test)]
pub(crate) mod tests;
