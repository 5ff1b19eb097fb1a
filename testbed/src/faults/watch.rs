//! What others could see of releases while they ran. Anonymous polling shows it. So does the order of the requests at
//! the proxy, which, unlike polling, has no gaps.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use anyhow::Result;

use super::state::Made;
use crate::project::Project;
use crate::proxy::Exchange;
use crate::watcher::{Report, Watcher};

/// How long the forge may still work on a change after the request has ended. An answer says that the change is done,
/// but a request that was cut off has no answer.
const SETTLES: Duration = Duration::from_millis(200);

/// A watch over one project.
pub(super) struct Watch<'a> {
    project: &'a Project,
    watcher: Watcher,
}

impl<'a> Watch<'a> {
    /// Watches from now on.
    pub(super) fn start(project: &'a Project) -> Result<Self> {
        drop(project.proxy.take());
        let (name, may_change) = (project.repository.full_name(), project.proxy.writes_lately(SETTLES));
        let watcher = Watcher::start_beside(&project.forge, &name, may_change)?;
        Ok(Self { project, watcher })
    }

    /// Ends the watch. Returns how closely it looked, and everything that was wrong if only `made` was released.
    pub(super) fn stop(self, made: &[&Made]) -> Result<(Report, Vec<String>)> {
        let report = self.watcher.stop()?;
        let exchanges = self.project.proxy.take().exchanges;
        let proofs: Vec<_> =
            made.iter().map(|made| Proof { tag: &made.tag, stored: &made.signatures }).collect();
        let early = too_early(&exchanges, &self.project.repository.full_name(), &proofs);
        let seen = report.violations.iter().map(|text| format!("seen: {text}"));
        let violations = seen.chain(early.into_iter().map(|text| format!("asked: {text}"))).collect();
        Ok((report, violations))
    }
}

/// What proves the image of a version tag.
struct Proof<'a> {
    tag: &'a str,
    /// cosign's tags: those of every signature, and those of the attestations.
    stored: &'a BTreeSet<String>,
}

/// Requests that came too early: before the forge had confirmed that it has what must come first. Before a version tag,
/// these are the signatures and attestations of its image. Before `latest` and a page, it is also the version tag. A
/// request counts even if a fault kept it from the forge.
fn too_early(exchanges: &[Exchange], name: &str, proofs: &[Proof<'_>]) -> Vec<String> {
    let manifest = |tag: &str| format!("/v2/{name}/manifests/{tag}");
    let is_there = |tag: &str, at: SystemTime| {
        let path = manifest(tag);
        exchanges.iter().any(|one| one.request.path == path && holds(one, at))
    };
    let missing = |proof: &Proof<'_>, at| proof.stored.iter().find(|tag| !is_there(tag, at)).cloned();
    let is_public = |proof: &Proof<'_>, at| missing(proof, at).is_none() && is_there(proof.tag, at);
    let mut violations = Vec::new();
    for Exchange { request, at, .. } in exchanges {
        let is_put = |tag: &str| request.method == "PUT" && request.path == manifest(tag);
        let is_page = request.method == "POST" && request.path == format!("/api/v1/repos/{name}/releases");
        let tagged = proofs.iter().find(|proof| is_put(proof.tag));
        if let Some((proof, missing)) = tagged.and_then(|proof| Some((proof, missing(proof, *at)?))) {
            violations.push(format!("`{}` was put before the forge had `{missing}`", proof.tag));
        }
        if (is_page || is_put("latest")) && !proofs.iter().any(|proof| is_public(proof, *at)) {
            let what = if is_page { "a page" } else { "`latest`" };
            violations.push(format!("{what} was requested before any version was public and proven"));
        }
    }
    violations
}

/// Whether the forge had confirmed by `at` that it has what the request put or queried.
fn holds(exchange: &Exchange, at: SystemTime) -> bool {
    let has_confirmed =
        exchange.answered.is_some_and(|(then, status)| then <= at && (200..300).contains(&status));
    has_confirmed && ["GET", "HEAD", "PUT"].contains(&&*exchange.request.method)
}

#[cfg(test)]
mod tests {
    use super::{Proof, too_early};
    use crate::proxy::{Exchange, ObservedRequest};
    use std::collections::BTreeSet;
    use std::time::{Duration, SystemTime};

    const PAGE: &str = "POST /api/v1/repos/acme/carol/releases";

    /// One request after the other, each answered before the next one comes.
    fn exchange(n: usize, (line, status): (&str, Option<u16>)) -> Exchange {
        let line = line.replace("TAG:", "/v2/acme/carol/manifests/");
        let (method, path) = line.split_once(' ').unwrap();
        let request = ObservedRequest { n: n as u64, method: method.to_owned(), path: path.to_owned() };
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(2 * n as u64);
        let answered = status.map(|status| (at + Duration::from_secs(1), status));
        Exchange { request, at, answered, status: None, pushed: 0, fault: "" }
    }

    fn found(lines: &[(&str, Option<u16>)]) -> String {
        let exchanges: Vec<_> = lines.iter().enumerate().map(|(n, line)| exchange(n, *line)).collect();
        let stored = BTreeSet::from(["x.att", "x.sig"].map(str::to_owned));
        too_early(&exchanges, "acme/carol", &[Proof { tag: "v0.1.0", stored: &stored }]).join("; ")
    }

    #[test]
    fn requests_in_the_order_of_the_steps_are_not_too_early() {
        let whole = [
            ("PUT TAG:x.sig", Some(201)),
            ("PUT TAG:x.att", None),
            ("GET TAG:x.att", Some(200)),
            ("PUT TAG:v0.1.0", Some(201)),
            (PAGE, Some(201)),
            ("PUT TAG:latest", Some(201)),
        ];
        assert_eq!(found(&whole), "");
    }

    #[test]
    fn a_version_tag_is_too_early_before_every_proof_is_there() {
        for answer in [None, Some(404), Some(500)] {
            let lines = [("PUT TAG:x.sig", Some(201)), ("HEAD TAG:x.att", answer), ("PUT TAG:v0.1.0", None)];
            assert_eq!(found(&lines), "`v0.1.0` was put before the forge had `x.att`", "{answer:?}");
        }
        let late = [("PUT TAG:v0.1.0", None), ("PUT TAG:x.sig", Some(201)), ("PUT TAG:x.att", Some(201))];
        assert!(found(&late).contains("`v0.1.0` was put"), "a proof that comes later does not count");
        let gone = [("PUT TAG:x.sig", Some(201)), ("DELETE TAG:x.att", Some(202)), ("PUT TAG:v0.1.0", None)];
        assert!(found(&gone).contains("`x.att`"), "a deletion does not show that the proof is there");
    }

    #[test]
    fn latest_and_a_page_are_too_early_before_a_proven_version_tag() {
        let proven = [("PUT TAG:x.sig", Some(201)), ("PUT TAG:x.att", Some(201))];
        for (line, word) in [(PAGE, "a page"), ("PUT TAG:latest", "`latest`")] {
            let too_early = [&proven[..], &[("PUT TAG:v0.1.0", Some(500)), (line, None)]].concat();
            assert!(found(&too_early).starts_with(word), "{line}");
            let unproven = [("PUT TAG:v0.1.0", Some(201)), (line, None)];
            assert!(found(&unproven).contains(word), "{line}");
        }
        assert_eq!(found(&[("GET TAG:latest", Some(404))]), "");
    }
}
