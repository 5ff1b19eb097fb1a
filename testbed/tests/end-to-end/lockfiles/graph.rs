//! Generated packages that depend on one another, a project that depends on some of them, and lockfiles with an
//! error.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compression, write::GzEncoder};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha512};

use super::static_registry::Registry;

/// Each package depends only on later ones, so the last one has no dependencies.
const NAMES: [&str; 10] =
    ["pkg0", "pkg1", "@acme/pkg2", "pkg3", "pkg4", "pkg5", "bundler", "for-arm", "for-darwin", "pkg9"];
const VERSIONS: [&str; 2] = ["1.0.0", "2.0.0"];
const LOCAL: &str = "packages/core";

/// A linear congruential generator: the same seed gives the same numbers.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5851_F42D_4C95_7F2D);
        dice.below(2);
        dice
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).map_or(0, |number| number % end)
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

pub(super) struct Project {
    pub(super) manifest: Value,
    pub(super) registry: String,
    /// Whether the lockfile has the address of each archive.
    pub(super) has_addresses: bool,
    local: Option<Value>,
}

impl Project {
    /// Generates a project, and puts its packages into `registry`, below a folder of their own.
    pub(super) fn generate(dice: &mut Dice, seed: u64, registry: &Registry) -> Result<Self> {
        let url = format!("{}/s{seed}", registry.url);
        for (number, name) in NAMES.iter().enumerate() {
            let mut versions = Map::new();
            for version in VERSIONS {
                let mut manifest = package(dice, number, version);
                let mut files =
                    vec![("index.js".to_owned(), format!("{name} {version} of {seed}").into_bytes())];
                if *name == "bundler" {
                    let inner = json!({"name": "inner", "version": "1.0.0"}).to_string();
                    files.push(("node_modules/inner/package.json".to_owned(), inner.into_bytes()));
                }
                files.push(("package.json".to_owned(), manifest.to_string().into_bytes()));
                let archive = packed(&files)?;
                let file =
                    format!("/s{seed}/{name}/-/{}-{version}.tgz", name.rsplit('/').next().unwrap_or(name));
                let integrity = format!("sha512-{}", STANDARD.encode(Sha512::digest(&archive)));
                manifest["dist"] =
                    json!({"tarball": format!("{}{file}", registry.url), "integrity": integrity});
                registry.put(file, archive);
                versions.insert(version.to_owned(), manifest);
            }
            let document = json!({"name": name, "dist-tags": {"latest": "2.0.0"}, "versions": versions});
            registry.put(format!("/s{seed}/{name}"), document.to_string().into_bytes());
        }
        let mut manifest = json!({"name": "service", "version": "0.0.0"});
        for (table, count) in [("dependencies", 2), ("devDependencies", 2), ("optionalDependencies", 1)] {
            for _ in 0..count {
                let number = dice.below(NAMES.len());
                let is_taken = ["dependencies", "devDependencies"]
                    .iter()
                    .any(|table| manifest[*table][NAMES[number]].is_string());
                if !is_taken && (table == "optionalDependencies" || !NAMES[number].starts_with("for-")) {
                    manifest[table][NAMES[number]] = json!(range(dice));
                }
            }
        }
        if dice.one_in(3) {
            manifest["dependencies"]["alias"] = json!("npm:pkg1@1.0.0");
        }
        let local = dice.one_in(3).then(|| {
            manifest["workspaces"] = json!(["packages/*"]);
            json!({"name": "@acme/core", "version": "1.0.0", "dependencies": {"pkg3": range(dice)}})
        });
        Ok(Self { manifest, registry: format!("{url}/"), has_addresses: dice.one_in(2), local })
    }

    /// The manifests by folder, as our reader expects them.
    pub(super) fn local_manifests(&self) -> BTreeMap<String, Vec<u8>> {
        self.local.iter().map(|manifest| (LOCAL.to_owned(), manifest.to_string().into_bytes())).collect()
    }

    /// Makes a new folder with the project and, unless it is null, with `lock`.
    pub(super) fn write(&self, dir: &Path, lock: &Value) -> Result<()> {
        fs::create_dir_all(dir.join(LOCAL))?;
        fs::write(dir.join("package.json"), self.manifest.to_string())?;
        if let Some(local) = &self.local {
            fs::write(dir.join(LOCAL).join("package.json"), local.to_string())?;
        }
        if !lock.is_null() {
            fs::write(dir.join("package-lock.json"), lock.to_string())?;
        }
        Ok(())
    }

