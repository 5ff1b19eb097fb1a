//! The output of `npm audit --json` (version 2 of its report): the advisories of each package, compared with the
//! lockfile and the exceptions.

#[cfg(test)]
pub(in crate::commands::check) mod tests;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use semver::Version;
use serde::Deserialize;

use crate::evidence::sbom::purl;
use crate::inputs::config::Folder;
use crate::inputs::exceptions::{self, Exception};
use crate::inputs::finding::{Finding, Rule};
use crate::inputs::lockfile::Lockfile;
use crate::oci::exact;

/// The longest part of an advisory's title that is shown, in characters.
const MAX_TITLE_LEN: usize = 200;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    audit_report_version: u32,
    vulnerabilities: BTreeMap<String, Vulnerable>,
}

#[derive(Deserialize)]
struct Vulnerable {
    via: Vec<Via>,
    /// Paths in the lockfile.
    nodes: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Via {
    /// The name of another package in the report, which has the advisory.
    Package(String),
    Advisory(Advisory),
}

#[derive(Deserialize)]
struct Advisory {
    source: u64,
    title: String,
    url: String,
    severity: String,
    range: String,
}

/// One advisory of one version of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands::check) struct Reported {
    vulnerability: String,
    name: String,
    version: String,
    severity: String,
    title: String,
    url: String,
    /// Whether only development dependencies need the package.
    is_dev: bool,
}

/// Reads the report.
///
/// # Errors
/// When it has another format, or is about a package that the lockfile does not have.
pub(in crate::commands::check) fn read(answer: &[u8], lockfile: &Lockfile) -> Result<Vec<Reported>> {
    let report: Report =
        exact::parse_as_spelled(answer).context("reading what `npm audit --json` printed")?;
    let version = report.audit_report_version;
    ensure!(version == 2, "`npm audit` prints version {version} of its report: expected 2");
    let mut found = BTreeMap::new();
    for (package, Vulnerable { via, nodes }) in &report.vulnerabilities {
        for via in via {
            let advisory = match via {
                Via::Package(name) => {
                    let is_there = report.vulnerabilities.contains_key(name);
                    ensure!(is_there, "the report refers to `{name}`, and does not have it");
                    continue;
                }
                Via::Advisory(advisory) => advisory,
            };
            for path in nodes {
                let (locked, is_dev) = lockfile.at(path).with_context(|| {
                    format!("the report is about `{path}` of `{package}`, which the lockfile does not have")
                })?;
                if !is_in(&advisory.range, &locked.version) {
                    continue;
                }
                let vulnerability = name_of(advisory);
                let key = (locked.name.clone(), locked.version.clone(), vulnerability.clone());
                let entry = found.entry(key).or_insert_with(|| Reported {
                    vulnerability,
                    name: locked.name,
                    version: locked.version,
                    severity: advisory.severity.clone(),
                    title: advisory.title.chars().take(MAX_TITLE_LEN).collect(),
                    url: advisory.url.clone(),
                    is_dev,
                });
                entry.is_dev &= is_dev;
            }
        }
    }
    Ok(found.into_values().collect())
}

/// `GHSA-…` if the advisory's address ends with that, else its number.
fn name_of(advisory: &Advisory) -> String {
    let last = advisory.url.rsplit('/').next().filter(|last| last.starts_with("GHSA-"));
    last.map_or_else(|| format!("npm-{}", advisory.source), str::to_owned)
}

/// Whether `version` is in `range`. npm lists every location of a package with every advisory about it, even if the
/// advisory is only about an older version. A range that this code does not understand contains every version.
fn is_in(range: &str, version: &str) -> bool {
    let Ok(version) = Version::parse(version) else { return true };
    let holds = |(operator, bound): &(&str, Version)| {
        let order = version.cmp_precedence(bound);
        match *operator {
            "<" => order.is_lt(),
            "<=" => order.is_le(),
            ">" => order.is_gt(),
            ">=" => order.is_ge(),
            _ => order.is_eq(),
        }
    };
    range.split("||").any(|part| comparators(part).is_none_or(|all| all.iter().all(holds)))
}

