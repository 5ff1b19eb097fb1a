//! The files of the history: reads them and checks that they agree.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use semver::Version;

use super::{Entry, HISTORY, Key, Keys, PublicKey, endorsement_file, lowest, public_file, read};
use crate::inputs::{PUBLIC_KEY, Reader, in_work_tree};

/// In bytes. cosign's signatures are shorter than 100.
const MAX_ENDORSEMENT_LEN: usize = 512;

impl Keys {
    /// Reads the history and the files that it names, from a commit or a work tree. The inner result says whether they
    /// are valid.
    ///
    /// # Errors
    /// The outer result: when `files` fails. The inner result: when a file is missing or malformed, or `cosign.pub` is
    /// not the last key.
    pub fn read(files: Reader<'_>) -> Result<Result<Self>> {
        let mut found = files(&[PUBLIC_KEY.to_owned(), HISTORY.to_owned()])?.into_iter();
        let (current, entries) = match listed(found.next().flatten(), found.next().flatten()) {
            Ok(listed) => listed,
            Err(error) => return Ok(Err(error)),
        };
        let Some(entries) = entries else { return Ok(Ok(Self::of_one(current))) };
        let numbers = 1..=entries.len();
        let paths: Vec<_> =
            numbers.flat_map(|number| [public_file(number), endorsement_file(number)]).collect();
        Ok(with_files(&current, entries, files(&paths)?))
    }

    /// The history in the work tree at `root`, if it has one.
    ///
    /// # Errors
    /// As both results of [`Keys::read`].
    pub fn of_work_tree(root: &Path) -> Result<Option<Self>> {
        if in_work_tree(root, HISTORY)?.is_none() {
            return Ok(None);
        }
        let files = |paths: &[String]| paths.iter().map(|path| in_work_tree(root, path)).collect();
        Self::read(&files)?.map(Some)
    }

    /// For a repository without a history: one key for every version.
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
}

/// The current key, and the entries of the list if there is one.
fn listed(current: Option<Vec<u8>>, history: Option<Vec<u8>>) -> Result<(PublicKey, Option<Vec<Entry>>)> {
    let current = current.with_context(|| format!("there is no `{PUBLIC_KEY}`"))?;
    let current = PublicKey::parse(&current).with_context(|| format!("reading `{PUBLIC_KEY}`"))?;
    let entries = history.map(|bytes| read(&bytes)).transpose();
    Ok((current, entries.with_context(|| format!("reading `{HISTORY}`"))?))
}

/// The keys of `entries`. `found` has the contents of each key's two files. The last key must be the current one.
fn with_files(current: &PublicKey, entries: Vec<Entry>, found: Vec<Option<Vec<u8>>>) -> Result<Keys> {
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
    if let Some(last) = keys.last().filter(|last| last.public != *current) {
        bail!(
            "`{PUBLIC_KEY}` has the fingerprint {}, and the last key of `{HISTORY}` has {}: they must be the same key",
            current.fingerprint(),
            last.public.fingerprint()
        );
    }
    Ok(Keys { keys, is_written: true })
}

/// One line of base64, in cosign's form.
fn signature(bytes: &[u8]) -> Result<String> {
    ensure!(bytes.len() <= MAX_ENDORSEMENT_LEN, "it has {} bytes: expected a signature", bytes.len());
    let text = std::str::from_utf8(bytes).context("it is not text")?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let decoded = STANDARD.decode(text).context("it is not one line of base64")?;
    ensure!(!decoded.is_empty(), "it is empty");
    Ok(text.to_owned())
}
