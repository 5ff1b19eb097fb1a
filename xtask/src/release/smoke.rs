//! Step 6, smoke: each platform's image is pulled back, run as strictly as a careful self-hoster would, and queried
//! over its own network. The engine's own platform comes first; the others are run if the engine can emulate them.

mod attempt;
mod image;
mod probe;
mod report;
mod runs;

use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::evidence::provenance::{Smoked, Tried};
use crate::inputs::config::{Platforms, Smoke};
use crate::process::parallel::both;
use crate::refuse;
use crate::release::Context;
use crate::release::build::Candidate;
use crate::release::step::Step;
use crate::tool::docker::Network;

use attempt::Attempt;
use image::Image;

/// How many times longer a service may take when its processor is emulated.
const EMULATED: u32 = 4;

/// How long an engine may take to show whether it can run a platform. Natively, node prints its version within a
/// second.
const LOOK: Duration = Duration::from_secs(60);

/// Whether the engine can run a platform that is not its own.
enum Ability {
    Runs,
    /// It cannot, for this reason.
    Cannot(String),
}

/// Pulls, runs, queries and stops the image of each platform that the engine can run.
///
/// # Errors
/// When an image does not start, does not answer, does not report the right version, or does not stop on SIGTERM; the
/// error has its log and the commands to try it by hand. A [`crate::process::failure::Refusal`] when a platform that
/// must be run cannot be run.
pub(super) fn run(context: &Context<'_>, candidate: &Candidate) -> Result<Smoked> {
    let docker = &context.tools.docker;
    let label = &context.session.config.repository.to_string();
    // One network for all platforms, because they are tried one after the other.
    let (network, (own, images)) = both(
        || docker.network(label, longest(&context.session.config.smoke)),
        || both(|| docker.platform(), || image::all(context, candidate)),
    )?;
    if context.session.config.smoke.http().is_none_or(|http| http.version.is_none()) {
        images.iter().try_for_each(|image| image.check_labels(context.release.source))?;
    }
    let (native, foreign): (Vec<_>, Vec<_>) =
        images.iter().partition(|image| is_platform(&image.platform, &own));
    let (mut tried, able) = both(
        || native.iter().map(|image| run_native(context, image, &network)).collect::<Result<Vec<_>>>(),
        || foreign.iter().map(|image| look(context, image)).collect::<Result<Vec<_>>>(),
    )?;
    for (image, ability) in foreign.into_iter().zip(able) {
        let how = match ability {
            Ability::Runs => run_emulated(context, image, native.first().copied(), &network, &own)?,
            Ability::Cannot(words) => not_run(context, image, &words)?,
        };
        tried.push((image.platform.clone(), how));
    }
    Ok(tried.into_iter().collect())
}

/// More than the time for which one attempt's containers may exist: each companion and the service may take `smoke`'s
/// timeout for starting, the service's command as much again, and the service then its timeout for stopping.
fn longest(smoke: &Smoke) -> Duration {
    let starts = u32::try_from(smoke.companions.len()).unwrap_or(u32::MAX).saturating_add(3);
    (smoke.start_timeout().saturating_mul(starts) + smoke.stop_timeout()).saturating_mul(EMULATED)
}

