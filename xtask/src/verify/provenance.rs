//! The claims about the provenance, held field by field against what the tagged commit says.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::dockerfile::BaseImage;
use crate::index;
use crate::inputs::DOCKERFILE;
use crate::provenance::{BuildDefinition, Provenance, REHEARSE, RELEASE, RELEASE_WORKFLOW, Resource};
use crate::release::Release;
use crate::time;

use super::claim::Claim;
use super::look::ImageSeen;

/// How far a builder's clock may be ahead of the verifier's, in seconds.
const CLOCK_SKEW: u64 = 600;

/// Judges the predicate; when it could not be read, the claims about its parts are as unknown as it is.
pub(super) fn judge(release: &Release<'_>, seen: &ImageSeen, predicate: &Result<Value>) -> Vec<Claim> {
    type Judge = fn(&Release<'_>, &Provenance) -> Result<String>;
    let judges: [(&'static str, Judge); 5] = [
        ("provenance.form", form),
        ("provenance.source", source),
        ("provenance.inputs", inputs),
        ("provenance.builder", builder),
        ("provenance.time", times),
    ];
    let parsed = predicate.as_ref().map_err(|error| format!("{error:#}")).and_then(|predicate| {
        serde_json::from_value::<Provenance>(predicate.clone())
            .map_err(|error| format!("it is not of our form: {error}"))
    });
    let judge_one = |(id, judge): (&'static str, Judge)| {
        Claim::judge(id, &seen.provenance, |_| {
            let provenance = parsed.as_ref().map_err(|why| anyhow::anyhow!("{why}"))?;
            judge(release, provenance)
        })
    };
    let mut claims: Vec<_> = judges.into_iter().map(judge_one).collect();
    claims.push(Claim::judge("provenance.products", &seen.provenance, |_| {
        let provenance = parsed.as_ref().map_err(|why| anyhow::anyhow!("{why}"))?;
        products(provenance, seen)
    }));
    claims
}

fn form(release: &Release<'_>, provenance: &Provenance) -> Result<String> {
    let definition = &provenance.build_definition;
    let expected = crate::provenance::build_type(release.session.config);
    ensure!(
        definition.build_type == expected,
        "the build type is `{}`: expected `{expected}`",
        definition.build_type
    );
    let parameters = &definition.external_parameters;
    ensure!(
        parameters.dockerfile == DOCKERFILE,
        "the recipe is `{}`: expected `{DOCKERFILE}`",
        parameters.dockerfile
    );
    let platforms: Vec<_> = release.session.config.platforms.iter().map(ToString::to_string).collect();
    ensure!(
        parameters.platforms == platforms,
        "the platforms are {:?}: expected {platforms:?}",
        parameters.platforms
    );
    ensure!(
        parameters.workflow.is_some() != parameters.local_run.is_some(),
        "it names neither a workflow nor a local run, or both"
    );
    Ok(definition.build_type.clone())
}

fn source(release: &Release<'_>, provenance: &Provenance) -> Result<String> {
    let (tag, commit) = (&release.source.tag, &release.source.commit);
    let definition = &provenance.build_definition;
    let repository = definition.external_parameters.repository();
    let expected = release.session.config.source_url();
    ensure!(repository == Some(&expected), "it is of the repository {repository:?}: expected `{expected}`");
    let git_ref = definition.external_parameters.git_ref();
    ensure!(git_ref == Some(&tag.git_ref()), "it is of {git_ref:?}: expected `{}`", tag.git_ref());
    let found = resource(definition, "source")?.digest.get("gitCommit");
    ensure!(
        found.map(String::as_str) == Some(commit.as_str()),
        "it names the commit {found:?}, but `{tag}` is at {commit}"
    );
    Ok(format!("{expected} {} at {commit}", tag.git_ref()))
}

fn inputs(release: &Release<'_>, provenance: &Provenance) -> Result<String> {
    let definition = &provenance.build_definition;
    for (path, digest) in &release.inputs.files {
        let name = path.rsplit('/').next().unwrap_or(path);
        check_digest(resource(definition, name)?, digest.hex(), path)?;
    }
    let base = &release.inputs.base;
    let image = |name: &str, base: &BaseImage| {
        check_digest(resource(definition, name)?, base.digest.hex(), &base.reference)
    };
    for (name, base) in base.named() {
        image(&name, base)?;
    }
    let expected = 1 + release.inputs.files.len() + base.named().len();
    let others: Vec<_> = definition.resolved_dependencies.iter().skip(expected).collect();
    ensure!(
        others.iter().all(|resource| resource.name == "stand-in-image"),
        "it names more than the source, its files and its base images"
    );
    let stand_in = !others.is_empty();
    // Only a rehearsal or a test may be made of something else than the Dockerfile says; it has to say so.
    ensure!(
        !stand_in || release.target.image.registry.is_loopback(),
        "a stand-in took the base image's place"
    );
    Ok("the Dockerfile, package.json, the lockfile and the base images are the commit's".to_owned())
}

fn builder(release: &Release<'_>, provenance: &Provenance) -> Result<String> {
    let parameters = &provenance.build_definition.external_parameters;
    let anchor = if parameters.workflow.is_some() { "forgejo-actions" } else { "local-run" };
    let expected = crate::provenance::builder_id(release.session.config, anchor);
    let found = &provenance.run_details.builder.id;
    ensure!(found == &expected, "the builder is `{found}`: expected `{expected}`");
    if let Some(workflow) = &parameters.workflow {
        ensure!(
            workflow.path == RELEASE_WORKFLOW,
            "the workflow is `{}`: expected `{RELEASE_WORKFLOW}`",
            workflow.path
        );
    }
    if let Some(run) = &parameters.local_run {
        let loopback = release.target.image.registry.is_loopback();
        let known = run.command == RELEASE || (run.command == REHEARSE && loopback);
        ensure!(known, "the command is `{}`: expected `{RELEASE}`", run.command);
    }
    Ok(found.clone())
}

fn times(release: &Release<'_>, provenance: &Provenance) -> Result<String> {
    let metadata = &provenance.run_details.metadata;
    let read = |text: &str| time::parse_rfc3339(text);
    let (started, finished) = (read(&metadata.started_on)?, read(&metadata.finished_on)?);
    ensure!(started <= finished, "it finished at {}, before it started", metadata.finished_on);
    ensure!(finished <= time::now()? + CLOCK_SKEW, "it finished in the future, at {}", metadata.finished_on);
    ensure!(
        started + CLOCK_SKEW >= release.source.time,
        "it started at {}, before the commit was made",
        metadata.started_on
    );
    Ok(format!("{} to {}", metadata.started_on, metadata.finished_on))
}

/// The manifests that it says came out are those of the index.
fn products(provenance: &Provenance, seen: &ImageSeen) -> Result<String> {
    let index =
        seen.index.as_ref().map_err(|why| anyhow::anyhow!("{why}"))?.as_ref().context("there is no image")?;
    for (platform, digest) in index::platforms(&index.bytes)? {
        let name = format!("manifest {platform}");
        let found = provenance.run_details.byproducts.iter().find(|resource| resource.name == name);
        let found = found.with_context(|| format!("it names no `{name}`"))?;
        check_digest(found, digest.hex(), &name)?;
    }
    Ok("the index's manifests".to_owned())
}

fn resource<'a>(definition: &'a BuildDefinition, name: &str) -> Result<&'a Resource> {
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
