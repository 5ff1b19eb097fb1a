//! What independent programs say about a release: in-toto about the provenance, CycloneDX about the SBOM, crane
//! about the image. Each judge is also given an error, because a judge that accepts everything proves nothing.

use std::path::Path;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use xtask::oci::reference::Digest;
use xtask::process::Output;

use crate::evidence;
use crate::harness::shared::{Shared, rehearsal};
use crate::harness::{call, export, image, read, test};

/// Gives `document` to a script below `testbed/judges`.
fn judge(script: &str, document: &Value) -> Result<Output> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("judges").join(script);
    let python = call(export("TESTBED_PYTHON")?, &["-I", crate::harness::checkout::text(&script)?])?;
    python.stdin(document.to_string()).output()
}

fn accepts(script: &str, document: &Value) -> Result<()> {
    let verdict = judge(script, document)?;
    ensure!(verdict.status.success(), "{script} rejects it: {}", verdict.stderr);
    Ok(())
}

/// Checks that `script` rejects `document`, with `words` in the reason.
fn refuses(script: &str, document: &Value, words: &str) -> Result<()> {
    let verdict = judge(script, document)?;
    ensure!(!verdict.status.success(), "{script} accepts {document}");
    ensure!(verdict.stderr.contains(words), "{script} does not say `{words}`: {}", verdict.stderr);
    Ok(())
}

#[test]
fn in_toto_reads_the_provenance_without_loss() -> Result<()> {
    test(|| {
        let Shared { checkout, run, .. } = rehearsal()?;
        let provenance = evidence::provenance(checkout, run)?;
        accepts("provenance.py", &provenance)?;
        let with = |change: &dyn Fn(&mut Value)| {
            let mut changed = provenance.clone();
            change(&mut changed);
            changed
        };
        let unknown = with(&|p| p["runDetails"]["builder"]["nickname"] = json!("x"));
        refuses("provenance.py", &unknown, "no field named \"nickname\"")?;
        let wrong_type = with(&|p| p["buildDefinition"]["resolvedDependencies"][0]["digest"] = json!("x"));
        refuses("provenance.py", &wrong_type, "digest")?;
        let no_time = with(&|p| p["runDetails"]["metadata"]["startedOn"] = json!("yesterday"));
        refuses("provenance.py", &no_time, "startedOn")?;
        // The parser accepts this name, but does not write it again.
        let another_name = with(&|p| p["runDetails"]["metadata"]["invocation_id"] = json!("x"));
        refuses("provenance.py", &another_name, "no SLSA v1 provenance")
    })
}

#[test]
fn the_sbom_conforms_to_the_schema_of_cyclonedx_1_6() -> Result<()> {
    test(|| {
        let Shared { checkout, run, .. } = rehearsal()?;
        let sbom = evidence::predicate(checkout, run, 2)?;
        accepts("sbom.py", &sbom)?;
        let with = |pointer: &str, value: Value| {
            let mut changed = sbom.clone();
            if let Some(place) = changed.pointer_mut(pointer) {
                *place = value;
            }
            changed
        };
        refuses(
            "sbom.py",
            &with("/components/0/version", json!(1)),
            "$.components[0].version: 1 is not of type 'string'",
        )?;
        refuses("sbom.py", &with("/components/0/type", json!("npm")), "'npm' is not one of")?;
        refuses("sbom.py", &with("/specVersion", json!("1.4")), "`specVersion` is '1.4'")?;
        let mut unknown = sbom.clone();
        unknown["comment"] = json!("x");
        refuses("sbom.py", &unknown, "Additional properties are not allowed")
    })
}

#[test]
fn crane_accepts_the_image_and_rejects_one_with_a_layer_missing() -> Result<()> {
    test(|| {
        let (crane, pinned) = (export("TESTBED_CRANE")?, rehearsal()?.run.pinned()?);
        assert_eq!(read(&crane, &["digest", &pinned])?, rehearsal()?.run.digest()?.as_str());
        // Fetches all layers and compares their digests, compressed and uncompressed.
        read(&crane, &["validate", "--remote", &pinned])?;
        let platforms = image::platforms(&pinned, &image::json(&pinned)?)?;
        let [(_, manifest), ..] = &platforms[..] else { anyhow::bail!("the index is empty") };
        let mut holed = image::json(manifest)?;
        holed["layers"].as_array_mut().and_then(Vec::pop);
        let holed = push(manifest, &holed)?;
        let verdict = call(&crane, &["validate", "--remote", &holed])?.output()?;
        ensure!(!verdict.status.success(), "crane does not miss the layer: {}", verdict.stderr);
        Ok(())
    })
}

/// Stores a manifest by its digest in the repository of `beside`; returns its reference.
fn push(beside: &str, manifest: &Value) -> Result<String> {
    let (text, (name, _)) = (manifest.to_string(), beside.split_once('@').unwrap_or((beside, "")));
    let (registry, path) = name.split_once('/').unwrap_or((name, ""));
    let digest = Digest::of(text.as_bytes());
    let url = format!("http://{registry}/v2/{path}/manifests/{digest}");
    let form = format!("Content-Type: {}", manifest["mediaType"].as_str().unwrap_or_default());
    let put =
        ["--fail", "--silent", "--show-error", "--request", "PUT", "--header", &form, "--data-binary", "@-"];
    call("curl", &[&put[..], &[&url]].concat())?.stdin(text).run()?;
    Ok(format!("{name}@{digest}"))
}
