//! After a release was killed and the forge has cleaned up its packages, enough is left to finish the release.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;
use xtask::oci::reference::Tag;

use super::project::Project;
use super::snapshot::Snapshot;
use crate::harness::test;

/// Releases `tag`, kills the release once the image is pushed, runs `clean`, and releases again. The digest must
/// stay the same.
fn kill_clean_and_finish(project: &Project, tag: &str, clean: impl FnOnce() -> Result<()>) -> Result<()> {
    project.push_tag(tag)?;
    let mut running = project.laptop(&["release", tag]).start()?;
    let said = running.until_step("smoke")?;
    running.signal(Signal::SIGKILL)?;
    running.wait()?;
    project.clean_up()?;
    clean()?;

    let finished = project.laptop(&["release", tag]).run()?.success()?;
    let digest = finished.digest()?;
    ensure!(said.contains(digest.as_str()), "another image than {digest} was pushed before:\n{said}");
    ensure!(Snapshot::of(project)?.tags[tag] == digest.as_str(), "`{tag}` names another image");
    project.laptop(&["verify", tag]).run()?.success()?;
    project.clean_up()
}

/// Manifests without a tag that no tag's index names. The forge deletes these at night
/// (docs/facts.md#clean-up-of-digests).
fn unreferenced(project: &Project) -> Result<Vec<String>> {
    let versions = project.repository.image_versions()?;
    let registry = project.repository.registry();
    let mut named = BTreeSet::new();
    for tag in versions.iter().filter(|version| !version.starts_with("sha256:")) {
        let manifest = registry
            .manifest(&tag.parse::<Tag>()?)?
            .with_context(|| format!("`{tag}` is listed but not there"))?;
        let index: Value = serde_json::from_slice(&manifest.bytes)?;
        let parts = index["manifests"].as_array().map(Vec::as_slice).unwrap_or_default();
        named.extend(parts.iter().filter_map(|part| part["digest"].as_str()).map(str::to_owned));
    }
    Ok(versions
        .into_iter()
        .filter(|version| version.starts_with("sha256:") && !named.contains(version))
        .collect())
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn a_killed_release_is_finished_after_the_forge_has_cleaned_up() -> Result<()> {
    test(|| {
        let project = Project::ready()?;
        kill_clean_and_finish(&project, "v0.1.0", || {
            for version in unreferenced(&project)? {
                project.repository.delete_image_version(&version)?;
            }
            let left = project.repository.image_versions()?;
            ensure!(left.iter().any(|version| version.starts_with("candidate-")), "no candidate: {left:?}");
            ensure!(
                left.iter().any(|version| version.starts_with("sha256:")),
                "no platform's manifest: {left:?}"
            );
            Ok(())
        })?;
        // A clean-up rule that also deletes candidates leaves nothing of the second release.
        kill_clean_and_finish(&project, "v0.1.1", || {
            for version in project.repository.image_versions()? {
                if version.starts_with("candidate-") {
                    project.repository.delete_image_version(&version)?;
                }
            }
            let orphans = unreferenced(&project)?;
            ensure!(!orphans.is_empty(), "without its candidate nothing names the image's manifests");
            orphans.iter().try_for_each(|version| project.repository.delete_image_version(version))
        })
    })
}
