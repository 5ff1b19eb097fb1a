//! What killed runs have left in the engine. A forge cancels a job with SIGKILL, which leaves a run no time to remove
//! its containers. They keep running, and the engine does not remove a network that is in use.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::Docker;
use super::run::LABEL;
use crate::process::{interrupt, stderr, time};

/// Nothing younger counts as left behind, however short the smoke test is.
const YOUNGEST: Duration = Duration::from_secs(60 * 60);

/// How long the engine may take for each call.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Removes the containers of earlier runs with the label `label` that are older than `longest`, and the networks that
/// they used. What cannot be removed is reported and stays: another run may be removing it.
///
/// # Errors
/// When the engine does not list its containers.
pub(super) fn remove(docker: &Docker<'_>, label: &str, longest: Duration) -> Result<()> {
    let filter = format!("label={LABEL}={label}");
    let list = ["ps", "--all", "--no-trunc", "--filter", &filter, "--format", "{{.ID}} {{.CreatedAt}}"];
    // docker prints times in the time zone of its own process.
    let listed = docker.call(&list)?.env("TZ", "UTC").timeout(TIMEOUT).read()?;
    let left = older(&listed, time::now()?, longest.max(YOUNGEST))?;
    if left.is_empty() {
        return Ok(());
    }
    let remove = [&["rm", "--force", "--volumes"], &left[..]].concat();
    let removed = docker.call(&remove)?.timeout(TIMEOUT).run();
    if let Err(error) = removed.and_then(|()| prune_networks(docker, longest)) {
        interrupt::check()?;
        stderr::line(format_args!(
            "xtask: removing what killed runs have left: {error:#}; the next release tries again"
        ));
    }
    Ok(())
}

/// Removes the unused networks of all smoke tests that are older than `longest`.
///
/// # Errors
/// When docker fails.
pub(super) fn prune_networks(docker: &Docker<'_>, longest: Duration) -> Result<()> {
    let (label, until) = (format!("label={LABEL}"), format!("until={}s", longest.max(YOUNGEST).as_secs()));
    let prune = ["network", "prune", "--force", "--filter", &label, "--filter", &until];
    docker.call(&prune)?.timeout(TIMEOUT).run()
}

/// The containers in `listed` that were made more than `age` before `now`, in seconds since 1970. A line is an
/// identifier and a time: `0123abcd 2026-11-28 11:12:36 +0000 UTC`.
fn older(listed: &str, now: u64, age: Duration) -> Result<Vec<&str>> {
    let mut found = Vec::new();
    for line in listed.lines() {
        let parts = line.strip_suffix(" +0000 UTC").and_then(|line| line.split_once(' '));
        let malformed =
            || format!("reading what `docker ps` printed: `{line}` is not a container id with a time");
        let (id, made) = parts.with_context(malformed)?;
        let made = time::parse_rfc3339(&format!("{}Z", made.replace(' ', "T"))).with_context(malformed)?;
        if now.saturating_sub(made) > age.as_secs() {
            found.push(id);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{YOUNGEST, older};
    use std::time::Duration;

    #[test]
    fn only_containers_older_than_the_given_age_count_as_left_behind() {
        let now = crate::process::time::parse_rfc3339("2026-11-28T12:00:00Z").unwrap();
        let listed = "a1 2026-11-28 11:00:00 +0000 UTC\nb2 2026-11-28 10:59:59 +0000 UTC\n\
            c3 2025-01-01 00:00:00 +0000 UTC\nd4 2026-11-28 12:00:05 +0000 UTC";
        for (age, expected) in
            [(YOUNGEST, &["b2", "c3"][..]), (YOUNGEST * 2, &["c3"]), (Duration::MAX, &[] as &[&str])]
        {
            assert_eq!(older(listed, now, age).unwrap(), expected, "{age:?}");
        }
        assert!(older("", now, YOUNGEST).unwrap().is_empty());
        for odd in ["a1", "a1 2026-11-28 11:00:00 +0100 CET", "a1 soon +0000 UTC", "WARNING: x"] {
            assert!(older(odd, now, YOUNGEST).unwrap_err().to_string().contains(odd), "{odd}");
        }
    }
}
