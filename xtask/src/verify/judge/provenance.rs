//! The claims about the provenance, compared field by field with what the tagged commit says.

mod inputs;
mod run;
mod times;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::evidence::claims;
use crate::evidence::provenance::{
    BUILD_SECRETS, BuildType, LOCAL_BUILDER, MODIFIED, Provenance, REHEARSE, REHEARSE_WORK_TREE, RELEASE,
    RELEASE_WORKFLOW, RUN, Resource, SBOM_FILE, SBOM_TYPE, WORK_TREE, WORKFLOW_BUILDER, XTASK, byproduct,
    manifest_name, xtask_uri,
};
use crate::evidence::sbom;
use crate::inputs::DOCKERFILE;
use crate::inputs::release::Release;
use crate::oci::media_type;
use crate::oci::reference::Digest;
use crate::process::shown::named;
use crate::process::time;
use crate::tool::git::Commit;

use crate::verify::claim::{Claim, Observed, Unavailable};
use crate::verify::observe::{self, ObservedImage};
use inputs::{described, expected_dependencies, resource};

/// Judges the predicate. Its parts are judged only if it exists and has our format. `bom` is the SBOM's predicate.
pub(in crate::verify) fn judge(
    release: &Release<'_>,
    seen: &ObservedImage,
    predicate: &Observed<Value>,
    bom: &Observed<Value>,
) -> Vec<Claim> {
    type Judge = fn(&Release<'_>, &Provenance) -> Result<String>;
    let parts: [(&'static str, Judge); 3] = [
        (claims::PROVENANCE_SOURCE, source),
        (claims::PROVENANCE_INPUTS, inputs::judge),
        (claims::PROVENANCE_BUILDER, builder),
    ];
    let mut parsed = Err(Unavailable::DependsOn(claims::PROVENANCE_FORM));
    let form = Claim::judge(claims::PROVENANCE_FORM, predicate, |predicate| {
        let provenance = Provenance::read(predicate)?;
        let judged = form(release, &provenance);
        parsed = Ok(provenance);
        judged
    });
    let parsed = predicate.as_ref().map_err(Clone::clone).and(parsed);
    let judge_one = |(id, judge): (&'static str, Judge)| {
        Claim::judge(id, &parsed, |provenance| judge(release, provenance))
    };
    let products = parsed
        .as_ref()
        .map_err(Clone::clone)
        .and_then(|provenance| Ok((provenance, seen.platforms()?, bom.as_ref().map_err(Clone::clone)?)));
    let products = Claim::judge(claims::PROVENANCE_PRODUCTS, &products, |(provenance, platforms, bom)| {
        check_products(provenance, platforms, bom)
    });
    let time =
        times::judge(release.source.time, parsed.as_ref().map_err(Clone::clone), &observe::seen(time::now()));
    [form].into_iter().chain(parts.map(judge_one)).chain([time, products]).collect()
}

fn form(release: &Release<'_>, provenance: &Provenance) -> Result<String> {
    let definition = &provenance.build_definition;
    let build_type = BuildType::of(&definition.build_type)?;
    let parameters = &definition.external_parameters;
    ensure!(
        parameters.dockerfile == DOCKERFILE,
        "the recipe is `{}`: expected `{DOCKERFILE}`",
        parameters.dockerfile
    );
    let platforms = release.platforms();
    ensure!(
        parameters.platforms == platforms,
        "the platforms are {}: expected {}",
        named(&parameters.platforms),
        named(&platforms)
    );
    let secrets = definition.internal_parameters.get(BUILD_SECRETS);
    let expected_names = crate::evidence::provenance::build_secrets(release.config);
    ensure!(
        secrets == expected_names.as_ref(),
        "the build's secrets are {}: the commit's are {}",
        pairs(secrets),
        pairs(expected_names.as_ref())
    );
    ensure!(
        parameters.workflow.is_some() != parameters.local_run.is_some(),
        "it names neither a workflow nor a local run, or both"
    );
    build_type.check_groups(provenance)?;
    provenance.smoked(&platforms)?;
    Ok(definition.build_type.clone())
}

/// The entries of `maps`, in words.
fn pairs<'a>(maps: impl IntoIterator<Item = &'a BTreeMap<String, String>>) -> String {
    named(maps.into_iter().flatten().map(|(key, value)| format!("{key}={value}")))
}

fn source(release: &Release<'_>, provenance: &Provenance) -> Result<String> {
    let (tag, commit) = (&release.source.tag, &release.source.commit);
    let definition = &provenance.build_definition;
    let repository = definition.external_parameters.repository();
    let expected = release.config.source_url();
    ensure!(repository == Some(&expected), "its repository is {}: expected `{expected}`", named(repository));
    let git_ref = definition.external_parameters.git_ref();
    ensure!(git_ref == Some(&tag.git_ref()), "its ref is {}: expected `{}`", named(git_ref), tag.git_ref());
    let source = resource(definition, "source")?;
    // Only a rehearsal may be built from uncommitted files, and it has to say so.
    let work_tree = BTreeMap::from([(WORK_TREE.to_owned(), "true".to_owned())]);
    ensure!(
        source.annotations.is_empty() || source.annotations == work_tree,
        "the annotations of the source are {}",
        pairs([&source.annotations])
    );
    ensure!(
        source.annotations.is_empty() || release.is_trial(),
        "it was made of a work tree, and not of a commit"
    );
    let found = source.digest.get("gitCommit");
    ensure!(
        found.map(String::as_str) == Some(commit.as_str()),
        "its commit is {}, but `{tag}` is at {commit}",
        named(found)
    );
    let is_of_work_tree = !source.annotations.is_empty();
    let expected_source = expected_dependencies(release, is_of_work_tree).into_iter().next();
    ensure!(expected_source.as_ref() == Some(source), "it describes the source as {}", described(source));
    Ok(format!("{expected} {} at {commit}", tag.git_ref()))
}

fn builder(release: &Release<'_>, provenance: &Provenance) -> Result<String> {
    let parameters = &provenance.build_definition.external_parameters;
    let expected = if parameters.workflow.is_some() { WORKFLOW_BUILDER } else { LOCAL_BUILDER };
    let found = &provenance.run_details.builder.id;
    ensure!(found == expected, "the builder is `{found}`: expected `{expected}`");
    if let Some(workflow) = &parameters.workflow {
        ensure!(
            workflow.path == RELEASE_WORKFLOW,
            "the workflow is `{}`: expected `{RELEASE_WORKFLOW}`",
            workflow.path
        );
    }
    if let Some(run) = &parameters.local_run {
        let loopback = release.is_trial();
        let rehearsal = [REHEARSE, REHEARSE_WORK_TREE].contains(&run.command.as_str());
        let known = run.command == RELEASE || (rehearsal && loopback);
        ensure!(known, "the command is `{}`: expected `{RELEASE}`", run.command);
    }
    let (said, id) = (
        provenance.build_definition.internal_parameters.get(RUN),
        &provenance.run_details.metadata.invocation_id,
    );
    run::check(&release.config.source_url(), parameters.workflow.is_none(), id, said)?;
    let pinned = release.inputs.tool.as_ref().map(|pin| pin.url.clone());
    let home = pinned.unwrap_or_else(|| release.config.source_url());
    let tool = tool(&home, &provenance.run_details.builder.builder_dependencies)?;
    Ok(format!("{found}, {tool}"))
}

/// Which xtask ran. It must be named once, from this repository or from the one that the commit pins it from. It may be
/// newer than the tag; if it was modified, the evidence says so.
fn tool(source: &str, dependencies: &[Resource]) -> Result<String> {
    let [resource] = dependencies else {
        bail!("it names {} builder dependencies: expected one", dependencies.len())
    };
    ensure!(resource.name == XTASK, "the builder's dependency is `{}`: expected `{XTASK}`", resource.name);
    let commit = resource.digest.get("gitCommit").context("the builder's dependency names no commit")?;
    let commit = Commit::parse(commit).context("reading the commit of the builder's dependency")?;
    let expected = xtask_uri(source, &commit);
    ensure!(resource.digest.len() == 1, "the builder's dependency has more than a commit");
    ensure!(resource.media_type.is_none(), "the builder's dependency has a media type");
    ensure!(
        resource.uri.as_ref() == Some(&expected),
        "the address of the builder's dependency is {}: expected `{expected}`",
        named(&resource.uri)
    );
    let modified = BTreeMap::from([(MODIFIED.to_owned(), "true".to_owned())]);
    ensure!(
        resource.annotations.is_empty() || resource.annotations == modified,
        "the annotations of the builder's dependency are {}",
        pairs([&resource.annotations])
    );
    let modified = if resource.annotations.is_empty() { "" } else { ", modified" };
    Ok(format!("`{XTASK}` of {commit}{modified}"))
}

/// Checks that the products that it names are exactly the manifests of the index and the attested SBOM.
fn check_products(provenance: &Provenance, platforms: &[(String, Digest)], bom: &Value) -> Result<String> {
    let made = |(platform, digest): &(String, Digest)| (manifest_name(platform), digest.clone());
    let mut expected: Vec<_> = platforms.iter().map(made).collect();
    expected.push((SBOM_FILE.to_owned(), sbom::digest(bom)));
    let found = &provenance.run_details.byproducts;
    for (name, digest) in &expected {
        let product = found.iter().find(|resource| &resource.name == name);
        let product = product.with_context(|| format!("it names no `{name}`"))?;
        let said = product.digest.get("sha256").map_or("missing", String::as_str);
        ensure!(said == digest.hex(), "the digest of `{name}` is `{said}`: expected `{}`", digest.hex());
    }
    ensure!(found.len() == expected.len(), "it names {} products: expected {}", found.len(), expected.len());
    for (found, (name, digest)) in found.iter().zip(&expected) {
        let media_type = if name == SBOM_FILE { SBOM_TYPE } else { media_type::MANIFEST };
        let ours = byproduct(name, media_type, digest);
        ensure!(found == &ours, "it has {}: expected {}", described(found), described(&ours));
    }
    Ok(format!("{} manifests and the SBOM", platforms.len()))
}

#[cfg(test)]
mod tests {
    use super::{Resource, tool};
    use serde_json::{Value, json};

    #[test]
    fn the_tool_is_named_once_by_its_commit_in_this_repository() {
        const SOURCE: &str = "https://forge.example.org/acme/carol";
        let commit = "8".repeat(40);
        let uri = format!("git+{SOURCE}@{commit}#xtask");
        let right = json!({"name": "xtask", "uri": uri, "digest": {"gitCommit": commit}});
        let judge = |list: Value| tool(SOURCE, &serde_json::from_value::<Vec<Resource>>(list).unwrap());
        assert_eq!(judge(json!([right])).unwrap(), format!("`xtask` of {commit}"));
        let with = |field: &str, value: Value| {
            let mut changed = right.clone();
            changed[field] = value;
            changed
        };
        let modified = with("annotations", json!({"modified": "true"}));
        assert_eq!(judge(json!([modified])).unwrap(), format!("`xtask` of {commit}, modified"));
        assert!(judge(json!([])).is_err() && judge(json!([right, right])).is_err());
        for (field, value) in [
            ("name", json!("cargo")),
            ("uri", json!(format!("git+https://forge.example.org/acme/other@{commit}#xtask"))),
            ("uri", Value::Null),
            ("digest", json!({"gitCommit": "9".repeat(40)})),
            ("digest", json!({"gitCommit": "8"})),
            ("digest", json!({"gitCommit": commit, "sha256": "x"})),
            ("digest", json!({})),
            ("mediaType", json!("text/plain")),
            ("annotations", json!({"modified": "false"})),
            ("annotations", json!({"more": "x"})),
        ] {
            assert!(judge(json!([with(field, value.clone())])).is_err(), "{field}: {value}");
        }
    }
}
