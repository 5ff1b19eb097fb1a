//! The SBOM: the contents of the image on every platform, in one `CycloneDX` 1.6 document
//! (<https://cyclonedx.org/docs/1.6/json/>, docs/decisions/0012-one-sbom-for-the-index.md). The same image of the same
//! commit gives the same bytes on every machine.

mod component;
mod graph;
mod license;
pub mod purl;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde_json::{Value, json};

use crate::contents::image::Contents;
use crate::contents::installed::{self, Held};
use crate::inputs::config::{Archive, Native};
use crate::inputs::release::Release;
use crate::inputs::source::Source;
use crate::inputs::version::ReleaseTag;
use crate::oci::reference::Digest;
use crate::process::shown::few;
use crate::process::time::rfc3339;
use crate::tool::git::Commit;

use component::Component;
use graph::Graph;

/// What is recorded as not read if the base image has no list of packages.
const SYSTEM: &str = "system packages";

/// Identifies the release of an SBOM.
pub struct Subject<'a> {
    /// The image's title.
    pub title: &'a str,
    /// The released version.
    pub tag: &'a ReleaseTag,
    /// The commit of the tag.
    pub commit: &'a Commit,
    /// The commit's time in seconds since 1970.
    pub time: u64,
}

/// One platform's image, and what the lockfile says about it.
pub struct PlatformImage<'a> {
    /// The contents of the image.
    pub contents: &'a Contents,
    /// The packages that come from the lockfile.
    pub held: &'a Held,
    /// The archives that the build used for packages whose install script does not run, each with the decision that
    /// names it.
    pub archives: Vec<(&'a Native, &'a Archive)>,
}

/// The SBOM of the image's contents: everybody who reads the same image gets the same one.
///
/// # Errors
/// [`installed::LockfileMismatch`] when the packages are not those of the lockfile.
pub fn of(release: &Release<'_>, contents: &[Contents]) -> Result<Value> {
    let Release { config, source, inputs, .. } = release;
    let held = contents
        .iter()
        .map(|contents| installed::check(contents, &inputs.lockfile, config.dependencies))
        .collect::<Result<Vec<_>>>()?;
    let archives = |platform: &str| {
        let archives = config.native.iter().filter_map(|native| Some((native, native.archive()?.1)));
        archives.filter(|(_, archive)| archive.platform.to_string() == platform).collect()
    };
    let platforms: Vec<_> = contents
        .iter()
        .zip(&held)
        .map(|(contents, held)| PlatformImage { contents, held, archives: archives(&contents.platform) })
        .collect();
    let Source { tag, commit, time, .. } = source;
    let subject = Subject { title: &config.title, tag, commit, time: *time };
    Ok(document(&subject, &inputs.lockfile.needs(), &platforms))
}

/// The SBOM of `subject`, whose image has these `platforms`. `needs` is what each package of the lockfile needs, by path
/// there ([`Lockfile::needs`](crate::inputs::lockfile::Lockfile::needs)).
#[must_use]
pub fn document(
    subject: &Subject<'_>,
    needs: &BTreeMap<String, Vec<String>>,
    platforms: &[PlatformImage<'_>],
) -> Value {
    let version = subject.tag.version().to_string();
    let reference = format!("{}@{version}", subject.title);
    let (mut components, mut graph) = (BTreeMap::<String, Component>::new(), Graph::default());
    for platform in platforms {
        let all = component::of(platform);
        graph.add(&reference, needs, platform, &all);
        for component in all {
            match components.get_mut(&component.reference) {
                Some(known) => known.add(component),
                None => drop(components.insert(component.reference.clone(), component)),
            }
        }
    }
    let names: Vec<_> = platforms.iter().map(|platform| platform.contents.platform.as_str()).collect();
    let components: Vec<_> = components.values().map(|component| component.json(&names)).collect();
    let mut metadata = json!({
        "timestamp": rfc3339(subject.time),
        // Without the tool's version, which differs between machines and is not a fact about the software.
        "tools": {"components": [{"type": "application", "name": "xtask"}]},
        "component": {
            "type": "application", "bom-ref": reference, "name": subject.title, "version": version,
        },
        "properties": names.iter().map(|name| property("xtask:platforms", name)).collect::<Vec<_>>(),
    });
    let unread = platforms.iter().flat_map(|platform| platform.contents.unread.iter().map(String::as_str));
    let unknown = platforms.iter().any(|platform| has_unknown_system(platform.contents)).then_some(SYSTEM);
    let unread: BTreeSet<_> = unread.chain(unknown).collect();
    if let Some(properties) = metadata["properties"].as_array_mut() {
        properties.extend(unread.into_iter().map(|path| property("xtask:not-read", path)));
    }
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": serial_number(subject),
        "version": 1,
        "metadata": metadata,
        "components": components,
        GRAPH: graph.json(),
    })
}

