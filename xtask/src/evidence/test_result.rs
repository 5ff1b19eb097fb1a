//! The result of the smoke test, as an in-toto predicate: on which platforms the image was run and how, on which it
//! was not, and with which configuration
//! (<https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md>). All of it follows from the
//! commit and the provenance, so a verifier generates it again and compares.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::evidence::provenance::{Smoked, Tried};
use crate::inputs::config::MANIFEST;
use crate::inputs::release::Release;

/// The predicate of `release`, whose image was tested as in `smoked`. A platform that was not run is a warning.
///
/// # Errors
/// When the commit has no configuration.
pub fn predicate(release: &Release<'_>, smoked: &Smoked) -> Result<Value> {
    let (source, commit) = (release.config.source_url(), &release.source.commit);
    let configuration = release.inputs.configuration.as_ref();
    let configuration = configuration.with_context(|| format!("commit {commit} has no `{MANIFEST}`"))?;
    let (not_run, run): (Vec<_>, Vec<_>) =
        smoked.words().into_iter().partition(|(_, word)| *word == Tried::NotRun.to_string());
    let tests = |of: &[(String, String)]| -> Vec<_> {
        of.iter().map(|(platform, word)| format!("{platform} {word}")).collect()
    };
    Ok(json!({
        "result": if not_run.is_empty() { "PASSED" } else { "WARNED" },
        "configuration": [{
            "name": MANIFEST,
            "uri": format!("git+{source}@{commit}#{MANIFEST}"),
            "digest": {"sha256": configuration.hex()},
        }],
        "passedTests": tests(&run),
        "warnedTests": tests(&not_run),
        "failedTests": [],
    }))
}
