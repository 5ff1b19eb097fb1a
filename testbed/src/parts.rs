//! The list of parts: programs that the tests need. The machine's own program is used if it is good enough.
//! Otherwise the part is provisioned.

pub(crate) mod actionlint;
pub(crate) mod buildkit;
pub(crate) mod buildx;
pub(crate) mod cosign;
pub(crate) mod crane;
pub(crate) mod docker;
pub(crate) mod docker_2;
pub(crate) mod emulator;
pub(crate) mod forge;
pub(crate) mod judges;
pub(crate) mod native;
pub(crate) mod node;
pub(crate) mod pages;
pub(crate) mod registry;
pub(crate) mod renovate;
pub(crate) mod runner;
pub(crate) mod skopeo;
pub(crate) mod syft;

use std::path::PathBuf;
use std::thread;

use anyhow::{Result, anyhow};
use xtask::process::failure::Refusal;

use crate::context::Context;
use crate::exports::State;

/// Something that must be there before anything can start.
pub(crate) trait Part: Sync {
    /// Its name in messages.
    fn name(&self) -> &'static str;

    /// The usable part, from the machine or provisioned by an earlier run. It changes nothing.
    fn find(&self, cx: &Context) -> Result<Option<Found>>;

    /// If [`Part::provision`] cannot make it, the reason and the command that installs it. Otherwise `None`.
    fn obstacle(&self, cx: &Context) -> Option<String>;

    /// Makes it below the state directory. [`Part::find`] finds it afterwards.
    fn provision(&self, cx: &Context) -> Result<()>;

    /// Exports it for the tests.
    fn export(&self, found: &Found, state: &mut State);

    /// Whether it takes minutes to compile. Such parts are provisioned in parallel to the others.
    fn is_slow(&self) -> bool {
        false
    }
}

/// A part that can be used.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// Its version, as the program reports it.
    pub(crate) version: String,
    /// Its main program, absolute.
    pub(crate) program: PathBuf,
    /// Its prefix in the state directory; `None` if it is the machine's own.
    pub(crate) prefix: Option<PathBuf>,
}

impl Found {
    /// `2.5.0, provisioned`
    pub(crate) fn describe(&self) -> String {
        let origin = if self.prefix.is_some() { "provisioned" } else { "from this machine" };
        format!("{}, {origin}", self.version)
    }
}

/// All parts, in the order of the report. The slow ones are built in this order.
fn all() -> [&'static dyn Part; 18] {
    [
        &docker::Docker,
        &docker_2::Docker2,
        &cosign::Cosign2,
        &cosign::Cosign3,
        &registry::Registry,
        &skopeo::Skopeo,
        &crane::Crane,
        &emulator::Emulator,
        &judges::Judges,
        &renovate::Renovate,
        &node::Node,
        &native::NativeArchives,
        &actionlint::Actionlint,
        &runner::ForgeRunner,
        &buildkit::Buildkit,
        &buildx::Buildx,
        &syft::Syft,
        &forge::Forge,
    ]
}

/// Finds every part whose name is `needed`, and provisions the missing ones, the slow ones in parallel to the others.
/// If some can neither be found nor provisioned, one error names them all, before anything is changed.
pub(crate) fn ensure(cx: &Context, needed: impl Fn(&str) -> bool) -> Result<Vec<(&'static dyn Part, Found)>> {
    let all: Vec<_> = all().into_iter().filter(|part| needed(part.name())).collect();
    let mut missing = Vec::new();
    for part in &all {
        match part.find(cx)? {
            Some(found) => cx.progress.line(part.name(), &format!("already there ({})", found.describe())),
            None => missing.push(*part),
        }
    }
    let obstacles: Vec<_> = missing
        .iter()
        .filter_map(|part| part.obstacle(cx).map(|command| format!("\n  {}: {command}", part.name())))
        .collect();
    if !obstacles.is_empty() {
        let hint = "missing on this machine, and only provisioned as root on Debian 12 or later";
        return Err(Refusal::new(format!("{hint}:{}", obstacles.concat())).into());
    }
    let (slow, quick): (Vec<_>, Vec<_>) = missing.into_iter().partition(|part| part.is_slow());
    thread::scope(|scope| {
        let in_parallel = scope.spawn(|| provision(cx, &slow));
        let result = provision(cx, &quick);
        let slow = in_parallel.join().map_err(|_panic| anyhow!("the thread for the slow parts panicked"))?;
        result.and(slow)
    })?;
    let mut parts = Vec::new();
    for part in all {
        let found = part.find(cx)?;
        let gone =
            || anyhow!("{} was provisioned but is not found; run `cargo testbed down --purge`", part.name());
        parts.push((part, found.ok_or_else(gone)?));
    }
    Ok(parts)
}

fn provision(cx: &Context, parts: &[&'static dyn Part]) -> Result<()> {
    for part in parts {
        cx.progress.line(part.name(), "provisioning");
        part.provision(cx)?;
        cx.progress.line(part.name(), "provisioned");
    }
    Ok(())
}

/// The first `MAJOR.MINOR` in a program's version output.
pub(crate) fn version_in(text: &str) -> Option<(u64, u64)> {
    let words = text.split(|c: char| c.is_whitespace() || c == ',' || c == '"');
    words.map(|word| word.trim_start_matches('v')).find_map(|word| {
        let mut numbers = word.split(|c: char| !c.is_ascii_digit());
        let (Ok(major), Ok(minor)) = (numbers.next()?.parse(), numbers.next()?.parse()) else { return None };
        Some((major, minor))
    })
}

#[cfg(test)]
mod tests {
    use super::version_in;

    #[test]
    fn versions_are_found_in_what_the_programs_print() {
        assert_eq!(version_in("26.1.5+dfsg1"), Some((26, 1)));
        assert_eq!(version_in("github.com/docker/buildx 0.13.1+ds1 0.13.1+ds1-3"), Some((0, 13)));
        assert_eq!(version_in("github.com/docker/buildx v0.30.1 9e66234"), Some((0, 30)));
        assert_eq!(version_in("docker-registry github.com/docker/distribution 2.8.2+ds1"), Some((2, 8)));
        assert_eq!(version_in("v22.23.3"), Some((22, 23)));
        assert_eq!(version_in("skopeo version 1.9.3"), Some((1, 9)));
        assert_eq!(version_in("GitVersion:    devel"), None);
    }
}
