//! One npm, and what it installs from a lockfile.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::graph::Project;
use crate::harness::call;
use crate::harness::checkout::text;

pub(super) struct Npm {
    pub(super) name: String,
    program: PathBuf,
}

/// Files by path with their bytes, and links with their targets.
pub(super) struct Tree {
    pub(super) files: BTreeMap<String, Vec<u8>>,
}

impl Npm {
    /// Fetches npm of that version, with the npm of this machine.
    pub(super) fn fetch(version: &str, scratch: &Path) -> Result<Self> {
        let dir = scratch.join(format!("npm-{version}"));
        fs::create_dir(&dir)?;
        let package = format!("npm@{version}");
        let words = [
            "install",
            "--prefix",
            text(&dir)?,
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--silent",
            &package,
        ];
        call("npm", &words)?.dir(&dir).run()?;
        Ok(Self { name: version.to_owned(), program: dir.join("node_modules/npm/bin/npm-cli.js") })
    }

    fn call(&self, dir: &Path, registry: &str, words: &[&str]) -> Result<xtask::process::Call> {
        let program = text(&self.program)?;
        let (registry, cache) =
            (format!("--registry={registry}"), format!("--cache={}", dir.join(".cache").display()));
        let fixed = [
            "--userconfig=/dev/null",
            "--globalconfig=/dev/null/none",
            "--no-audit",
            "--no-fund",
            "--no-update-notifier",
        ];
        let fixed = [&fixed[..], &["--ignore-scripts", "--fetch-retries=0", &registry, &cache]].concat();
        Ok(call("node", &[&[program][..], words, &fixed].concat())?.dir(dir))
    }

    /// The lockfile that it writes, with or without addresses, depending on the project.
    pub(super) fn lock(&self, project: &Project, dir: &Path) -> Result<Value> {
        let place = dir.join("lock");
        project.write(&place, &Value::Null)?;
        let omit = format!("--omit-lockfile-registry-resolved={}", !project.has_addresses);
        self.call(&place, &project.registry, &["install", "--package-lock-only", &omit])?.run()?;
        let lock = fs::read(place.join("package-lock.json")).context("reading what npm wrote")?;
        fs::remove_dir_all(&place)?;
        Ok(serde_json::from_slice(&lock)?)
    }

    /// What `npm ci` installs; `None` if it refuses.
    pub(super) fn install(&self, dir: &Path, registry: &str) -> Result<Option<Tree>> {
        let words = ["ci", "--omit=dev", "--os=linux", "--cpu=x64", "--libc=glibc"];
        let output = self.call(dir, registry, &words)?.output()?;
        if !output.status.success() {
            return Ok(None);
        }
        let mut files = BTreeMap::new();
        collect(dir, "", &mut files)?;
        Ok(Some(Tree { files }))
    }
}

/// Everything below a `node_modules`, except npm's own records.
fn collect(root: &Path, inside: &str, files: &mut BTreeMap<String, Vec<u8>>) -> Result<()> {
    for entry in fs::read_dir(root.join(inside))? {
        let entry = entry?;
        let name = entry.file_name().into_string().ok().context("a name that is not UTF-8")?;
        let path = if inside.is_empty() { name.clone() } else { format!("{inside}/{name}") };
        let kind = entry.file_type()?;
        if [".package-lock.json", ".cache"].contains(&name.as_str()) {
            continue;
        }
        if kind.is_dir() {
            collect(root, &path, files)?;
        } else if path.contains("node_modules/") {
            let bytes = if kind.is_symlink() {
                fs::read_link(entry.path())?.into_os_string().into_encoded_bytes()
            } else {
                fs::read(entry.path())?
            };
            files.insert(path, bytes);
        }
    }
    Ok(())
}

impl Tree {
    pub(super) fn has(&self, package: &str) -> bool {
        self.files.contains_key(&format!("{package}/package.json"))
    }

    /// The tree without the packages at these paths.
    pub(super) fn without(&self, packages: &BTreeSet<String>) -> Self {
        let is_of = |path: &str| packages.iter().any(|package| path.starts_with(&format!("{package}/")));
        let files = self.files.iter().filter(|(path, _)| !is_of(path));
        Self { files: files.map(|(path, bytes)| (path.clone(), bytes.clone())).collect() }
    }

    /// Name and version of each package by its path.
    pub(super) fn packages(&self) -> Result<BTreeMap<String, (String, String)>> {
        let manifests =
            self.files.iter().filter_map(|(path, bytes)| Some((path.strip_suffix("/package.json")?, bytes)));
        let packages = manifests.map(|(path, bytes)| {
            let manifest: Value = serde_json::from_slice(bytes)?;
            let field =
                |name: &str| manifest[name].as_str().map(str::to_owned).context("a package without a name");
            Ok((path.to_owned(), (field("name")?, field("version")?)))
        });
        packages.collect()
    }
}