    /// The lockfile with one error, and a description of the error.
    pub(super) fn hostile(&self, dice: &mut Dice, lock: &Value) -> Result<(String, Value)> {
        let mut twin = lock.clone();
        let packages = twin["packages"].as_object_mut().context("a lockfile without packages")?;
        let archives: Vec<_> =
            packages.keys().filter(|path| path.contains("node_modules/")).cloned().collect();
        let path =
            archives.get(dice.below(archives.len().max(1))).context("a lockfile without archives")?.clone();
        let other = NAMES[dice.below(NAMES.len())];
        let entry = &mut packages[&path];
        let flipped = |entry: &Value, field: &str| json!(!entry[field].as_bool().unwrap_or(false));
        let integrity = entry["integrity"].as_str().unwrap_or_default().to_owned();
        let what = dice.below(18);
        match what {
            0..=2 => entry["dev"] = flipped(entry, "dev"),
            3 => entry["optional"] = flipped(entry, "optional"),
            4 => entry["devOptional"] = flipped(entry, "devOptional"),
            5 => entry["inBundle"] = flipped(entry, "inBundle"),
            6 => entry["integrity"] = json!(""),
            7 => entry["integrity"] = json!(format!("sha1-AAAAAAAAAAAAAAAAAAAAAAAAAAA= {integrity}")),
            8 => entry["version"] = json!("9.9.9"),
            9 => entry["version"] = json!(if entry["version"] == "1.0.0" { "2.0.0" } else { "1.0.0" }),
            10 => {
                let base = other.rsplit('/').next().unwrap_or(other);
                entry["resolved"] = json!(format!("{}{other}/-/{base}-1.0.0.tgz", self.registry));
            }
            11 => entry["hasShrinkwrap"] = json!(true),
            12 => entry["extraneous"] = json!(true),
            13 => entry["os"] = json!(["darwin"]),
            14 => entry["dependencies"] = json!({}),
            15 => entry["name"] = json!(other),
            16 => entry["peer"] = flipped(entry, "peer"),
            _ => entry["bundleDependencies"] = json!(["pkg9"]),
        }
        Ok((format!("kind {what} at `{path}`"), twin))
    }
}

fn range(dice: &mut Dice) -> &'static str {
    ["1.0.0", "2.0.0", "*", "^1.0.0"][dice.below(4)]
}

fn package(dice: &mut Dice, number: usize, version: &str) -> Value {
    let mut manifest = json!({"name": NAMES[number], "version": version});
    match NAMES[number] {
        "bundler" => {
            manifest["bundleDependencies"] = json!(["inner"]);
            manifest["dependencies"]["inner"] = json!("1.0.0");
        }
        "for-arm" => manifest["cpu"] = json!(["arm64"]),
        "for-darwin" => manifest["os"] = json!(["darwin"]),
        _ => {}
    }
    for _ in 0..dice.below(4) {
        let later = NAMES.len() - number - 1;
        let Some(other) = (later > 0).then(|| NAMES[number + 1 + dice.below(later)]) else { break };
        match dice.below(10) {
            _ if other.starts_with("for-") => manifest["optionalDependencies"][other] = json!("*"),
            0..=5 => manifest["dependencies"][other] = json!(range(dice)),
            6 | 7 => manifest["optionalDependencies"][other] = json!(range(dice)),
            8 => manifest["peerDependencies"][other] = json!("*"),
            _ => {
                manifest["peerDependencies"][other] = json!("*");
                manifest["peerDependenciesMeta"][other] = json!({"optional": true});
            }
        }
    }
    manifest
}

/// An archive as npm packs it: in the folder `package`, without time stamps.
fn packed(files: &[(String, Vec<u8>)]) -> Result<Vec<u8>> {
    let mut archive = GzEncoder::new(Vec::new(), Compression::fast());
    for (path, bytes) in files {
        let mut header = [0_u8; 512];
        let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
        put(0, &format!("package/{path}"));
        put(100, "0000644");
        put(108, "0000000");
        put(116, "0000000");
        put(124, &format!("{:011o}", bytes.len()));
        put(136, "00000000000");
        put(148, "        ");
        put(156, "0");
        put(257, "ustar\u{0}00");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\u{0} ").as_bytes());
        archive.write_all(&header)?;
        archive.write_all(bytes)?;
        archive.write_all(&vec![0; bytes.len().next_multiple_of(512) - bytes.len()])?;
    }
    archive.write_all(&[0; 1024])?;
    Ok(archive.finish()?)
}
