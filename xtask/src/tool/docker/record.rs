//! What buildx writes about a finished build: the digest, and from 0.38 on `BuildKit`'s own record of the steps.
//!
//! The record is `BuildKit`'s provenance in the mode `max`, with the low-level build definition (LLB) that was run. Its
//! types are in `solver/llbsolver/provenance/types` of `BuildKit` 0.34.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::Value;

use crate::oci::reference::Digest;

/// The variable that makes buildx write the record, and its value for the most detailed form.
pub(super) const VARIABLE: (&str, &str) = ("BUILDX_METADATA_PROVENANCE", "max");

/// The key of a record, followed by `/` and the platform if the image is an index.
const RECORD: &str = "buildx.build.provenance";

/// `NetMode_NONE` of the LLB: no network. Any other value is a network.
const NO_NETWORK: u64 = 2;

/// A finished build.
#[derive(Debug, PartialEq, Eq)]
pub struct Built {
    /// The digest of the index.
    pub digest: Digest,
    /// The steps that ran with a network, for all platforms. Empty if buildx does not report them.
    pub networked: Vec<RanStep>,
}

/// A step that `BuildKit` ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RanStep {
    /// The command, its words separated by spaces.
    pub command: String,
    /// The lines of each instruction of the Dockerfile that it comes from. There are several instructions if stages
    /// share the step. A trigger of a base image (`ONBUILD`) has the line of its `FROM`.
    pub origins: Vec<Vec<usize>>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(rename = "containerimage.digest")]
    digest: Digest,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// Reads the metadata file of a build.
///
/// # Errors
/// When it has no digest, or a record has an unknown form.
pub(super) fn read(json: &[u8]) -> Result<Built> {
    let metadata: Metadata =
        serde_json::from_slice(json).context("reading the digest in the build's metadata file")?;
    let is_record =
        |key: &str| key.strip_prefix(RECORD).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let mut networked = Vec::new();
    for (key, record) in metadata.others.iter().filter(|(key, _)| is_record(key)) {
        networked
            .extend(steps(record).with_context(|| format!("reading `{key}` in the build's metadata file"))?);
    }
    Ok(Built { digest: metadata.digest, networked })
}

/// The steps of one platform that had a network.
fn steps(record: &Value) -> Result<Vec<RanStep>> {
    // The form of SLSA 0.2, and that of 1.0.
    let definition = first(record, ["/buildConfig", "/buildDefinition/internalParameters/buildConfig"])?;
    let metadata = first(
        record,
        [
            "/metadata/https:~1~1mobyproject.org~1buildkit@v1#metadata",
            "/runDetails/metadata/buildkit_metadata",
        ],
    )?;
    let steps =
        definition.get("llbDefinition").and_then(Value::as_array).context("it has no `llbDefinition`")?;
    let mut ran = Vec::new();
    for step in steps {
        let Some(exec) = step.pointer("/op/Op/exec") else { continue };
        let network = match exec.get("network") {
            None => 0,
            Some(network) => network.as_u64().context("`network` is not a number")?,
        };
        if network != NO_NETWORK {
            let id = step.get("id").and_then(Value::as_str).context("a step has no `id`")?;
            let origins =
                origins(metadata, id).with_context(|| format!("reading where `{id}` comes from"))?;
            ran.push(RanStep { command: command(exec)?, origins });
        }
    }
    Ok(ran)
}

fn first<'a>(record: &'a Value, places: [&str; 2]) -> Result<&'a Value> {
    match places.iter().find_map(|place| record.pointer(place)) {
        Some(found) => Ok(found),
        None => bail!("it has neither `{}` nor `{}`", places[0], places[1]),
    }
}

fn command(exec: &Value) -> Result<String> {
    let words = exec.pointer("/meta/args").and_then(Value::as_array).context("a step has no `args`")?;
    let words: Option<Vec<_>> = words.iter().map(Value::as_str).collect();
    Ok(words.context("a word of `args` is not a string")?.join(" "))
}

