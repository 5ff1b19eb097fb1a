//! What a rotation adds to the list of keys and removes from the work tree, and the report at its end.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use semver::Version;

use crate::commands::keygen::{PASSWORD, PRIVATE_KEY};
use crate::inputs::PUBLIC_KEY;
use crate::inputs::config::Config;
use crate::inputs::in_work_tree;
use crate::inputs::keys::{DIRECTORY, Entry, HISTORY, Keys, public_file, read};
use crate::inputs::pin::document;
use crate::oci::reference::Digest;
use crate::process::file::if_any;
use crate::process::stdout;

const HEADING: &str = concat!(
    "# Every key that has signed releases, the oldest first. What each line means: ",
    document!("keys.md"),
    "\n# Written by `cargo xtask rotate`.\n"
);

/// Removes the endorsement that an earlier run, which had the old key, left behind.
pub(super) fn remove(root: &Path, path: &str) -> Result<()> {
    let removed = if_any(fs::remove_file(root.join(path)));
    removed.map(|_| ()).with_context(|| format!("removing `{path}`"))
}

/// The text of the list with `entry` added at its end. What people wrote into the file stays. `first` is the previous
/// key, if there is no list yet.
pub(super) fn history(root: &Path, first: Option<(Digest, Version)>, entry: &Entry) -> Result<String> {
    let found = in_work_tree(root, HISTORY)?;
    let mut text = match (found, first) {
        (Some(found), _) => String::from_utf8(found).with_context(|| format!("reading `{HISTORY}`"))?,
        (None, Some((fingerprint, from))) => format!("{HEADING}{}", table(&fingerprint, &from)),
        (None, None) => anyhow::bail!("`{HISTORY}` was there just now"),
    };
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text += &table(&entry.fingerprint, &entry.from);
    if let Some(words) = &entry.unendorsed {
        // A JSON string without control characters is also a TOML string.
        let words = serde_json::to_string(words).context("quoting the words of `--lost`")?;
        text += &format!("unendorsed = {words}\n");
    }
    read(text.as_bytes()).with_context(|| format!("adding the new key to `{HISTORY}`"))?;
    Ok(text)
}

fn table(fingerprint: &Digest, from: &Version) -> String {
    format!("\n[[key]]\nfingerprint = \"{fingerprint}\"\nfrom = \"{from}\"\n")
}

/// Reports what is there now, and what to do with it.
pub(super) fn report(root: &Path, config: &Config, directory: &Path) -> Result<()> {
    let keys = Keys::of_work_tree(root)?.with_context(|| format!("there is no `{HISTORY}`"))?;
    let (number, key) =
        (keys.keys.len(), keys.keys.last().with_context(|| format!("`{HISTORY}` names no key"))?);
    let (fingerprint, from) = (&key.entry.fingerprint, &key.entry.from);
    let before = number - 1;
    let endorsed = match &key.entry.unendorsed {
        None => format!("endorsed by key {before}"),
        Some(words) => format!("not endorsed: {words}"),
    };
    let (directory, name) = (directory.display(), config.repository.name.to_ascii_lowercase());
    let mut text = format!(
        "public key   {PUBLIC_KEY}, key {number} of {HISTORY}, {endorsed}\n\
         fingerprint  {fingerprint}\n\
         signs from   {from}\n\
         private key  {directory}/{PRIVATE_KEY}\n\
         password     {directory}/{PASSWORD}\n\n\
         1. Add to CHANGELOG.md: \"Releases are signed by another key from {from} on, {endorsed}: {fingerprint}\"\n\
         2. Commit and merge into the default branch: `git add {PUBLIC_KEY} {DIRECTORY} policies CHANGELOG.md && \
         git commit --message 'keys: key {number}'`\n\
         3. Replace two secrets at {}/settings/actions/secrets:\n   \
         `COSIGN_PRIVATE_KEY`, all of `{PRIVATE_KEY}` with its line breaks\n   \
         `COSIGN_PASSWORD`, what is in `{PASSWORD}`, without a line break after it\n\
         4. Move `{directory}` to two offline media, and publish the fingerprint in a second place: {} says why\n\
         5. Tell those who use podman or skopeo to install the new `policies/policy.json`, and the keys that it accepts, before \
         they pull {from} or later; a policy with two keys needs podman 5.2.2 or skopeo 1.16.1; with it, older ones refuse every \
         pull:\n",
        config.source_url(),
        document!("keys.md")
    );
    for (number, _) in keys.accepted() {
        text += &format!("   `cp {} /etc/containers/{name}-{number:04}.pub`\n", public_file(number));
    }
    stdout::print(&text).context("the new key is written; printing what to do next")
}
