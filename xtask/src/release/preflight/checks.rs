//! The preflight checks: one function each, read-only.

#[cfg(test)]
mod tests;

use std::net::Ipv4Addr;

use anyhow::{Context as _, Result};

use crate::build::missing_secrets;
use crate::evidence::provenance::{ToolSource, XTASK};
use crate::inputs::config::{self, TagPolicy, VariableName};
use crate::inputs::pin::{CARGO_LOCK, ToolPin, document};
use crate::inputs::{Inputs, PUBLIC_KEY};
use crate::process::environment::BUILDX_BUILDER;
use crate::process::problem::Problem;
use crate::release::preflight::{Check, Found, bases, keys, not_asked, observed};
use crate::release::target::Target;
use crate::release::{Session, Tools};
use crate::tool::cosign::Generation;
use crate::tool::docker::INSTALL;

/// The oldest buildx and engine that the build recipe was tested with.
const OLDEST_BUILDX: (u64, u64) = (0, 13);
const OLDEST_ENGINE: (u64, u64) = (26, 0);

/// The files that decide which program runs, from the top of a repository.
const DECIDES_TOOL: [&str; 6] =
    ["xtask", "Cargo.toml", CARGO_LOCK, ".cargo", "rust-toolchain.toml", "rust-toolchain"];

/// The checks that do not depend on what is released.
pub(crate) fn of_machine<'a>(
    session: &'a Session<'_>,
    tools: &'a Tools<'_>,
    target: &'a Target,
) -> Vec<Check<'a>> {
    vec![
        ("docker", Box::new(|| docker(session, tools, target))),
        ("docker", Box::new(|| denies_sources(session, tools))),
        ("git", Box::new(|| git(session))),
        ("cosign", Box::new(|| cosign(tools))),
        ("registry", Box::new(|| registry(tools, target))),
        ("base image", Box::new(|| bases::stand_ins(target))),
        ("build secrets", Box::new(|| build_secrets(session))),
    ]
}

/// The checks that depend on the commit.
pub(crate) fn of_commit<'a>(
    session: &'a Session<'_>,
    tools: &'a Tools<'_>,
    target: &'a Target,
    inputs: &'a Inputs,
) -> Vec<Check<'a>> {
    vec![
        ("signing key", Box::new(move || key(tools, target, inputs))),
        ("base image", Box::new(move || bases::base_images(session, tools, target, inputs))),
    ]
}

/// The source of the running xtask: the pin at HEAD, or HEAD itself. The provenance records it, even when a newer
/// xtask releases an older tag.
pub(crate) fn own_source(session: &Session<'_>) -> Result<ToolSource> {
    let head = session.git.peel("HEAD")?.context("HEAD has no commit")?;
    let is_modified = session.git.differs(&head, &DECIDES_TOOL)? || session.git.adds_to(&DECIDES_TOOL)?;
    let [lockfile] = session.git.files(&head, [CARGO_LOCK])?;
    let pin = lockfile.map(|bytes| ToolPin::of(&bytes)).transpose()?.flatten();
    let (url, commit) = match pin {
        Some(pin) => (pin.url, pin.commit),
        None => (session.config.source_url(), head),
    };
    Ok(ToolSource { url, commit, is_modified })
}

/// The source of the running xtask in the form of a version, with the name of the tool.
pub(crate) fn own_version(ToolSource { commit, is_modified, .. }: &ToolSource) -> (String, String) {
    let dirty = if *is_modified { ".dirty" } else { "" };
    (XTASK.to_owned(), format!("{}+{}{dirty}", env!("CARGO_PKG_VERSION"), commit.short()))
}

fn docker(session: &Session<'_>, tools: &Tools<'_>, target: &Target) -> Result<Found> {
    let engine = tools.engine()?;
    let mut problems = Vec::new();
    let mut too_old = |what: &str, version: &str, oldest: (u64, u64)| {
        if !at_least(version, oldest) {
            let text = format!("{what} is {version}: expected {}.{} or newer; {INSTALL}", oldest.0, oldest.1);
            problems.push(Problem::new("docker", text));
        }
    };
    too_old("the engine", &engine.version, OLDEST_ENGINE);
    let buildx = engine.buildx.as_ref().context("the plugin buildx is missing; install `docker-buildx`")?;
    too_old("buildx", buildx, OLDEST_BUILDX);
    if session.config.builder.is_empty() && !engine.has_containerd_store {
        problems.push(Problem::new(
            "docker",
            "the engine does not keep images in containerd's store, so it cannot build for several platforms; \
             set `{\"features\": {\"containerd-snapshotter\": true}}` in `/etc/docker/daemon.json` and restart it, \
             or name a builder in `[workspace.metadata.release]`",
        ));
    }
    let registry = &target.image.registry;
    if registry.is_plain_elsewhere() && !speaks_http(&engine.insecure_registries, registry.as_str()) {
        problems.push(Problem::new(
            "docker",
            format!(
                "the engine speaks TLS to `{registry}`, which `plain-http` says has none; set \
                 `{{\"insecure-registries\": [\"{registry}\"]}}` in `/etc/docker/daemon.json` and restart it"
            ),
        ));
    }
    let builder = &session.config.builder;
    if registry.is_loopback() && !tools.docker.builds_beside_loopback(builder)? {
        let of_variable = session.environment.get(BUILDX_BUILDER)?;
        problems.push(Problem::new("docker", unreachable(registry.as_str(), builder, of_variable)));
    }
    let seen = vec![("docker", engine.version.clone()), ("docker-buildx", buildx.clone())];
    Ok(Found { seen, ..problems.into_iter().collect() })
}

