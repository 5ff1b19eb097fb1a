//! Which packages are bundled in another package's archive, by npm's own rule: npm computes this (`getBundler` of its
//! arborist) and does not read `inBundle`.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::{Bundle, Lock};
use super::graph::Graph;

/// For each bundled package, by path, the path of the package whose archive contains it.
pub(super) fn of<'a>(lock: &'a Lock, graph: &Graph<'a>) -> BTreeMap<&'a str, &'a str> {
    let mut bundled = BTreeMap::new();
    // Outer packages come first in the table: packages within a bundled one belong to the outer bundler.
    for (bundler, entry) in &lock.packages {
        if let Bundle::Names(names) = &entry.bundle_dependencies
            && !bundled.contains_key(bundler.as_str())
        {
            for path in brought_by(lock, graph, bundler, names) {
                bundled.entry(path).or_insert(bundler.as_str());
            }
        }
    }
    bundled
}

/// The packages that `bundler` lists, everything below them, and those of their dependencies that are in the same
/// `node_modules`.
fn brought_by<'a>(lock: &'a Lock, graph: &Graph<'a>, bundler: &str, names: &[String]) -> BTreeSet<&'a str> {
    let separator = if bundler.is_empty() { "" } else { "/" };
    let inside = format!("{bundler}{separator}node_modules/");
    let beside = |path: &str| path.strip_prefix(&inside).is_some_and(|name| !name.contains("/node_modules/"));
    let listed = names.iter().filter_map(|name| lock.packages.get_key_value(&format!("{inside}{name}")));
    let mut open: Vec<&str> = listed.map(|(path, _)| path.as_str()).collect();
    let mut found = BTreeSet::new();
    while let Some(path) = open.pop() {
        if found.insert(path) {
            let below = format!("{path}/node_modules/");
            let range = lock.packages.range(below.clone()..).map(|(path, _)| path.as_str());
            open.extend(range.take_while(|path| path.starts_with(&below)));
            open.extend(graph.asked_by(path).filter(|to| beside(to)));
        }
    }
    found
}
