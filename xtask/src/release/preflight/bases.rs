//! The preflight checks of base images: they exist, for every platform where they are used, and are what the Dockerfile
//! says.

use anyhow::{Context as _, Result, bail};

use crate::contents::base::{self, Base, PinnedBase};
use crate::contents::cache::Cache;
use crate::http::Curl;
use crate::inputs::Inputs;
use crate::inputs::config::Config;
use crate::inputs::stand_in;
use crate::oci::index;
use crate::oci::platform::{Platform, is_same};
use crate::process::problem::Problem;
use crate::release::preflight::{Found, checks, not_asked, observed};
use crate::release::target::Target;
use crate::release::{Session, Tools};

/// Stand-ins for base images are only for trying things out: a published image must be built from the base images
/// that the Dockerfile names.
pub(super) fn stand_ins(target: &Target) -> Result<Found> {
    let mut problems = Vec::new();
    for stand_in in &target.stand_ins {
        if !target.image.registry.is_loopback() || !stand_in.image.registry.is_loopback() {
            let text = format!(
                "`TESTBED_BASE_STAND_IN` is `{stand_in}`: a stand-in is allowed only between loopback registries; \
                 unset it to release from the pinned base image"
            );
            problems.push(Problem::new("base image", text));
        }
    }
    let seen = match target.stand_ins.is_empty() {
        true => "not replaced: `TESTBED_BASE_STAND_IN` is not set",
        false => "replaced by `TESTBED_BASE_STAND_IN`, between loopback registries",
    };
    Ok(observed(seen, problems))
}

/// The base images that the Dockerfile pins must exist, for every platform on which they are used.
pub(super) fn base_images(
    session: &Session<'_>,
    tools: &Tools<'_>,
    target: &Target,
    inputs: &Inputs,
) -> Result<Found> {
    if !tools.can_build() {
        return Ok(not_asked(checks::NO_BUILDER));
    }
    let mut problems = Vec::new();
    let curl = Curl::new(session.runner, session.config.timeouts.http());
    for pinned in inputs.base.distinct() {
        let stand_in = stand_in::of(&target.stand_ins, pinned);
        let reference = &stand_in.map_or_else(|| pinned.reference.clone(), ToString::to_string);
        let place = PinnedBase::of(pinned, stand_in);
        let is_on_target = inputs.base.is_on_target(pinned);
        match base::through_docker(&tools.docker, &curl, &place, &place.digest) {
            Ok(manifest) if is_on_target => {
                problems.extend(without_platform(session.config, reference, &manifest)?);
            }
            Ok(_) => {}
            // The manifests of the final stage's base image are needed to recognize its layers, so it is not enough
            // that the builder has the image.
            Err(unread) if *pinned == inputs.base.last && !is_known(session, &place)? => {
                problems.push(Problem::new("base image", unreadable(reference, &unread)));
            }
            Err(unread) => problems.extend(by_builder(session, tools, reference, is_on_target, &unread)?),
        }
    }
    Ok(observed("each exists for every platform that uses it", problems))
}

/// Whether an earlier release or `verify` on this machine has read the manifests of the base image at `place`.
fn is_known(session: &Session<'_>, place: &PinnedBase) -> Result<bool> {
    let platforms: Vec<_> = session.config.platforms.iter().map(ToString::to_string).collect();
    let cache = Cache::new(session.environment)?;
    Ok(Base::of(&place.digest, &platforms, &cache, |digest| bail!("`{digest}` is not known")).is_ok())
}

fn unreadable(reference: &str, unread: &anyhow::Error) -> String {
    format!(
        "`{reference}` cannot be read: {unread:#}; if it needs a login, name its registry in `registries` in `Cargo.toml`"
    )
}

/// A problem for each platform that an index lacks.
fn without_platform(config: &Config, reference: &str, manifest: &[u8]) -> Result<Vec<Problem>> {
    let index = index::platforms(manifest).with_context(|| {
        format!("`{reference}` is not an index of several platforms; pin the digest of the index")
    })?;
    let has = |wanted: &Platform| index.iter().any(|(listed, _)| is_same(listed, &wanted.to_string()));
    let lacking = config.platforms.iter().filter(|wanted| !has(wanted)).map(|wanted| {
        let text = format!(
            "`{reference}` has no `{wanted}`; pin another, or remove the platform from `platforms` in `Cargo.toml`"
        );
        Problem::new("base image", text)
    });
    Ok(lacking.collect())
}

/// The builder may have an image that its own registry does not show: from a mirror, or from an earlier build. It is
/// enough that the builder can start from it.
fn by_builder(
    session: &Session<'_>,
    tools: &Tools<'_>,
    reference: &str,
    is_on_target: bool,
    unread: &anyhow::Error,
) -> Result<Vec<Problem>> {
    crate::process::interrupt::check()?;
    let platforms: Vec<_> = session.config.platforms.iter().map(ToString::to_string).collect();
    let from = from(reference, is_on_target);
    let Err(unbuilt) = tools.docker.has_base(&from, &platforms, &session.config.builder) else {
        let detail = format!("the builder has `{reference}`, whose own registry does not show it");
        session.steps.line("base image", &detail);
        return Ok(Vec::new());
    };
    let text = format!("{}; by the builder, {unbuilt:#}", unreadable(reference, unread));
    Ok(vec![Problem::new("base image", text)])
}

/// What a trial build has after `FROM`, so that the builder requests the image for the same platforms as for the
/// Dockerfile.
fn from(reference: &str, is_on_target: bool) -> String {
    if is_on_target { reference.to_owned() } else { format!("--platform=$BUILDPLATFORM {reference}") }
}

#[cfg(test)]
mod tests {
    use super::{from, without_platform};

    #[test]
    fn a_trial_build_requests_a_base_image_as_the_dockerfile_does() {
        assert_eq!(from("node:22@sha256:x", true), "node:22@sha256:x");
        assert_eq!(from("node:22@sha256:x", false), "--platform=$BUILDPLATFORM node:22@sha256:x");
    }

    #[test]
    fn a_platform_that_an_index_lacks_is_named() {
        let config = serde_json::from_value(serde_json::json!({
            "forge": "https://forge.example.org", "repository": "acme/carol", "title": "carol",
            "description": "a service", "licenses": "MIT", "platforms": ["linux/amd64", "linux/arm64", "linux/s390x", "linux/riscv64"],
            "branches": ["main"], "smoke": {"port": 3000, "health": "/healthz", "version": "/version"},
        }));
        let config = config.unwrap();
        let manifest = |architecture: &str, variant: Option<&str>| {
            let digest = crate::oci::reference::Digest::of(architecture.as_bytes());
            serde_json::json!({
                "mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 1, "digest": digest.as_str(),
                "platform": {"os": "linux", "architecture": architecture, "variant": variant},
            })
        };
        let index = serde_json::json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [
                manifest("amd64", None), manifest("arm64", Some("v8")), manifest("riscv64", Some("rva23")),
            ],
        });
        let problems =
            without_platform(&config, "node:22-slim@sha256:x", index.to_string().as_bytes()).unwrap();
        assert_eq!(problems.len(), 2, "{problems:?}");
        for (problem, platform) in problems.iter().zip(["linux/s390x", "linux/riscv64"]) {
            assert!(problem.text.contains(&format!("has no `{platform}`")), "{problems:?}");
        }
        assert!(without_platform(&config, "node:22-slim@sha256:x", b"{}").is_err());
    }
}