/// Whether `platform` is `own`, the platform of the engine or of one of its images. The engine names no variant in
/// it.
fn is_platform(platform: &str, own: &str) -> bool {
    platform.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn run_native(context: &Context<'_>, image: &Image, network: &Network<'_>) -> Result<(String, Tried)> {
    both(|| pull(context, image), || pull_companions(context, &image.platform))?;
    Attempt { context, image, factor: 1, asker: None }.run(network)?;
    Ok((image.platform.clone(), Tried::Native))
}

/// If there is an image of the engine's own platform, its node queries the service: an emulated node starts as slowly
/// as the service.
fn run_emulated(
    context: &Context<'_>,
    image: &Image,
    asker: Option<&Image>,
    network: &Network<'_>,
    own: &str,
) -> Result<Tried> {
    let name =
        format!("{}-{}", Step::Smoke.name(), image.platform.trim_start_matches("linux/").replace('/', "-"));
    context.session.steps.run(&name, "emulated", || {
        pull_companions(context, own)?;
        Attempt { context, image, factor: EMULATED, asker }.run(network)?;
        Ok(Tried::Emulated)
    })
}

fn not_run(context: &Context<'_>, image: &Image, words: &str) -> Result<Tried> {
    let platform = &image.platform;
    if context.session.config.smoke.platforms == Platforms::All {
        refuse!(
            "the image for {platform} cannot be run by this engine ({words}), and `smoke.platforms` is `\"all\"`; {}, \
             or let an engine of that platform release it, or set `smoke.platforms = \"possible\"` and tag the \
             next version",
            emulation(platform)
        );
    }
    let line = format!(
        "{platform} is built and checked, not run ({words}); to have it run, {}",
        emulation(platform)
    );
    context.line(Step::Smoke, &line);
    Ok(Tried::NotRun)
}

/// How to make an engine able to run `platform`, such as `linux/arm64`.
#[must_use]
pub(crate) fn emulation(platform: &str) -> String {
    let architecture = platform.split('/').nth(1).unwrap_or(platform);
    format!(
        "register emulation on the engine's machine with `docker run --privileged --rm tonistiigi/binfmt --install \
         {architecture}`, or with `apt-get install qemu-user-static binfmt-support` on Debian"
    )
}

fn pull(context: &Context<'_>, image: &Image) -> Result<()> {
    let (docker, timeout) = (&context.tools.docker, context.session.config.timeouts.pull());
    docker.pull(&image.reference, &image.platform, timeout, Some(&context.registry_watch()))
}

/// Companions are pinned by digest, so one that the engine has is the right one, and its registry need not answer.
/// But the engine may have the image only for another platform.
fn pull_companions(context: &Context<'_>, platform: &str) -> Result<()> {
    let (docker, timeout) = (&context.tools.docker, context.session.config.timeouts.pull());
    for companion in &context.session.config.smoke.companions {
        let found = docker.platform_of(&companion.image)?;
        if !found.is_some_and(|found| is_platform(platform, &found)) {
            let doing = || format!("pulling the companion `{}` of `smoke`", companion.alias);
            docker.pull(&companion.image, platform, timeout, None).with_context(doing)?;
        }
    }
    Ok(())
}

/// Tries whether the engine can run a platform, with the node in its image.
fn look(context: &Context<'_>, image: &Image) -> Result<Ability> {
    pull(context, image)?;
    let run = runs::node(context, image, None, &["--version"]);
    let output = context.tools.docker.run(&run, LOOK)?;
    match output.status.code() {
        Some(0) => Ok(Ability::Runs),
        // docker's own exit codes: it could not create the container, or the image has no such program.
        Some(125 | 127) => bail!(
            "looking whether the image for {} can be run, by the `{}` in it: {:#}",
            image.platform,
            image.node(),
            output.failure()
        ),
        _ => Ok(Ability::Cannot(
            output.stderr.lines().next_back().unwrap_or("no reason given").trim().to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::{emulation, is_platform};

    #[test]
    fn a_platform_matches_the_engines_own_despite_a_variant() {
        for (platform, own, same) in [
            ("linux/amd64", "linux/amd64", true),
            ("linux/arm64/v8", "linux/arm64", true),
            ("linux/arm/v7", "linux/arm", true),
            ("linux/arm64", "linux/arm", false),
            ("linux/amd64", "linux/arm64", false),
        ] {
            assert_eq!(is_platform(platform, own), same, "{platform} on {own}");
        }
    }

    #[test]
    fn emulation_is_registered_by_architecture() {
        assert!(emulation("linux/arm/v7").contains("--install arm`"));
        assert!(emulation("linux/arm64").contains("--install arm64`"));
    }
}