fn unreachable(registry: &str, builder: &str, of_variable: Option<&str>) -> String {
    const CHOOSE: &str = "run `docker buildx use default`";
    let (which, remedy) = match (builder, of_variable) {
        ("", Some(name)) => (format!("builder `{name}` of `{BUILDX_BUILDER}`"), "unset that variable"),
        ("", None) => ("current builder".to_owned(), CHOOSE),
        (name, _) => (format!("builder `{name}`"), CHOOSE),
    };
    format!(
        "the {which} runs in a container and cannot reach `{registry}` on this machine; {remedy}, name another one in \
         `builder`, or make it with `docker buildx create --driver-opt network=host`"
    )
}

/// An older git would obey settings of the machine and its user: `GIT_CONFIG_GLOBAL` came with 2.32. SSH signatures
/// came with 2.34.
fn git(session: &Session<'_>) -> Result<Found> {
    let version = session.git.version()?;
    let problem = old_git(&version, session.config.tags);
    Ok(observed(version, problem))
}

fn old_git(version: &str, tags: TagPolicy) -> Option<Problem> {
    let (major, minor) = if tags == TagPolicy::Signed { (2, 34) } else { (2, 32) };
    let text = format!("git is {version}: expected {major}.{minor} or newer; install a newer git");
    (!at_least(version, (major, minor))).then(|| Problem::new("git", text))
}

/// Why a check does not query the builder.
pub(crate) const NO_BUILDER: &str = "not asked: docker's engine does not answer, or buildx is missing";

/// The content of an image is guaranteed by the builder's denial of all other sources, so this checks that the
/// builder denies anything at all.
fn denies_sources(session: &Session<'_>, tools: &Tools<'_>) -> Result<Found> {
    if !tools.can_build() {
        return Ok(not_asked(NO_BUILDER));
    }
    tools.docker.check_denial(&session.config.builder).context(
        "the builder was not seen to enforce a source policy, so nothing would restrict the build to what the commit pins; \
         use BuildKit 0.13 or newer, with buildx 0.13 or newer",
    )?;
    Ok(observed("the builder fetches only what a source policy allows", []))
}

/// Whether `registry` is among those that the engine reaches without TLS: by name, or in a network such as
/// `10.0.0.0/8`.
fn speaks_http(insecure: &[String], registry: &str) -> bool {
    let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
    let address = host.parse::<Ipv4Addr>().map(u32::from);
    insecure.iter().any(|known| match (known.split_once('/'), &address) {
        (None, _) => known == registry,
        (Some((network, bits)), Ok(address)) => match (network.parse::<Ipv4Addr>(), bits.parse::<u32>()) {
            (Ok(network), Ok(bits @ 0..=32)) => {
                let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
                u32::from(network) & mask == address & mask
            }
            _ => false,
        },
        (Some(_), Err(_)) => false,
    })
}

fn build_secrets(session: &Session<'_>) -> Result<Found> {
    let found = config::build_secrets(&session.config.build_secrets, session.environment)?;
    let missing = found.err().map(|names| Problem::new("build secrets", missing_secrets(&names)));
    Ok(observed(secrets_set(&session.config.build_secrets), missing))
}

fn secrets_set(names: &[VariableName]) -> String {
    if names.is_empty() {
        return "none configured".to_owned();
    }
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    format!("{} set", names.join(", "))
}

/// The digest is checked first: a cosign that is not listed is never started.
fn cosign(tools: &Tools<'_>) -> Result<Found> {
    let digest = tools.cosign.program().digest()?;
    let generation = match tools.cosign.generation()? {
        Generation::Two => "2",
        Generation::Three => "3",
    };
    let version = digest.map_or(generation.to_owned(), |digest| format!("{generation} ({digest})"));
    Ok(Found { seen: vec![("cosign", version)], ..Found::default() })
}

/// The secret key must match the public key in the repository at the released commit.
fn key(tools: &Tools<'_>, target: &Target, inputs: &Inputs) -> Result<Found> {
    // Problems with cosign itself are reported by its own check.
    if tools.cosign.program().digest().is_err() || tools.cosign.generation().is_err() {
        return Ok(not_asked("not looked at: cosign is missing or not the configured one"));
    }
    let derived = tools.cosign.public_half(target.key()?).context(
        "`COSIGN_PRIVATE_KEY` cannot be read with `COSIGN_PASSWORD`; set both secrets again, \
         the key as the whole PEM text with its line breaks, the password without one at its end",
    )?;
    let shown = keys::committed(target.public_key.as_deref().or(inputs.public_key.as_deref()))?;
    let problem = (derived != shown).then(|| {
        let text = format!(
            "the key in `COSIGN_PRIVATE_KEY` has the public half `{}`, but `{PUBLIC_KEY}` of the commit is `{}`; \
             set the secret that belongs to the committed key; after a rotation, tag the next version at a commit that has \
             the new key ({})",
            derived.fingerprint(),
            shown.fingerprint(),
            document!("keys.md")
        );
        Problem::new("signing key", text)
    });
    Ok(observed(format!("belongs to `{PUBLIC_KEY}`"), problem))
}

fn registry(tools: &Tools<'_>, target: &Target) -> Result<Found> {
    let doing = || format!("cannot push to `{}`", target.image);
    tools.registry.check_push().map_err(|error| target.registry_error(&doing(), error))?;
    Ok(observed(format!("accepts pushes to `{}`", target.image), []))
}

/// Whether a version such as `26.1.5+dfsg1` or `0.13.1` is at least `(major, minor)`.
fn at_least(version: &str, wanted: (u64, u64)) -> bool {
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u64>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= wanted,
        _ => false,
    }
}
