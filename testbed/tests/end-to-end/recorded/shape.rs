//! The form of a recording: its files, and the keys of its JSON, without what differs from one release to the next.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use serde_json::{Deserializer, Value};

/// Every file below `dir`, with its path relative to it.
fn files(dir: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("listing `{}`", dir.display()))? {
        let path = entry?.path();
        let name = path.file_name().context("an entry has a name")?.to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(files(&path)?.into_iter().map(|(below, path)| (format!("{name}/{below}"), path)));
        } else {
            found.push((name, path));
        }
    }
    found.sort();
    Ok(found)
}

/// Copies the recording in `from` to `to`, which must not exist.
pub(super) fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to.parent().unwrap_or(to))
        .and_then(|()| fs::create_dir(to))
        .context("TESTBED_RECORD")?;
    for (name, path) in files(from)? {
        let place = to.join(name);
        fs::create_dir_all(place.parent().context("a file is in a directory")?)?;
        fs::copy(path, place)?;
    }
    Ok(())
}

/// Calls `look` with each file of the recording in `dir`, unpacked.
pub(super) fn each(dir: &Path, look: &mut dyn FnMut(&str, &[u8]) -> Result<()>) -> Result<()> {
    for (name, path) in files(dir)? {
        let bytes = fs::read(&path)?;
        let mut unpacked = Vec::new();
        match name.strip_suffix(".gz") {
            Some(_) => GzDecoder::new(&bytes[..]).read_to_end(&mut unpacked).map(|_| ())?,
            None => unpacked = bytes,
        }
        look(&name, &unpacked)?;
    }
    Ok(())
}

/// The form of the recording in `dir`.
pub(super) fn of(dir: &Path) -> Result<BTreeSet<String>> {
    let mut lines = BTreeSet::new();
    each(dir, &mut |name, bytes| {
        let name = without_digests(name);
        lines.insert(name.clone());
        let depth = match name.split('/').next() {
            // `xtask`'s facts about a layer are not a format of a release, and the base image is somebody else's.
            Some("layers" | "base" | "commit") => 0,
            _ => usize::MAX,
        };
        for value in Deserializer::from_slice(bytes).into_iter::<Value>().map_while(Result::ok) {
            keys(&value, &name, depth, &mut lines);
        }
        Ok(())
    })?;
    Ok(lines)
}

/// Adds the keys of `value`, including those inside an envelope.
fn keys(value: &Value, place: &str, depth: usize, lines: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) if depth > 0 => {
            for (key, value) in fields {
                let place = format!("{place} {}", without_digests(key));
                lines.insert(place.clone());
                let payload = value.as_str().filter(|_| key == "payload");
                let payload = payload.and_then(|text| STANDARD.decode(text).ok());
                match payload.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok()) {
                    Some(statement) => keys(&statement, &place, depth - 1, lines),
                    None => keys(value, &place, depth - 1, lines),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keys(item, place, depth, lines)),
        _ => {}
    }
}

/// `text` with every digest replaced by `*`.
fn without_digests(text: &str) -> String {
    let is_digest = |word: &str| word.len() == 64 && word.chars().all(|c| c.is_ascii_hexdigit());
    let parts = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()).map(|part| {
        let word = part.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        if is_digest(word) { part.replace(word, "*") } else { part.to_owned() }
    });
    parts.collect()
}
