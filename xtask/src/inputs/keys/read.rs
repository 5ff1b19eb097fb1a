//! `keys/history.toml`: one table `[[key]]` per key, the oldest first.

use anyhow::{Context as _, Result, ensure};
use semver::Version;
use serde::Deserialize;

use crate::inputs::toml;
use crate::inputs::version::ReleaseTag;
use crate::oci::reference::Digest;

/// Enough for one key a year for a century.
const MAX_KEYS: usize = 100;
const MAX_LEN: usize = 64 << 10;
/// The longest reason for a key that is not endorsed, in bytes.
const MAX_WORDS_LEN: usize = 300;
const TABLE: &str = "[[key]]";

/// An entry of the list: one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The SHA-256 of the public key in DER.
    pub fingerprint: Digest,
    /// The first version that it signs. The last one is below the first version of the next key.
    pub from: Version,
    /// Versions below `from` that it also signs: those of an older line, released after the rotation.
    pub also: Vec<Version>,
    /// The reason, if the key before it has not endorsed it.
    pub unendorsed: Option<String>,
    /// Whether policies for podman and skopeo no longer accept it.
    pub retired: bool,
}

/// The entry as written. Its texts are parsed later, so that an error can name the line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    fingerprint: String,
    from: String,
    #[serde(default)]
    also: Vec<String>,
    unendorsed: Option<String>,
    #[serde(default)]
    retired: bool,
}

/// Parses the list. Errors name the line.
///
/// # Errors
/// When it is not such a list, or two of its keys could apply to one version.
pub fn read(bytes: &[u8]) -> Result<Vec<Entry>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct List {
        #[serde(default)]
        key: Vec<Written>,
    }
    ensure!(bytes.len() <= MAX_LEN, "it has {} bytes: expected {MAX_LEN} at most", bytes.len());
    let text = std::str::from_utf8(bytes).context("it is not UTF-8")?;
    let List { key: written } = toml::parse(text)?;
    let lines: Vec<_> =
        (1..).zip(text.lines()).filter(|(_, line)| line.trim() == TABLE).map(|(line, _)| line).collect();
    ensure!(lines.len() == written.len(), "write each key as a table of its own, under a line `{TABLE}`");
    ensure!(!written.is_empty(), "it names no key: expected a table `{TABLE}` for each");
    ensure!(written.len() <= MAX_KEYS, "it names {} keys: expected {MAX_KEYS} at most", written.len());
    let mut entries = Vec::new();
    for (line, written) in lines.iter().zip(written) {
        let doing = || format!("line {line}, key {}", entries.len() + 1);
        let entry = parse(written).with_context(doing)?;
        check(&entry, &entries).with_context(doing)?;
        entries.push(entry);
    }
    if let (Some(line), Some(last)) = (lines.last(), entries.last()) {
        ensure!(
            !last.retired,
            "line {line}, key {}: `retired` is for a key that no longer signs, and this one signs what comes next: take \
             the line out, or `cargo xtask rotate DIR` first",
            entries.len()
        );
    }
    Ok(entries)
}

fn parse(written: Written) -> Result<Entry> {
    let Written { fingerprint, from, also, unendorsed, retired } = written;
    let fingerprint = fingerprint.parse().context("reading `fingerprint`")?;
    let also = also.iter().map(|text| version(text)).collect::<Result<_>>()?;
    Ok(Entry { fingerprint, from: version(&from)?, also, unendorsed, retired })
}

/// A version as in a release tag, without the `v`.
fn version(text: &str) -> Result<Version> {
    let tag = format!("v{text}").parse::<ReleaseTag>();
    let tag = tag.with_context(|| format!("`{text}` is not a version that a release can have"))?;
    Ok(tag.version().clone())
}

/// Checks that `entry` may follow the entries `before` it.
fn check(entry: &Entry, before: &[Entry]) -> Result<()> {
    if let Some(older) = before.last() {
        ensure!(
            older.from < entry.from,
            "`from` is {}, and the key before it begins at {}: expected a later one",
            entry.from,
            older.from
        );
    }
    ensure!(
        !before.iter().any(|older| older.fingerprint == entry.fingerprint),
        "{} is the fingerprint of a key before it as well",
        entry.fingerprint
    );
    for (index, version) in entry.also.iter().enumerate() {
        ensure!(*version < entry.from, "`also` has {version}, which is not below `from`, {}", entry.from);
        let listed = before.iter().any(|older| older.also.contains(version));
        ensure!(
            !listed && !entry.also[..index].contains(version),
            "`also` has {version}, which is listed before"
        );
    }
    if before.is_empty() {
        ensure!(entry.also.is_empty(), "the first key needs no `also`: let `from` be its first version");
        ensure!(entry.unendorsed.is_none(), "the first key cannot be `unendorsed`: no key was before it");
    }
    entry.unendorsed.as_deref().map_or(Ok(()), check_words)
}

/// Checks that `words` can be the reason why a key is not endorsed.
///
/// # Errors
/// When they are empty, too long, or not one line.
pub fn check_words(words: &str) -> Result<()> {
    let is_shown = words.len() <= MAX_WORDS_LEN && !words.chars().any(char::is_control);
    ensure!(
        is_shown && !words.trim().is_empty(),
        "`unendorsed` must say why, in one line of at most {MAX_WORDS_LEN} bytes"
    );
    Ok(())
}
