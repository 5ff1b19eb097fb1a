//! Step 5, build: the reproducible build, pushed under a candidate tag, and its provenance.

use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::evidence::provenance::{Facts, Provenance, SBOM_FILE, SBOM_TYPE, Smoked, manifest_name};
use crate::evidence::{candidate, labels};
use crate::http::is_timeout;
use crate::inputs::config::Folder;
use crate::inputs::lockfile;
use crate::oci::media_type;
use crate::oci::reference::{Digest, Tag};
use crate::process::backoff;
use crate::process::failure::Refusal;
use crate::process::time::now;
use crate::refuse;
use crate::release::Context;
use crate::release::preflight::Toolchain;
use crate::release::visibility;
use crate::tool::docker::sources::denied;
use crate::tool::docker::{Cache, Output};

/// An image that was built and pushed. Only its candidate tag names it.
pub(super) struct Candidate {
    /// The digest of the index.
    pub(super) digest: Digest,
    /// The platform and digest of each manifest in it.
    pub(super) manifests: Vec<(String, Digest)>,
    /// The candidate tag.
    pub(super) tag: Tag,
    /// When the build ended, in seconds since 1970.
    pub(super) finished: u64,
}

/// Builds and pushes the candidate, and reads back what the registry stored. The builder pushes, because
/// `docker push` puts each platform's manifest under the tag itself: on Forgejo, moving a tag makes its old digest
/// unreachable, and the index would then lack its manifests.
///
/// # Errors
/// When the build or the push fails, or when the registry holds something other than what was built; a
/// [`crate::process::failure::Refusal`] when it hides what has to be public.
pub(super) fn run(context: &Context<'_>) -> Result<Candidate> {
    let Context { tools, release, .. } = context;
    let tag = candidate::new_tag(release.source)?;
    let name = release.image.tagged(&tag);
    let digest = push(context, &name)?;
    // By digest, because another run of the same release may have ended by now and removed the tag.
    let stored = tools.registry.manifest(&digest)?;
    let stored = stored.with_context(|| {
        format!("`{digest}` is not in the registry after its push as `{name}`: does someone else push there?")
    })?;
    visibility::check(&tools.anonymous.registry, &digest, release.config.visibility)?;
    let manifests = labels::platforms(&stored.bytes, release.config)?;
    Ok(Candidate { digest, manifests, tag, finished: now()? })
}

/// Builds and pushes as `name`, within the step's timeout. A failure that is neither the commit's nor the engine's
/// fault may be the network's; the build is then retried once.
fn push(context: &Context<'_>, name: &str) -> Result<Digest> {
    let is_plain_elsewhere = context.release.image.registry.is_plain_elsewhere();
    // A rehearsal is signed with a throwaway key and is repeated often, so it may share the cache.
    let cache = if context.target.is_throwaway { Cache::Shared } else { Cache::own()? };
    let output = Output::Push { name: name.to_owned(), is_plain_elsewhere };
    let mut build = context.build.recipe(output, cache)?;
    let watch = context.registry_watch();
    let began = Instant::now();
    let first = match context.build.run(&build, Some(&watch)) {
        Ok(digest) => return Ok(digest),
        Err(error) => explain(context, error)?,
    };
    // The first, shortest pause has already passed while `explain` queried docker.
    let pause = backoff::pause(2, backoff::random()?);
    build.timeout = build.timeout.saturating_sub(began.elapsed() + pause);
    if build.timeout.is_zero() {
        return Err(first);
    }
    let words = format!("{first:#}");
    let why = words.lines().next_back().unwrap_or_default();
    context.session.steps.line("build", &format!("failed once, trying again: {why}"));
    crate::process::interrupt::pause(pause)?;
    context.build.run(&build, Some(&watch)).or_else(|error| Err(explain(context, error)?))
}

/// Fails with the reason if a build would fail the same way the next time: it is refused, a source was denied, the
/// registry is silent after several attempts, or the engine has gone and reports only `EOF`. Any other error of the
/// build is returned as `Ok`, with a hint about the lockfile.
fn explain(context: &Context<'_>, error: anyhow::Error) -> Result<anyhow::Error> {
    crate::process::interrupt::check()?;
    if is_timeout(&error) || error.is::<Refusal>() {
        return Err(error);
    }
    if let Some(source) = denied(&error) {
        refuse!(
            "the build asks for `{source}`, which nothing in the commit pins, and the builder denied it. A base image is named in \
             `FROM` with its digest, and a download by `ADD --checksum=sha256:… https://…`; then `cargo xtask check` knows it, and \
             so does the provenance"
        );
    }
    match context.tools.docker.engine() {
        // In the end, `npm ci` in the build judges the lockfile.
        Ok(_) => Ok(error.context(format!(
            "building the image; if `npm ci` in the build refuses the lockfile, {}",
            remedy(&context.session.config.service)
        ))),
        Err(gone) => Err(error.context(format!("docker's engine has gone: {gone:#}"))),
    }
}

/// A lockfile written by one version of npm may be incomplete for another. Writing it again with the same version
/// changes nothing.
fn remedy(service: &Folder) -> String {
    format!(
        "{}, with the npm of the base image, such as `npx npm@10` in place of `npm`; if `cargo xtask check` then says that \
         `libc` is left out, write it with `npx npm@11` and take a base image that has npm 11, such as `node:24-slim`",
        lockfile::remedy(service)
    )
}

impl Candidate {
    /// The provenance predicate as JSON.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn provenance(
        &self,
        context: &Context<'_>,
        toolchain: &Toolchain,
        smoked: &Smoked,
        sbom: &[u8],
    ) -> Result<Vec<u8>> {
        let release = &context.release;
        let manifest = |(platform, digest): &(String, Digest)| {
            (manifest_name(platform), media_type::MANIFEST.to_owned(), digest.clone())
        };
        let sbom = (SBOM_FILE.to_owned(), SBOM_TYPE.to_owned(), Digest::of(sbom));
        let provenance = Provenance::new(&Facts {
            config: release.config,
            tag: release.tag(),
            commit: &release.source.commit,
            invocation: &context.target.invocation,
            files: &release.inputs.files,
            base: &release.inputs.base,
            networked: &release.inputs.networked,
            stand_ins: &release.replaced(),
            versions: toolchain.versions.clone(),
            tool: &toolchain.tool,
            smoked,
            started: toolchain.started,
            finished: self.finished,
            byproducts: self.manifests.iter().map(manifest).chain([sbom]).collect(),
        });
        serde_json::to_vec_pretty(&provenance).context("writing the provenance")
    }
}

#[cfg(test)]
mod tests {
    use crate::inputs::config::Folder;

    #[test]
    fn the_lockfile_must_be_written_with_the_npm_of_the_base_image() {
        let remedy = super::remedy(&Folder::default());
        assert!(remedy.starts_with(&crate::inputs::lockfile::remedy(&Folder::default())), "{remedy}");
        assert!(remedy.contains("such as `npx npm@10` in place of `npm`; if"), "{remedy}");
        assert!(
            remedy.contains("take a base image that has npm 11"),
            "no npm before that writes `libc`: {remedy}"
        );
    }
}
