//! Statements by people who say that they have rebuilt the released commit. Anyone with push access can add one, so
//! the list is information only and makes no claim true or false.

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;

use crate::evidence::bundle::layer_of;
use crate::evidence::envelope::{open, pae};
use crate::evidence::rebuild::{self, KNOWN_KEYS};
use crate::inputs::keys::PublicKey;
use crate::oci::reference::{Digest, Tag};
use crate::tool::git::Git;

use super::Verifier;
use super::observe::{SharedClone, deciding};

/// At most this many statements are looked at.
const MAX: usize = 20;

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rebuild {
    /// The first digits of the fingerprint of the key that its tag names.
    pub key: String,
    /// The name under which the default branch lists that key; `None` if it does not.
    pub by: Option<String>,
    /// What it says, or why it was not looked at, for people.
    pub says: String,
}

/// A key that the default branch lists.
struct Known {
    name: String,
    key: PublicKey,
}

/// The statements about `digest` among all `tags` of its registry.
#[must_use]
pub fn list(
    verifier: &Verifier<'_>,
    git: &Git,
    shared: &SharedClone,
    tags: &[String],
    digest: &Digest,
) -> Vec<Rebuild> {
    let mut found: Vec<_> =
        tags.iter().filter_map(|tag| Some((tag, rebuild::digits(tag, digest)?))).collect();
    if found.is_empty() {
        return Vec::new();
    }
    let known = known(git, shared).map_err(|error| format!("the known keys could not be read: {error:#}"));
    let key_of = |tag: &str| {
        let known = known.as_ref().ok()?;
        known.iter().find(|known| rebuild::tag(digest, &known.key.fingerprint()).as_str() == tag)
    };
    // Known keys come first, so nobody can hide them by filling the registry with tags of unknown keys.
    found.sort_by_key(|(tag, _)| key_of(tag).is_none());
    found.truncate(MAX);
    let one = |(tag, digits): (&String, &str)| {
        let key = key_of(tag);
        let says = match (&known, key) {
            (Err(why), _) => why.clone(),
            (Ok(_), None) => format!("not looked at: the key is not in `{KNOWN_KEYS}` of the default branch"),
            (Ok(_), Some(known)) => match read_statement(verifier, tag, digest, &known.key) {
                Ok(true) => "the commit gives the same content, and the same digest".to_owned(),
                Ok(false) => "the commit gives the same content, with another digest".to_owned(),
                Err(error) => format!("no statement of that key: {error:#}"),
            },
        };
        Rebuild { key: digits.to_owned(), by: key.map(|known| known.name.clone()), says }
    };
    found.into_iter().map(one).collect()
}

/// The keys that the default branch lists, or the branch that is checked out if the clone does not know the
/// default branch.
fn known(git: &Git, shared: &SharedClone) -> Result<Vec<Known>> {
    let Some((at, _)) = deciding(git, shared)? else { return Ok(Vec::new()) };
    let paths = git.names_in(&at, KNOWN_KEYS)?;
    let paths: Vec<_> = paths.into_iter().filter(|path| path.ends_with(".pub")).collect();
    let files = git.files_at(&at, &paths)?;
    let key = |(path, bytes): (&String, Option<Vec<u8>>)| {
        let bytes = bytes.with_context(|| format!("there is no `{path}`"))?;
        let key = PublicKey::parse(&bytes).with_context(|| format!("reading `{path}` of {at}"))?;
        let name = path.rsplit('/').next().unwrap_or_default().trim_end_matches(".pub").to_owned();
        Ok(Known { name, key })
    };
    paths.iter().zip(files).map(key).collect()
}

/// Reads the statement under `tag`, which must be signed by `key`. Returns whether the digest was the same too.
fn read_statement(verifier: &Verifier<'_>, tag: &str, digest: &Digest, key: &PublicKey) -> Result<bool> {
    let registry = verifier.registry;
    let manifest =
        registry.manifest(&tag.parse::<Tag>()?)?.with_context(|| format!("there is no `{tag}`"))?;
    let layer = layer_of(&manifest.bytes)?;
    let envelope = registry.blob(&layer)?.with_context(|| format!("there is no `{layer}`"))?;
    let opened = open(&envelope)?;
    let cosign = &verifier.anonymous.cosign;
    let judged = cosign.verify_blob(key.pem().as_bytes(), &opened.signature, &pae(&opened.payload))?;
    ensure!(judged.is_ok(), "cosign does not accept it: {}", judged.err().unwrap_or_default());
    rebuild::read(&envelope, &verifier.release, digest)
}
