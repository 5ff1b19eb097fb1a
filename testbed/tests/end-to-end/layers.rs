//! Layers that no builder writes, and how the engines unpack them. `verify` and a release must read from a layer
//! exactly what a container gets from it, or refuse the image.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use xtask::contents::budget::Budget;
use xtask::contents::image::Contents;
use xtask::contents::layer::{self, Compression};
use xtask::oci::reference::Digest;
use xtask::process::Call;
use xtask::process::temp_dir::{TempDir, random_hex};

use crate::harness::checkout::text;
use crate::harness::engine::second;
use crate::harness::{call, test};

const EVIL: &str = "app/node_modules/evil";
const GOOD: &str = "app/node_modules/good";

/// One entry of a tar file (POSIX.1-2017 pax, "ustar Interchange Format").
fn entry(kind: u8, path: &str, link: &str, content: &str) -> Vec<u8> {
    let mut block = [0; 512];
    block[..path.len()].copy_from_slice(path.as_bytes());
    block[100..108].copy_from_slice(b"0000755\0");
    block[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
    block[156] = kind;
    block[157..157 + link.len()].copy_from_slice(link.as_bytes());
    block[257..265].copy_from_slice(b"ustar\x0000");
    with_checksum(block, content)
}

fn with_checksum(mut block: [u8; 512], content: &str) -> Vec<u8> {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut bytes = [&block, content.as_bytes()].concat();
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn file(path: &str) -> Vec<u8> {
    entry(b'0', path, "", r#"{"name": "x", "version": "1.0.0"}"#)
}

/// The `package.json` in `directory`.
fn package(directory: &str) -> Vec<u8> {
    file(&format!("{directory}/package.json"))
}

fn long(directory: &str) -> Vec<u8> {
    entry(b'L', "././@LongLink", "", &format!("{directory}/package.json\0"))
}

/// A pax header whose record is shorter than 100 bytes.
fn pax(kind: u8, key: &str, value: &str) -> Vec<u8> {
    let size = key.len() + value.len() + 5;
    entry(kind, "PaxHeaders", "", &format!("{size:02} {key}={value}\n"))
}

fn directory(path: &str) -> Vec<u8> {
    entry(b'5', path, "", "")
}

fn link(path: &str, target: &str) -> Vec<u8> {
    entry(b'2', path, target, "")
}

fn hard_link(path: &str, target: &str) -> Vec<u8> {
    entry(b'1', path, target, "")
}

/// A file whose size begins with a zero byte, where a reader may stop.
fn hidden_size() -> Vec<u8> {
    let mut block = [0; 512];
    block.copy_from_slice(&entry(b'0', "a", "", &"x".repeat(512))[..512]);
    block[124] = 0;
    [with_checksum(block, ""), package(EVIL)[..512].to_vec()].concat()
}

/// The expected result.
#[derive(Clone)]
enum Must {
    /// The layers are read, with these packages, which a container has as well.
    BeRead(&'static [&'static str]),
    /// The layers are refused. A container has these packages, or the engine refuses the layers as well.
    BeRefused(&'static [&'static str]),
}

use Must::{BeRead, BeRefused};

/// A description, the entries of each layer, and the expected result.
type Case = (&'static str, Vec<Vec<Vec<u8>>>, Must);

/// Layers that are read.
fn read_cases() -> Vec<Case> {
    let path = |directory: &str| format!("{directory}/package.json");
    let good = || vec![directory("app"), directory("app/node_modules"), package(GOOD)];
    let linked = || link("m", "app/node_modules");
    vec![
        ("a plain layer", vec![good(), vec![package(EVIL)]], BeRead(&[EVIL, GOOD])),
        ("a whiteout", vec![good(), vec![file("app/node_modules/.wh.good")]], BeRead(&[])),
        ("an opaque directory", vec![good(), vec![file("app/.wh..wh..opq"), package(EVIL)]], BeRead(&[EVIL])),
        ("a long name", vec![vec![long(EVIL), file("x")]], BeRead(&[EVIL])),
        ("a pax path", vec![vec![pax(b'x', "path", &path(EVIL)), file("x")]], BeRead(&[EVIL])),
        (
            "a hard link",
            vec![vec![package(GOOD), hard_link(&path(EVIL), &path(GOOD))]],
            BeRead(&[EVIL, GOOD]),
        ),
        (
            "a directory for a link",
            vec![vec![linked()], vec![directory("m"), package("m/evil")]],
            BeRead(&[]),
        ),
        ("a directory for a file", vec![good(), vec![directory(&path(GOOD))]], BeRead(&[])),
        ("a size after a zero byte", vec![vec![hidden_size()]], BeRead(&[])),
    ]
}

/// Layers that are refused.
fn refused_cases() -> Vec<Case> {
    let path = |directory: &str| format!("{directory}/package.json");
    let good = || vec![directory("app"), directory("app/node_modules"), package(GOOD)];
    let linked = || link("m", "app/node_modules");
    vec![
        (
            "a long name and a pax path",
            vec![vec![long(EVIL), pax(b'x', "path", &path(GOOD)), file("x")]],
            BeRefused(&[EVIL]),
        ),
        (
            "two pax headers",
            vec![vec![pax(b'x', "path", &path(GOOD)), pax(b'x', "mtime", "1"), package(EVIL)]],
            BeRefused(&[EVIL]),
        ),
        (
            "an empty pax path",
            vec![good(), vec![pax(b'x', "path", ""), package(EVIL)]],
            BeRefused(&[EVIL, GOOD]),
        ),
        (
            "a global header",
            vec![vec![long(GOOD), pax(b'g', "comment", "x"), package(EVIL)]],
            BeRefused(&[EVIL]),
        ),
        (
            "a path below a link",
            vec![vec![directory("app"), directory("app/node_modules"), linked(), package("m/evil")]],
            BeRefused(&[EVIL]),
        ),
        (
            "a path below a lower layer's link",
            vec![[good(), vec![linked()]].concat(), vec![package("m/evil")]],
            BeRefused(&[GOOD]),
        ),
    ]
}

/// Further layers that are refused.
fn more_refused_cases() -> Vec<Case> {
    let path = |directory: &str| format!("{directory}/package.json");
    let good = || vec![directory("app"), directory("app/node_modules"), package(GOOD)];
    let linked = || link("m", "app/node_modules");
    vec![
        (
            "a hard link below a link",
            vec![[good(), vec![linked(), hard_link("m/evil/package.json", &path(GOOD))]].concat()],
            BeRefused(&[EVIL, GOOD]),
        ),
        (
            "a whiteout after its path",
            vec![[good(), vec![file("app/node_modules/.wh.good")]].concat()],
            BeRefused(&[]),
        ),
        (
            "an opaque directory after a file",
            vec![good(), vec![package(EVIL), file("app/node_modules/.wh..wh..opq")]],
            BeRefused(&[EVIL]),
        ),
        (
            "a file after what is below it",
            vec![[good(), vec![file("app/node_modules")]].concat()],
            BeRefused(&[]),
        ),
        (
            "a hard link to a lower layer",
            vec![good(), vec![hard_link(&path(EVIL), &path(GOOD))]],
            BeRefused(&[EVIL, GOOD]),
        ),
        (
            "a directory of an overlay",
            vec![
                vec![package("other/evil")],
                vec![
                    pax(b'x', "SCHILY.xattr.trusted.overlay.redirect", "/other"),
                    directory("app/node_modules"),
                ],
            ],
            BeRefused(&[]),
        ),
    ]
}

/// The packages that are read from the layers of an image.
fn read(layers: &[Vec<u8>]) -> Result<BTreeSet<String>> {
    let budget = Budget::of_image();
    let facts = layers.iter().map(|tar| layer::read(tar.as_slice(), Compression::None, &budget));
    let contents = Contents::of("linux/amd64", &facts.collect::<Result<Vec<_>>>()?, Some(0), None)?;
    Ok(contents.packages.into_iter().map(|package| package.path).collect())
}

/// A call of `docker` on one of the engines.
fn docker(arguments: &[&str], engine: &[(&'static str, String)]) -> Result<Call> {
    let docker = call("docker", arguments)?;
    Ok(engine.iter().fold(docker, |docker, (name, value)| docker.env(name, value)))
}

/// The packages that a container of the layers has; `None` if the engine refuses them.
fn unpacked(layers: &[Vec<u8>], engine: &[(&'static str, String)]) -> Result<Option<BTreeSet<String>>> {
    let (scratch, name) = (TempDir::new()?, format!("layers-{}", &random_hex()?[..12]));
    let architecture = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
    let diff_ids: Vec<_> = layers.iter().map(|tar| Digest::of(tar)).collect();
    let config = json!({"architecture": architecture, "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}});
    let names: Vec<_> = (0..layers.len()).map(|number| format!("{number}.tar")).collect();
    let manifest = json!([{"Config": "config.json", "RepoTags": [format!("{name}:x")], "Layers": names}]);
    fs::write(scratch.path().join("config.json"), config.to_string())?;
    fs::write(scratch.path().join("manifest.json"), manifest.to_string())?;
    for (name, tar) in names.iter().zip(layers) {
        fs::write(scratch.path().join(name), tar)?;
    }
    let (directory, image) = (text(scratch.path())?, scratch.path().join("image"));
    let image = text(&image)?;
    call("tar", &["--create", "--file", image, "--directory", directory, "--exclude=image", "."])?.run()?;
    let loaded = docker(&["load", "--input", image], engine)?.output()?;
    let created = docker(&["create", &format!("{name}:x"), "/x"], engine)?.output()?;
    let found = match loaded.status.success() && created.status.success() {
        false => None,
        true => {
            let id = created.text()?;
            let id = id.trim();
            let listed = call("sh", &["-c", "docker export \"$1\" | tar --list --verbose", "sh", id])?;
            let listed = engine.iter().fold(listed, |listed, (name, value)| listed.env(name, value)).read();
            docker(&["rm", id], engine)?.run()?;
            Some(packages(&listed?))
        }
    };
    docker(&["rmi", "--force", &format!("{name}:x")], engine)?.output()?;
    Ok(found)
}

/// The packages in a listing of `tar`.
fn packages(listed: &str) -> BTreeSet<String> {
    let files = listed.lines().filter(|line| line.starts_with(['-', 'h']));
    let paths = files.filter_map(|line| line.split(" link to ").next()?.rsplit(' ').next());
    let directories = paths.filter_map(|path| path.strip_suffix("/package.json"));
    directories.filter(|path| path.contains("node_modules/")).map(str::to_owned).collect()
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn layers_are_read_as_a_container_sees_them_or_the_image_is_refused() -> Result<()> {
    test(|| {
        let mut differ = Vec::new();
        let second = second()?;
        for (what, layers, must) in [read_cases(), refused_cases(), more_refused_cases()].concat() {
            let tars: Vec<_> =
                layers.iter().map(|entries| [entries.concat(), vec![0; 1024]].concat()).collect();
            let ours = read(&tars);
            for engine in [&[][..], &second] {
                let theirs = unpacked(&tars, engine).with_context(|| format!("{what}, {engine:?}"))?;
                let is_expected =
                    |expected: &[&str]| theirs.as_ref().is_some_and(|theirs| theirs.iter().eq(expected));
                let is_right = match (&must, &ours) {
                    (BeRead(expected), Ok(ours)) => is_expected(expected) && ours.iter().eq(*expected),
                    (BeRefused(expected), Err(_)) => theirs.is_none() || is_expected(expected),
                    (BeRead(_), Err(_)) | (BeRefused(_), Ok(_)) => false,
                };
                if !is_right {
                    differ.push(format!("{what}: read {ours:?}, unpacked {theirs:?}"));
                }
            }
        }
        ensure!(differ.is_empty(), "{}", differ.join("\n"));
        Ok(())
    })
}