/// Where the step `id` comes from. A step without a location has no origin.
fn origins(metadata: &Value, id: &str) -> Result<Vec<Vec<usize>>> {
    #[derive(Deserialize)]
    struct Places {
        #[serde(default)]
        locations: Vec<Place>,
    }
    #[derive(Deserialize)]
    struct Place {
        #[serde(default)]
        ranges: Vec<Range>,
    }
    #[derive(Deserialize)]
    struct Range {
        start: Position,
    }
    #[derive(Deserialize)]
    struct Position {
        #[serde(default)]
        line: usize,
    }
    let Some(places) = metadata.pointer("/source/locations").and_then(|all| all.get(id)) else {
        return Ok(Vec::new());
    };
    let places: Places = serde_json::from_value(places.clone())?;
    let lines = |place: Place| place.ranges.into_iter().map(|range| range.start.line).collect();
    Ok(places.locations.into_iter().map(lines).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{RanStep, read};
    use crate::oci::reference::Digest;

    fn definition() -> Value {
        json!({"llbDefinition": [
            {"id": "step0", "op": {"Op": {"source": {"identifier": "docker-image://node"}}}},
            {"id": "step1", "op": {"Op": {"exec": {"meta": {"args": ["/bin/sh", "-c", "make"]}, "network": 2}}}},
            {"id": "step2", "op": {"Op": {"exec": {"meta": {"args": ["/bin/sh", "-c", "npm ci"]}}}}},
            {"id": "step3", "op": {"Op": {"exec": {"meta": {"args": ["x"]}, "network": 1}}}},
        ]})
    }

    fn places() -> Value {
        json!({"source": {"locations": {"step2": {"locations": [
            {"ranges": [{"start": {"line": 3}, "end": {"line": 3}}, {"start": {"line": 4}}]},
            {"ranges": [{"start": {"line": 9}}]},
        ]}}}})
    }

    fn metadata(key: &str, record: &Value) -> Vec<u8> {
        json!({"containerimage.digest": Digest::of(b"x").as_str(), key: record}).to_string().into_bytes()
    }

    #[test]
    fn the_steps_with_a_network_are_read_in_both_forms_and_for_each_platform() {
        let old = json!({
            "buildConfig": definition(), "metadata": {"https://mobyproject.org/buildkit@v1#metadata": places()},
        });
        let new = json!({
            "buildDefinition": {"internalParameters": {"buildConfig": definition()}},
            "runDetails": {"metadata": {"buildkit_metadata": places()}},
        });
        let expected = [
            RanStep { command: "/bin/sh -c npm ci".to_owned(), origins: vec![vec![3, 4], vec![9]] },
            RanStep { command: "x".to_owned(), origins: vec![] },
        ];
        for (key, record) in [
            ("buildx.build.provenance", &old),
            ("buildx.build.provenance/linux/arm64", &old),
            ("buildx.build.provenance/linux/arm64", &new),
        ] {
            let built = read(&metadata(key, record)).unwrap();
            assert_eq!((built.digest, &built.networked[..]), (Digest::of(b"x"), &expected[..]), "{key}");
        }
        let none = read(&metadata("buildx.build.ref", &json!("default/default/x"))).unwrap();
        assert!(none.networked.is_empty());
    }

    #[test]
    fn a_record_of_an_unknown_form_is_refused() {
        for record in [
            json!("x"),
            json!({"buildConfig": definition()}),
            json!({"buildConfig": {}, "metadata": {"https://mobyproject.org/buildkit@v1#metadata": {}}}),
            json!({
                "buildConfig": {"llbDefinition": [{"op": {"Op": {"exec": {"meta": {"args": ["x"]}}}}}]},
                "metadata": {"https://mobyproject.org/buildkit@v1#metadata": {}},
            }),
            json!({
                "buildConfig": {"llbDefinition": [{"id": "a", "op": {"Op": {"exec": {"network": "none"}}}}]},
                "metadata": {"https://mobyproject.org/buildkit@v1#metadata": {}},
            }),
        ] {
            let error = read(&metadata("buildx.build.provenance", &record)).unwrap_err();
            assert!(format!("{error:#}").contains("`buildx.build.provenance`"), "{record}: {error:#}");
        }
        assert!(read(b"{}").is_err());
    }
}
