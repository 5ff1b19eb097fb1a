//! Builds a commit as an image: its files, the build recipe, and the builder's logins. `release` pushes the result;
//! `verify --rebuild` compares it with what is public.

mod export;
pub mod logins;
pub mod rebuilt;
mod steps;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Result, anyhow};

use crate::evidence::labels;
use crate::inputs::config::build_secrets;
use crate::inputs::dockerfile::BaseImage;
use crate::inputs::release::Release;
use crate::inputs::stand_in;
use crate::oci::reference::Digest;
use crate::process::Watch;
use crate::process::environment::Environment;
use crate::refuse;
use crate::tool::docker::sources::Sources;
use crate::tool::docker::{Build, Cache, Docker, Output};
use crate::tool::git::Git;

use export::Export;

/// The build of one release's commit. The files are exported only when needed: a finished release needs none.
pub struct ImageBuild<'a> {
    release: Release<'a>,
    docker: &'a Docker<'a>,
    git: &'a Git,
    environment: &'a Environment,
    export: OnceLock<Export>,
}

impl<'a> ImageBuild<'a> {
    /// The build of `release` by `docker`; its commit is in `git`.
    #[must_use]
    pub fn new(
        release: Release<'a>,
        docker: &'a Docker<'a>,
        git: &'a Git,
        environment: &'a Environment,
    ) -> Self {
        Self { release, docker, git, environment, export: OnceLock::new() }
    }

    /// The directory with the commit's files, which is the build context. The first call exports them.
    ///
    /// # Errors
    /// When git fails or the disk is full.
    pub fn context(&self) -> Result<PathBuf> {
        if let Some(export) = self.export.get() {
            return Ok(export.tree());
        }
        let export = Export::of(self.git, &self.release.source.commit)?;
        Ok(self.export.get_or_init(|| export).tree())
    }

    /// Builds without pushing anything, writes the image as an OCI layout into the tar file `file`, and returns the
    /// digest of its index. Nothing is reused from earlier builds: one of them may have made the published layers.
    ///
    /// # Errors
    /// When the build fails.
    pub fn to_layout(&self, file: &Path) -> Result<Digest> {
        self.run(&self.recipe(Output::Layout(file.to_owned()), Cache::own()?)?, None)
    }

    /// Runs `recipe` and returns the digest of the index. The build is stopped when `watch` reports an error.
    ///
    /// # Errors
    /// When the build fails; the error that `watch` reported; a [`crate::process::failure::Refusal`] when the builder
    /// ran a step with a network that the provenance would not name.
    pub fn run(&self, recipe: &Build, watch: Option<&Watch<'_>>) -> Result<Digest> {
        let built = self.docker.build(recipe, watch)?;
        if let Some(step) = steps::first_unnamed(&built.networked, &self.release.inputs.networked) {
            refuse!(
                "the builder ran `{}` with a network, and it comes from none of the Dockerfile's steps with a network, so \
                 the provenance would not name it; if it comes from `ONBUILD` in a base image, use another base image",
                step.command
            );
        }
        Ok(built.digest)
    }

    /// The recipe of the build. What decides the result comes from the commit and never from this machine, except for
    /// stand-ins for base images, which are refused unless the registry is on this machine.
    ///
    /// # Errors
    /// When the commit cannot be exported, or a build secret is not set; a [`crate::process::failure::Refusal`] when the
    /// commit has something that docker would interpret on this machine.
    pub fn recipe(&self, output: Output, cache: Cache) -> Result<Build> {
        let Release { config, source, inputs, .. } = self.release;
        inputs.ensure_inert()?;
        let labels = labels::of(&self.release);
        let secrets = build_secrets(&config.build_secrets, self.environment)?
            .map_err(|missing| anyhow!("{}", missing_secrets(&missing)))?;
        Ok(Build {
            context: self.context()?,
            platforms: self.release.platforms(),
            arguments: vec![
                ("SOURCE_DATE_EPOCH", source.time.to_string()),
                ("VERSION", source.tag.version().to_string()),
                ("REVISION", source.commit.to_string()),
                ("SOURCE", config.source_url()),
            ],
            labels: labels.clone(),
            annotations: labels,
            stand_ins: self.replaced(),
            sources: self.sources(),
            ca_certificates: self.environment.get("NODE_EXTRA_CA_CERTS")?.map(PathBuf::from),
            secrets,
            proxies: self.environment.proxies()?,
            builder: config.builder.clone(),
            network: config.build_network.clone(),
            cache,
            output,
            timeout: config.timeouts.build(),
        })
    }

    fn replaced(&self) -> Vec<(String, String)> {
        let replaced = self.release.replaced().into_iter();
        replaced.map(|(pinned, stand_in)| (pinned, stand_in.to_string())).collect()
    }

    /// The sources that the commit pins, and no others.
    fn sources(&self) -> Sources {
        let Release { inputs, stand_ins, .. } = self.release;
        let image = |base: &BaseImage| match stand_in::of(stand_ins, base) {
            Some(stand_in) => stand_in.to_string(),
            None => format!("{}@{}", base.full_name(), base.digest),
        };
        Sources {
            images: inputs.base.distinct().map(image).collect(),
            files: inputs.downloads.iter().map(|file| (file.url.clone(), file.digest.clone())).collect(),
        }
    }
}

/// The message about build secrets that are not set: which ones, and what to do.
#[must_use]
pub fn missing_secrets(names: &[String]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    format!(
        "not set: {}, which the build reads as secrets (`build-secrets` in `Cargo.toml`); set each in the environment; in a \
         workflow, in the `env` of the step that releases",
        names.join(", ")
    )
}
