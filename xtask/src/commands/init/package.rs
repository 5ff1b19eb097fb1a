//! The part of `package.json` that `init` reads.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::inputs::lockfile::{self, Local, MAX_MANIFEST_SIZE, pinned};
use crate::inputs::{NPMRC, PACKAGE_JSON, PACKAGE_LOCK};

/// What SPDX writes for a license that nobody named.
pub(super) const UNKNOWN_LICENSE: &str = "NOASSERTION";

/// The largest lockfile that is read.
const MAX_LOCK_SIZE: usize = 32 << 20;

/// The part of package.json that is read here.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Package {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) version: String,
    #[serde(default)]
    pub(super) description: String,
    #[serde(default, rename = "license")]
    license_field: serde_json::Value,
    #[serde(default)]
    pub(super) main: String,
    #[serde(default)]
    pub(super) scripts: Scripts,
    #[serde(default)]
    pub(super) engines: serde_json::Value,
}

impl Package {
    /// Its license; [`UNKNOWN_LICENSE`] if it names none.
    pub(super) fn license(&self) -> String {
        pinned::license(&self.license_field).unwrap_or_else(|| UNKNOWN_LICENSE.to_owned())
    }

    /// Checks the values that go into the configuration. The error is a message.
    pub(super) fn problem(&self) -> Result<(), String> {
        let license = self.license();
        let values = [("name", &self.name), ("description", &self.description), ("license", &license)];
        let broken = values.into_iter().find(|(_, value)| value.chars().any(char::is_control));
        broken.map_or(Ok(()), |(key, _)| {
            Err(format!("`{key}` of package.json has a line break or another control character; take it out"))
        })
    }
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Scripts {
    pub(super) start: Option<String>,
    pub(super) test: Option<String>,
    pub(super) build: Option<String>,
    #[serde(flatten)]
    others: BTreeMap<String, serde_json::Value>,
}

impl Scripts {
    /// The script of this name.
    pub(super) fn named(&self, name: &str) -> Option<&str> {
        match name {
            "start" => self.start.as_deref(),
            "test" => self.test.as_deref(),
            "build" => self.build.as_deref(),
            name => self.others.get(name)?.as_str(),
        }
    }
}

/// The package in the folder with this prefix. It is empty if there is none: that is reported with the folder.
pub(super) fn of(root: &Path, prefix: &str) -> Result<Package> {
    let path = root.join(prefix).join(PACKAGE_JSON);
    if !path.is_file() {
        return Ok(Package::default());
    }
    lockfile::manifest(&read(&path)?).with_context(|| format!("reading `{prefix}{PACKAGE_JSON}`"))
}

/// The folders and archives that the lockfile in this folder names in the repository; none without a lockfile.
pub(super) fn local(root: &Path, prefix: &str) -> Result<Local> {
    let path = root.join(prefix).join(PACKAGE_LOCK);
    if path.is_file() { Local::read(&read_up_to(MAX_LOCK_SIZE, &path)?) } else { Ok(Local::default()) }
}

/// Whether the `.npmrc` in this folder takes a value from the environment, such as `${NPM_TOKEN}`.
pub(super) fn has_variable(root: &Path, prefix: &str) -> Result<bool> {
    let path = root.join(prefix).join(NPMRC);
    Ok(path.is_file() && String::from_utf8_lossy(&read(&path)?).contains("${"))
}

/// Reads a file that is no larger than a `package.json` may be.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    read_up_to(MAX_MANIFEST_SIZE, path)
}

fn read_up_to(largest: usize, path: &Path) -> Result<Vec<u8>> {
    let reading = || format!("reading `{}`", path.display());
    let size = fs::metadata(path).with_context(reading)?.len();
    if size > largest as u64 {
        bail!("{}: it has {size} bytes, and {largest} are expected at most", reading());
    }
    fs::read(path).with_context(reading)
}

#[cfg(test)]
mod tests {
    use super::Package;

    #[test]
    fn the_former_license_format_is_accepted_and_a_line_break_is_refused() {
        let package = |json: &str| serde_json::from_str::<Package>(json).unwrap();
        for (json, license) in [
            (r#"{"license": "MIT"}"#, "MIT"),
            (r#"{"license": {"type": "MIT", "url": "https://x"}}"#, "MIT"),
            (r#"{"license": ["MIT"]}"#, "NOASSERTION"),
            (r#"{"license": null}"#, "NOASSERTION"),
            ("{}", "NOASSERTION"),
        ] {
            assert_eq!(package(json).license(), license, "{json}");
            assert_eq!(package(json).problem(), Ok(()));
        }
        let broken = package(r#"{"description": "a\nb"}"#).problem().unwrap_err();
        assert!(broken.starts_with("`description` of package.json"), "{broken}");
    }
}
