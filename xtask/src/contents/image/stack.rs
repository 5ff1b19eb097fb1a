//! Stacks layers, and refuses those that engines stack in different ways.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use anyhow::{Result, bail, ensure};

use super::super::facts::{Fact, LayerFacts};
use super::super::npm;
use crate::inputs::PACKAGE_JSON;

/// The facts at the paths of an image, each with the number of its layer, from 0.
pub(super) type Observed<'a> = BTreeMap<String, (usize, &'a Fact)>;

/// Engines unpack a layer in different ways, and it may come from the base image. In a base image, such a layer is no
/// reason to refuse the image.
#[derive(Debug)]
pub struct UnknownOrigin(String);

impl std::fmt::Display for UnknownOrigin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, and whether it comes from the base image is unknown", self.0)
    }
}

impl std::error::Error for UnknownOrigin {}

/// Refuses the layer `number` if engines unpack it in different ways, because some of them get other contents than
/// were read here. A base image is pinned by its digest, so nobody can slip such a layer into it.
fn refuse_odd(
    number: usize,
    layer: &LayerFacts,
    seen: &Observed<'_>,
    base_layers: Option<usize>,
) -> Result<()> {
    if base_layers.is_some_and(|base| number < base) {
        return Ok(());
    }
    let Some(why) = layer.odd.clone().or_else(|| below_link(layer, seen)) else { return Ok(()) };
    let words = format!("engines unpack layer {} in different ways, because of {why}", number + 1);
    match base_layers {
        None => Err(UnknownOrigin(words).into()),
        Some(_) => bail!("{words}: build the image with BuildKit alone, which writes no such layer"),
    }
}

/// The first directory of `layer` without an entry that is at or below a symbolic link of a lower layer. Some engines
/// follow the link, others replace it.
fn below_link(layer: &LayerFacts, seen: &Observed<'_>) -> Option<String> {
    let is_link = |path: &str| {
        seen.get(path)
            .is_some_and(|(_, fact)| matches!(fact, Fact::Link(_) | Fact::Symlink | Fact::Loader(_)))
    };
    let is_declared = |path: &str| layer.directories.binary_search_by(|name| name.as_str().cmp(path)).is_ok();
    layer.undeclared.iter().find_map(|directory| {
        let up = std::iter::successors(Some(directory.as_str()), |path| {
            path.rsplit_once('/').map(|(above, _)| above)
        });
        let found = up.take_while(|path| !is_declared(path)).find(|path| is_link(path))?;
        Some(format!("`{}`: in a lower layer, it is a symbolic link", found.escape_debug()))
    })
}

/// The visible fact at each path, and its layer.
pub(super) fn stack<L: Borrow<LayerFacts>>(layers: &[L], base_layers: Option<usize>) -> Result<Observed<'_>> {
    let mut seen = Observed::new();
    for (number, layer) in layers.iter().map(L::borrow).enumerate() {
        layer.opaque.iter().for_each(|directory| hide_below(&mut seen, directory));
        for path in &layer.whiteouts {
            hide(&mut seen, path);
        }
        refuse_odd(number, layer, &seen, base_layers)?;
        // A directory replaces a file, but keeps what lower layers have in the directory.
        for path in &layer.directories {
            seen.remove(path);
        }
        let names = layer.facts.keys().chain(layer.hard_links.keys()).chain(&layer.others);
        if !seen.is_empty() {
            replace(&mut seen, names);
        }
        for (path, fact) in &layer.facts {
            seen.insert(path.clone(), (number, fact));
        }
        for (path, target) in &layer.hard_links {
            let name = path.rsplit('/').next();
            // The name decides what a file is read as, and the target may have been read under a different name.
            let is_alike = |fact: &Fact| matches!(fact, Fact::Manifest(_)) == (name == Some(PACKAGE_JSON));
            match seen.get(target).map(|(_, fact)| *fact).filter(|fact| is_alike(fact)) {
                Some(fact) => drop(seen.insert(path.clone(), (number, fact))),
                None => ensure!(
                    !npm::is_installed_manifest(path),
                    "`{path}` is a hard link to `{target}`, which is not read: copy the packages into the image as files"
                ),
            }
        }
    }
    Ok(seen)
}

/// A path that is not a directory hides the earlier entry at that path and everything below it. All of its parents
/// become directories.
fn replace<'a>(seen: &mut Observed<'_>, paths: impl Iterator<Item = &'a String>) {
    let mut last = "";
    for path in paths {
        hide(seen, path);
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        if directory != last {
            let ends = directory.match_indices('/').map(|(at, _)| at).chain([directory.len()]);
            for end in ends {
                seen.remove(&directory[..end]);
            }
            last = directory;
        }
    }
}

fn hide(seen: &mut Observed<'_>, path: &str) {
    seen.remove(path);
    hide_below(seen, path);
}

fn hide_below(seen: &mut Observed<'_>, directory: &str) {
    let prefix = if directory.is_empty() { String::new() } else { format!("{directory}/") };
    let below =
        seen.range(prefix.clone()..).map(|(path, _)| path).take_while(|path| path.starts_with(&prefix));
    let below: Vec<_> = below.cloned().collect();
    for path in &below {
        seen.remove(path);
    }
}
