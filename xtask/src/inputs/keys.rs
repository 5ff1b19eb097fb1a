//! The history of the project's keys, in `keys/`: which key signs which versions, and the endorsement of each key by
//! the one before it. A repository without a history has a single key, its `cosign.pub`.
//!
//! | file | content |
//! |---|---|
//! | `keys/history.toml` | the list, the oldest first ([`read`]) |
//! | `keys/0001.pub` | the public key of the first entry, as PEM; `0002.pub` of the second, and so on |
//! | `keys/0002.endorsement` | the signature of key 1 over the [`statement`] about key 2, as cosign writes it: base64 of an ECDSA signature in DER |

mod files;
mod read;
mod released;

use anyhow::{Context as _, Result};
use semver::Version;

use crate::inputs::version::ReleaseTag;
use crate::oci::reference::Digest;

pub use crate::tool::cosign::PublicKey;
pub use read::{Entry, check_words, read};
pub use released::{Released, TAKE_BACK, check_released, released};

/// The folder of the history.
pub const DIRECTORY: &str = "keys";
/// The list of the keys.
pub const HISTORY: &str = "keys/history.toml";
/// The first line of a [`statement`]. No image signature or attestation begins with it, and a later form of the
/// statement will have another one.
const STATEMENT: &str = "xtask-key-endorsement/1";

/// All keys, the oldest first; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The keys in the order in which they sign.
    pub keys: Vec<Key>,
    /// Whether there is a history. Otherwise the only key is `cosign.pub`.
    pub is_written: bool,
}

/// One key of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The key's entry in the list.
    pub entry: Entry,
    /// The public key.
    pub public: PublicKey,
    /// The signature of the previous key over the [`statement`], in base64. `None` for the first key and for a key that
    /// is not endorsed.
    pub endorsement: Option<String>,
}

/// The endorsement of a key: what the previous key must have signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endorsement<'a> {
    /// The number of the endorsed key; the first key of a history is 1.
    pub number: usize,
    /// The public half of the signing key.
    pub by: &'a PublicKey,
    /// The signature, in base64.
    pub signature: &'a str,
    /// The [`statement`] that is signed.
    pub statement: String,
}

/// The statement that the key with the fingerprint `old` signs to endorse the key with the fingerprint `new`, which
/// signs the versions from `from` on. Its bytes are fixed: four lines, each ended by a line feed.
#[must_use]
pub fn statement(old: &Digest, new: &Digest, from: &Version) -> String {
    format!("{STATEMENT}\nold {old}\nnew {new}\nfrom {from}\n")
}

/// The path of the public key with this number.
#[must_use]
pub fn public_file(number: usize) -> String {
    format!("{DIRECTORY}/{number:04}.pub")
}

/// The path of the endorsement of the key with this number.
#[must_use]
pub fn endorsement_file(number: usize) -> String {
    format!("{DIRECTORY}/{number:04}.endorsement")
}

impl Keys {
    /// The key that signs `tag`, and its number: the key that lists the version in `also`, else the last one whose
    /// first version is not above it.
    #[must_use]
    pub fn of_version(&self, tag: &ReleaseTag) -> Option<(usize, &Key)> {
        let entries: Vec<_> = self.entries().collect();
        let number = number_for(&entries, tag.version())?;
        Some((number, self.keys.get(number - 1)?))
    }

    /// The entries of the list.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.keys.iter().map(|key| &key.entry)
    }

    /// The number of the key with this fingerprint.
    #[must_use]
    pub fn number_of(&self, fingerprint: &Digest) -> Option<usize> {
        (1..).zip(&self.keys).find(|(_, key)| key.entry.fingerprint == *fingerprint).map(|(number, _)| number)
    }

    /// All endorsements, for cosign to verify.
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

    /// The keys whose signatures are still in use: the current key and the one before it. The earlier key is left out
    /// if it is retired. It is also left out if it has not endorsed its successor, because then there is no reason to
    /// trust both.
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

/// The number of the entry for `version`, by the rule of [`Keys::of_version`].
fn number_for(entries: &[&Entry], version: &Version) -> Option<usize> {
    let listed = entries.iter().position(|entry| entry.also.contains(version));
    let index = listed.or_else(|| entries.iter().rposition(|entry| entry.from <= *version));
    index.map(|index| index + 1)
}

/// The lowest possible pre-release.
fn lowest() -> semver::Prerelease {
    semver::Prerelease::new("0").expect("`0` is a pre-release")
}

/// The lowest version above `tag`, where the range of the next key begins: `1.2.4-0` after `v1.2.3`, `1.3.0-rc.1.0`
/// after `v1.3.0-rc.1`.
///
/// # Errors
/// When there is no such version.
pub fn next_version(tag: &ReleaseTag) -> Result<Version> {
    let version = tag.version();
    if version.pre.is_empty() {
        return Ok(Version { pre: lowest(), ..tag.next_patch()? });
    }
    let next = format!("{version}.0");
    Version::parse(&next).with_context(|| format!("no version follows `{tag}`"))
}

#[cfg(test)]
pub(crate) mod tests;
