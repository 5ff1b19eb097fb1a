//! Step 5, build: the reproducible build, pushed under a candidate tag; and what its provenance says.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, ensure};

use crate::config::{Config, Folder, NamedSecrets, build_secrets};
use crate::index;
use crate::inputs::Inputs;
use crate::lockfile;
use crate::provenance::{Facts, Provenance, SBOM_FILE, Smoked};
use crate::reference::Digest;
use crate::release::preflight::Toolchain;
use crate::release::source::Source;
use crate::release::target::Target;
use crate::release::{Release, Session, candidate, stand_in};
use crate::time::{now, rfc3339};
use crate::tool::backoff;
use crate::tool::curl::is_silent;
use crate::tool::docker::{Build, Output, START_ENGINE};

/// What was pushed.
pub struct Built {
    /// The digest of the index.
    pub digest: Digest,
    /// The platform and digest of each manifest in it.
    pub manifests: Vec<(String, Digest)>,
    /// When it was done, in seconds since 1970.
    pub finished: u64,
}

/// Builds and pushes the candidate, and asks the registry for what it stored. The builder pushes: `docker push` puts each
/// platform's manifest under the tag itself, and on Forgejo a tag that moves makes its old digest unreachable, so that the
/// index finds its manifests gone.
///
/// # Errors
/// When the build or the push fails, or when the registry holds something else than was built.
pub fn run(release: &Release<'_>) -> Result<Built> {
    let Release { session, tools, target, source, .. } = release;
    let name = target.image.tagged(&candidate::new_tag(source)?);
    let digest = push(release, &name)?;
    // By digest: another run of the same release may have ended by now, and taken the tag away.
    let stored = tools.registry.manifest(digest.as_str())?;
    let stored = stored.with_context(|| {
        format!("`{digest}` is not in the registry after its push as `{name}`: does someone else push there?")
    })?;
    let manifests = manifests(&stored.bytes, session.config)?;
    Ok(Built { digest, manifests, finished: now()? })
}

/// Builds and pushes as `name`, within the step's timeout. Whatever is not the commit's fault, or the engine's, may be a
/// network's: then it is built once more, which does again only what failed.
fn push(release: &Release<'_>, name: &str) -> Result<Digest> {
    let is_plain_elsewhere = release.target.image.registry.is_plain_elsewhere();
    let mut build = recipe(release, Output::Push { name: name.to_owned(), is_plain_elsewhere })?;
    let watch = release.registry_watch();
    let began = Instant::now();
    let first = match release.tools.docker.build(&build, Some(&watch)) {
        Ok(digest) => return Ok(digest),
        Err(error) => explain(release, error)?,
    };
    // docker was asked meanwhile, so the shortest of the pauses is behind it.
    let pause = backoff::pause(2, backoff::random()?);
    build.timeout = build.timeout.saturating_sub(began.elapsed() + pause);
    if build.timeout.is_zero() {
        return Err(first);
    }
    let words = format!("{first:#}");
    release.session.steps.line("again", words.lines().next_back().unwrap_or_default());
    thread::sleep(pause);
    release.tools.docker.build(&build, Some(&watch)).or_else(|error| Err(explain(release, error)?))
}

/// Why a build failed, as far as it will be the same the next time: a registry that says nothing was asked several times by
/// now, and an engine that has gone says no more than `EOF`. Gives the error back where it is neither.
fn explain(release: &Release<'_>, error: anyhow::Error) -> Result<anyhow::Error> {
    crate::interrupt::check()?;
    if is_silent(&error) {
        return Err(error);
    }
    match release.tools.docker.engine() {
        // `npm ci` in the build is what judges the lockfile in the end.
        Ok(_) => Ok(error.context(format!(
            "building the image; if `npm ci` in the build refuses the lockfile, {}",
            remedy(&release.session.config.service)
        ))),
        Err(gone) => Err(error.context(format!("docker's engine has gone: {gone:#}; {START_ENGINE}"))),
    }
}

/// A lockfile that one version of npm has written may be incomplete for another, and writing it once more with the first one
/// changes nothing.
fn remedy(service: &Folder) -> String {
    format!(
        "{}, with the npm of the base image, such as `npx npm@10` in place of `npm`",
        lockfile::remedy(service)
    )
}

/// Builds the commit without pushing anything, writes the image as an OCI layout into the tar file `file`, and returns the
/// digest of its index.
///
/// # Errors
/// When the build fails.
pub fn to_layout(release: &Release<'_>, file: &Path) -> Result<Digest> {
    release.tools.docker.build(&recipe(release, Output::Layout(file.to_owned()))?, None)
}