/// The comparators of one alternative of a range, all of which must hold: `>=1.0.0 <2.0.0`, or, as GitHub writes it,
/// `>= 1.0.0, < 2.0.0`. `None` for any other form. A version without an operator is understood only by itself, because
/// `1.0.0 - 1.4.0` is no list of versions.
fn comparators(part: &str) -> Option<Vec<(&str, Version)>> {
    let (mut all, mut rest) = (Vec::new(), part.trim());
    while !rest.is_empty() {
        let after = rest.trim_start_matches(['<', '>', '=']);
        let operator = &rest[..rest.len() - after.len()];
        let after = after.trim_start();
        let is_separator = |c: char| c.is_whitespace() || c == ',';
        let (bound, more) = after.split_at(after.find(is_separator).unwrap_or(after.len()));
        rest = more.trim_start_matches(is_separator);
        let is_known = match operator {
            "<" | "<=" | ">" | ">=" => true,
            "" | "=" => all.is_empty() && rest.is_empty(),
            _ => false,
        };
        all.push((operator, Version::parse(bound).ok().filter(|_| is_known)?));
    }
    Some(all)
}

/// The findings at the time `now`, in seconds since 1970.
pub(super) fn judge(
    lock: &str,
    service: &Folder,
    reported: &[Reported],
    exceptions: &[Exception],
    now: u64,
) -> Vec<Finding> {
    let is_about = |exception: &Exception, reported: &Reported| {
        exception.vulnerability == reported.vulnerability
            && exception.package == purl::npm(&reported.name, Some(&reported.version))
    };
    // The last day is limited relative to the `timestamp`: if that is in the future, there is no limit. Clocks may
    // differ by a day.
    let is_ahead = |exception: &Exception| exception.stated > now.saturating_add(exceptions::DAY);
    let is_excused = |reported: &&Reported| {
        let counts = |exception: &Exception| exception.end > now && !is_ahead(exception);
        exceptions.iter().any(|exception| counts(exception) && is_about(exception, reported))
    };
    let mut found: Vec<_> = reported
        .iter()
        .filter(|reported| !is_excused(reported))
        .map(|one| finding(lock, service, one))
        .collect();
    for exception in exceptions {
        let Exception { vulnerability, package, until, .. } = exception;
        let is_used = reported.iter().any(|reported| is_about(exception, reported));
        let remedy = if is_used {
            "update the package, or review the exception and write a new date and a new `timestamp`"
        } else {
            "remove it"
        };
        let text = format!("`{vulnerability}` in `{package}`");
        if is_ahead(exception) {
            let text = format!(
                "the `timestamp` of the exception for {text} is in the future; write the present time"
            );
            found.push(Finding::error(Rule::ExceptionInvalid, exceptions::FILE, text));
        } else if exception.end <= now {
            let text = format!("the exception for {text} counted until {until}; {remedy}");
            found.push(Finding::error(Rule::ExceptionExpired, exceptions::FILE, text));
        } else if !is_used {
            let text = format!("`npm audit` does not report {text}; {remedy}");
            found.push(Finding::note(Rule::ExceptionUnused, exceptions::FILE, text));
        }
    }
    found
}

fn finding(lock: &str, service: &Folder, reported: &Reported) -> Finding {
    let Reported { vulnerability, name, version, severity, title, url, is_dev } = reported;
    let place = if *is_dev { "which development alone asks for" } else { "which ends up in the image" };
    let text = format!(
        "`{name}` {version}, {place}, has the vulnerability {vulnerability} ({severity}: {title}; {url}); run `npm audit fix \
         --package-lock-only` {} and review what it changes, or add an exception to `{}` that says why it does not matter, for the product `{}`",
        service.in_words(),
        exceptions::FILE,
        purl::npm(name, Some(version))
    );
    if *is_dev {
        Finding::note(Rule::PackageAdvisory, lock, text)
    } else {
        Finding::error(Rule::PackageAdvisory, lock, text)
    }
}
