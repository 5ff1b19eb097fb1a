//! The layers of `xtask`: each uses only those that are earlier in the list of `lib.rs`, so there are no cycles.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the sources of `xtask` are.
pub(crate) fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The layers, in the order of the list.
fn layers() -> Vec<String> {
    let library = fs::read_to_string(source().join("lib.rs")).expect("the list of layers");
    let name = |line: &str| Some(line.strip_prefix("pub mod ")?.strip_suffix(';')?.to_owned());
    library.lines().filter_map(name).collect()
}

/// Every file below `dir`.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(dir).expect("a directory of sources").map(|entry| entry.expect("its entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The layers that `text` names after `crate::`, in `use` lines as well as in paths and in links of comments.
fn named(text: &str) -> Vec<&str> {
    text.split("crate::").skip(1).map(|rest| words(rest).next().unwrap_or_default()).collect()
}

/// The names that `text` reaches with enough `super::` to leave its layer. `text` is a module that is `depth` below
/// the crate: 1 for the layer itself. A module within the file is deeper, so these may be names of the layer itself.
fn climbed(text: &str, depth: usize) -> Vec<&str> {
    let mut found = Vec::new();
    let chain = "super::".repeat(depth);
    for rest in text.split(&chain).skip(1) {
        let rest = rest.trim_start_matches("super::");
        match rest.strip_prefix('{').and_then(|rest| rest.split_once(';')) {
            Some((group, _)) => found.extend(words(group)),
            None => found.extend(words(rest).next()),
        }
    }
    found
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c| !is_of_word(c))
}

/// The layers that `text` names but must not use. `text` is a module of the layer `own`, `depth` below the crate.
fn later<'a>(layers: &[String], own: &str, depth: usize, text: &'a str) -> Vec<&'a str> {
    let rank = |name: &str| layers.iter().position(|layer| layer == name);
    let own = rank(own);
    let named = named(text).into_iter();
    let named = named.filter(|name| *name != "refuse" && (rank(name).is_none() || rank(name) > own));
    named.chain(climbed(text, depth).into_iter().filter(|name| rank(name) > own)).collect()
}

#[test]
fn a_layer_uses_only_earlier_layers() {
    let layers = layers();
    assert!(layers.len() > 8, "{layers:?}");
    let mut wrong = Vec::new();
    for file in files(&source()) {
        let path = file.strip_prefix(source()).unwrap();
        let top = path.components().next().unwrap().as_os_str().to_str().unwrap();
        let own = top.trim_end_matches(".rs");
        if ["lib", "main"].contains(&own) || file.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        assert!(layers.iter().any(|layer| layer == own), "`{}` is in no layer", path.display());
        let text = fs::read_to_string(&file).unwrap();
        let later = later(&layers, own, path.components().count(), &text);
        wrong.extend(later.iter().map(|name| format!("{} uses {name}", path.display())));
    }
    assert!(
        wrong.is_empty(),
        "move what is shared to an earlier layer, or what needs it to a later one:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn an_import_of_a_later_layer_is_detected() {
    let layers = ["process", "oci", "verify", "release"].map(str::to_owned);
    let seen = |own: &str, text: &'static str| later(&layers, own, 2, text);
    assert_eq!(seen("verify", "use crate::release::{self, Release};"), ["release"]);
    assert_eq!(seen("oci", "fn f() { crate::verify::look() }"), ["verify"]);
    assert_eq!(seen("oci", "use crate::elsewhere::X;"), ["elsewhere"], "it is not a layer");
    assert!(seen("release", "use crate::verify::{Verifier};\nuse crate::refuse;").is_empty());
    assert_eq!(seen("oci", "use super::super::release::Release;"), ["release"]);
    assert_eq!(seen("oci", "use super::super::{process, verify::{Claim, judge}};"), ["verify"]);
    assert_eq!(later(&layers, "oci", 1, "fn f() { super::verify::look() }"), ["verify"]);
    assert!(seen("verify", "use crate::verify::claim::Claim;\nuse super::release;").is_empty());
    assert!(seen("verify", "use super::super::oci;\nuse super::{release, x};").is_empty());
}