/// Everything that decides the digest, and nothing of this machine.
fn recipe(release: &Release<'_>, output: Output) -> Result<Build> {
    let Release { session, target, source, inputs, .. } = release;
    let config = session.config;
    let metadata = metadata(config, source, inputs);
    Ok(Build {
        context: release.export()?.tree(),
        platforms: config.platforms.iter().map(ToString::to_string).collect(),
        arguments: vec![
            ("SOURCE_DATE_EPOCH", source.time.to_string()),
            ("VERSION", source.tag.version().to_string()),
            ("REVISION", source.commit.to_string()),
            ("SOURCE", config.source_url()),
        ],
        labels: metadata.clone(),
        annotations: metadata,
        stand_ins: stand_ins(target, inputs),
        ca_certificates: session.environment.get("NODE_EXTRA_CA_CERTS")?.map(PathBuf::from),
        secrets: secrets(release)?,
        proxies: session.environment.proxies()?,
        builder: config.builder.clone(),
        network: config.build_network.clone(),
        output,
        timeout: config.timeouts.build(),
    })
}

/// The build's secrets. Preflight has looked for them, where there was one.
fn secrets(release: &Release<'_>) -> Result<NamedSecrets> {
    let Session { config, environment, .. } = release.session;
    build_secrets(&config.build_secrets, environment)?
        .map_err(|missing| anyhow!("{}", missing_secrets(&missing)))
}

/// What to do about secrets of the build that are not set.
#[must_use]
pub fn missing_secrets(names: &[String]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    format!(
        "not set: {}, which the build reads as secrets (`build-secrets` in `Cargo.toml`); set each in the environment, in a \
         workflow in the `env` of the step that releases",
        names.join(", ")
    )
}

/// The pre-defined keys of the OCI image specification ("Annotations"), the same as labels and as annotations.
#[must_use]
pub fn metadata(config: &Config, source: &Source, inputs: &Inputs) -> Vec<(&'static str, String)> {
    let base = &inputs.base.last;
    vec![
        ("org.opencontainers.image.title", config.title.clone()),
        ("org.opencontainers.image.description", config.description.clone()),
        ("org.opencontainers.image.licenses", config.licenses.clone()),
        ("org.opencontainers.image.version", source.tag.version().to_string()),
        ("org.opencontainers.image.revision", source.commit.to_string()),
        ("org.opencontainers.image.source", config.source_url()),
        ("org.opencontainers.image.created", rfc3339(source.time)),
        ("org.opencontainers.image.base.name", base.full_name()),
        ("org.opencontainers.image.base.digest", base.digest.to_string()),
    ]
}

/// Each pinned base image that something stands in for, and what does.
#[must_use]
pub fn stand_ins(target: &Target, inputs: &Inputs) -> Vec<(String, String)> {
    let pairs = inputs.base.distinct().filter_map(|base| {
        let found = stand_in::of(&target.stand_ins, base)?;
        Some((base.reference.clone(), found.image.clone()))
    });
    pairs.collect()
}

/// The manifests of an index, which must be exactly the configured platforms.
///
/// # Errors
/// When it is no index, or has other platforms.
pub fn manifests(bytes: &[u8], config: &Config) -> Result<Vec<(String, Digest)>> {
    let manifests = index::platforms(bytes).context("reading the pushed image's index")?;
    let mut found: Vec<_> = manifests.iter().map(|(platform, _)| platform.clone()).collect();
    let mut expected: Vec<_> = config.platforms.iter().map(ToString::to_string).collect();
    found.sort();
    expected.sort();
    ensure!(found == expected, "the image has the platforms {found:?}: expected {expected:?}");
    Ok(manifests)
}

/// The provenance predicate of what was built.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn provenance(
    release: &Release<'_>,
    built: &Built,
    toolchain: &Toolchain,
    smoked: &Smoked,
    sbom: &[u8],
) -> Result<Vec<u8>> {
    let Release { session, target, source, inputs, .. } = release;
    const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    let manifest = |(platform, digest): &(String, Digest)| {
        (format!("manifest {platform}"), MANIFEST.to_owned(), digest.clone())
    };
    let sbom = (SBOM_FILE.to_owned(), "application/vnd.cyclonedx+json".to_owned(), Digest::of(sbom));
    let provenance = Provenance::new(&Facts {
        config: session.config,
        tag: &source.tag,
        commit: &source.commit,
        invocation: &target.invocation,
        files: &inputs.files,
        base: &inputs.base,
        stand_ins: &stand_ins(target, inputs),
        versions: toolchain.versions.clone(),
        tool: &toolchain.tool,
        smoked,
        started: toolchain.started,
        finished: built.finished,
        byproducts: built.manifests.iter().map(manifest).chain([sbom]).collect(),
    });
    serde_json::to_vec_pretty(&provenance).context("writing the provenance")
}

#[cfg(test)]
mod tests {
    use crate::config::Folder;

    #[test]
    fn the_npm_that_writes_the_lockfile_is_the_one_that_reads_it() {
        let remedy = super::remedy(&Folder::default());
        assert!(remedy.starts_with(&crate::lockfile::remedy(&Folder::default())), "{remedy}");
        assert!(
            remedy.ends_with("with the npm of the base image, such as `npx npm@10` in place of `npm`"),
            "{remedy}"
        );
    }
}