/// The field that says which component needs which. SBOMs of the first form have none.
const GRAPH: &str = "dependencies";

/// The `expected` SBOM in the form of `found`, which may be older.
#[must_use]
pub fn in_form_of<'a>(found: &Value, expected: &'a Value) -> Cow<'a, Value> {
    let Some(fields) = expected.as_object().filter(|_| found.get(GRAPH).is_none()) else {
        return Cow::Borrowed(expected);
    };
    let mut fields = fields.clone();
    fields.remove(GRAPH);
    Cow::Owned(Value::Object(fields))
}

/// Whether the base image has programs but no list of packages.
fn has_unknown_system(contents: &Contents) -> bool {
    let has_programs = contents.elf.iter().any(|file| !contents.is_above(file.layer));
    has_programs && contents.system.is_empty() && contents.unread.is_empty()
}

fn property(name: &str, value: &str) -> Value {
    json!({"name": name, "value": value})
}

/// Renders the SBOM with sorted keys, as `jq -S` prints it: the same SBOM has the same bytes, even if another program
/// has rewritten it in between.
#[must_use]
pub fn render(sbom: &Value) -> Vec<u8> {
    // `Display` is compiled in serde_json, which is optimized in every profile, and `to_vec_pretty` in this crate.
    format!("{sbom:#}\n").into_bytes()
}

/// The digest of the SBOM in a release's provenance. cosign re-renders the SBOM when it attests it.
#[must_use]
pub fn digest(sbom: &Value) -> Digest {
    Digest::of(&render(sbom))
}

/// Describes how `found` differs from the `expected` SBOM; `None` if it does not.
#[must_use]
pub fn difference(found: &Value, expected: &Value) -> Option<String> {
    const SHOWN: usize = 5;
    if found == expected {
        return None;
    }
    let by_reference = |sbom: &Value| -> BTreeMap<String, Value> {
        let components = sbom["components"].as_array().into_iter().flatten();
        components
            .map(|component| {
                (component["bom-ref"].as_str().unwrap_or("without a `bom-ref`").to_owned(), component.clone())
            })
            .collect()
    };
    let (listed, there) = (by_reference(found), by_reference(expected));
    let list = |names: Vec<&String>| {
        let names = names.iter().map(|name| format!("`{}`", name.escape_debug()));
        few(names, SHOWN).unwrap_or_else(|| "nothing".to_owned())
    };
    let missing: Vec<_> = there.keys().filter(|name| !listed.contains_key(*name)).collect();
    let excess: Vec<_> = listed.keys().filter(|name| !there.contains_key(*name)).collect();
    let other: Vec<_> = there
        .iter()
        .filter(|(name, one)| listed.get(*name).is_some_and(|two| two != *one))
        .map(|(name, _)| name)
        .collect();
    let fields = |sbom: &Value| sbom.as_object().cloned().unwrap_or_default();
    let (mut left, right) = (fields(found), fields(expected));
    left.extend(right.keys().filter(|key| found.get(*key).is_none()).map(|key| (key.clone(), Value::Null)));
    let rest: Vec<_> =
        left.keys().filter(|key| *key != "components" && found.get(*key) != expected.get(*key)).collect();
    if missing.is_empty() && excess.is_empty() && other.is_empty() && rest.is_empty() {
        let words = "it lists what is in the image";
        return Some(match repeated(found) {
            names if names.is_empty() => format!("{words}, but in another order or form"),
            names => format!("{words}, but some of it more than once: {}", list(names.iter().collect())),
        });
    }
    Some(format!(
        "it lists other things than are in the image: missing {}; in excess {}; described in another way {}{}",
        list(missing),
        list(excess),
        list(other),
        if rest.is_empty() { String::new() } else { format!("; and another {}", list(rest)) }
    ))
}

/// The `bom-ref` of each component that is listed more than once.
fn repeated(sbom: &Value) -> BTreeSet<String> {
    let components = sbom["components"].as_array().into_iter().flatten();
    let mut seen = BTreeSet::new();
    let references = components.filter_map(|component| component["bom-ref"].as_str());
    references.filter(|reference| !seen.insert(*reference)).map(str::to_owned).collect()
}

/// A UUID that is derived from the SBOM's release (RFC 9562 §5.8, version 8) instead of a random one.
fn serial_number(subject: &Subject<'_>) -> String {
    let digest = Digest::of(format!("{} {}", subject.tag, subject.commit).as_bytes());
    let hex = digest.hex();
    format!("urn:uuid:{}-{}-8{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}
