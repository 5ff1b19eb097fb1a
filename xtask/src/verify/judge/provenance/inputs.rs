//! The claim that the build read only what the commit pins: its dependencies, and the steps that have network access.

use anyhow::{Context as _, Result, bail, ensure};

use crate::evidence::provenance::{
    BuildDefinition, BuildType, Inputs, NETWORK, Provenance, Resource, network, resolved_dependencies,
};
use crate::inputs::config::Native;
use crate::inputs::release::Release;
use crate::process::shown;

pub(super) fn judge(release: &Release<'_>, provenance: &Provenance) -> Result<String> {
    let definition = &provenance.build_definition;
    for (path, digest) in &release.inputs.files {
        check_digest(resource(definition, file_name(path))?, digest.hex(), path)?;
    }
    let base = release.inputs.base.named();
    for (name, base) in &base {
        check_digest(resource(definition, name)?, base.digest.hex(), &base.reference)?;
    }
    let archives: Vec<_> = release.config.native.iter().filter_map(Native::archive).collect();
    for (number, (name, archive)) in archives.iter().enumerate() {
        // The archives of two versions of a package have the same name.
        let before = archives[..number].iter().filter(|(other, _)| other == name).count();
        let found =
            definition.resolved_dependencies.iter().filter(|resource| resource.name == *name).nth(before);
        let found = found.with_context(|| format!("it names no `{name}`, or too few"))?;
        check_digest(found, archive.sha256.hex(), name)?;
        let url = archive.url.to_string();
        let said = shown::named(&found.uri);
        ensure!(found.uri.as_ref() == Some(&url), "the address of `{name}` is {said}: expected `{url}`");
    }
    let files = release.inputs.files.iter().map(|(path, _)| file_name(path));
    let named =
        base.iter().map(|(name, _)| name.as_str()).chain(archives.iter().map(|(name, _)| name.as_str()));
    let expected: Vec<_> = files.chain(named).chain(["source"]).collect();
    let is_other = |resource: &&Resource| !expected.contains(&resource.name.as_str());
    let others: Vec<_> = definition.resolved_dependencies.iter().filter(is_other).collect();
    if let Some(other) = others.iter().find(|resource| resource.name != "stand-in-image") {
        bail!(
            "it names {}, which is not the source, one of its files, a base image or an archive",
            described(other)
        );
    }
    let stand_in = !others.is_empty();
    // Only a rehearsal or a test may be built from anything other than what the Dockerfile names, and it has to say
    // so.
    ensure!(!stand_in || release.is_trial(), "a stand-in took the base image's place");
    // The digests were compared one by one above. This compares everything else about the dependencies, and their
    // order.
    let ours = expected_dependencies(release, false);
    let is_input = |resource: &&Resource| resource.name != "source";
    let (found, ours): (Vec<_>, Vec<_>) = (
        definition.resolved_dependencies.iter().filter(is_input).collect(),
        ours.iter().filter(is_input).collect(),
    );
    let first = found.iter().zip(&ours).find(|(found, ours)| found != ours);
    if let Some((found, ours)) = first {
        bail!("it has {}: expected {}", described(found), described(ours));
    }
    let place = definition.resolved_dependencies.iter().position(|resource| resource.name == "source");
    ensure!(place.is_none_or(|place| place == 0), "it names an input before its source");
    if let Some(more) = found.get(ours.len()) {
        bail!("it names {}, which the commit does not", described(more));
    }
    if let Some(missing) = ours.get(found.len()) {
        bail!("it does not name {}", described(missing));
    }
    check_network(release, definition)?;
    let what = if archives.is_empty() { "" } else { ", and the archives the configuration's" };
    let steps = definition.internal_parameters.get(NETWORK);
    let steps = steps.map(|steps| format!("; steps with a network: {}", steps.len())).unwrap_or_default();
    Ok(format!(
        "the Dockerfile, package.json, the lockfile and the base images are the commit's{what}{steps}"
    ))
}

/// Checks that the steps with network access are the Dockerfile's. If the list is missing although the build type
/// requires it, or exists although the build type has none, `provenance.form` reports that, and not this check.
fn check_network(release: &Release<'_>, definition: &BuildDefinition) -> Result<()> {
    let names_them = BuildType::of(&definition.build_type).is_ok_and(BuildType::names_networked_steps);
    let Some(said) = definition.internal_parameters.get(NETWORK).filter(|_| names_them) else {
        return Ok(());
    };
    let ours = network(&release.inputs.networked);
    for (place, words) in &ours {
        let said = said.get(place);
        let said =
            said.with_context(|| format!("it does not name `{place}`, which has a network: {words}"))?;
        ensure!(said == words, "`{place}`, which has a network, is said to be `{said}`: expected `{words}`");
    }
    let more = said.keys().find(|place| !ours.contains_key(*place));
    ensure!(
        more.is_none(),
        "it names `{}` as a step that has a network, and the commit has no such step there",
        more.map_or("", String::as_str)
    );
    Ok(())
}

/// The dependencies that the provenance of a build of the commit names.
pub(super) fn expected_dependencies(release: &Release<'_>, is_of_work_tree: bool) -> Vec<Resource> {
    resolved_dependencies(&Inputs {
        config: release.config,
        tag: &release.source.tag,
        commit: &release.source.commit,
        is_of_work_tree,
        files: &release.inputs.files,
        base: &release.inputs.base,
        stand_ins: &release.replaced(),
    })
}

/// A resource in words.
pub(super) fn described(resource: &Resource) -> String {
    serde_json::to_string(resource).unwrap_or_else(|_| format!("`{}`", resource.name))
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

pub(super) fn resource<'a>(definition: &'a BuildDefinition, name: &str) -> Result<&'a Resource> {
    let mut named = definition.resolved_dependencies.iter().filter(|resource| resource.name == name);
    let first = named.next().with_context(|| format!("it names no `{name}`"))?;
    ensure!(named.next().is_none(), "it names `{name}` twice");
    Ok(first)
}

fn check_digest(resource: &Resource, expected: &str, what: &str) -> Result<()> {
    let found = resource.digest.get("sha256").map_or("missing", String::as_str);
    ensure!(found == expected, "the digest of `{what}` is `{found}`: the commit's is `{expected}`");
    Ok(())
}
