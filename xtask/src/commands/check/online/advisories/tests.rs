//! A report in the format that npm 10 and 11 print, read with the lockfile that it is about.

use serde_json::{Value, json};

use super::{Reported, is_in, judge, read};
use crate::inputs::config::Folder;
use crate::inputs::exceptions::{DAY, Exception};
use crate::inputs::finding::{Finding, Rule};
use crate::inputs::lockfile::{self, Lockfile};

pub(in crate::commands::check) fn lockfile() -> Lockfile {
    let sha = format!("sha512-{}==", "A".repeat(86));
    let entry = |version: &str, more: Value| {
        let mut entry = json!({"version": version, "integrity": sha});
        entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        entry
    };
    let asked = json!({"dependencies": {"minimist": "1.2.5", "mkdirp": "0.5.0"}, "devDependencies": {"tool": "1.0.0"}});
    let mut root = asked.clone();
    root["name"] = json!("carol");
    let lock = json!({"name": "carol", "lockfileVersion": 3, "packages": {
        "": root,
        "node_modules/minimist": entry("1.2.5", json!({})),
        "node_modules/mkdirp": entry("0.5.0", json!({"dependencies": {"minimist": "0.0.8"}})),
        "node_modules/mkdirp/node_modules/minimist": entry("0.0.8", json!({})),
        "node_modules/tool": entry("1.0.0", json!({"dev": true})),
    }});
    lockfile::check(&Folder::default(), asked.to_string().as_bytes(), lock.to_string().as_bytes()).unwrap()
}

fn advisory(number: u64, id: &str, range: &str) -> Value {
    json!({"source": number, "name": "x", "dependency": "x", "title": "Prototype Pollution", "severity": "critical",
        "url": format!("https://github.com/advisories/{id}"), "cwe": ["CWE-1321"], "cvss": {"score": 9.8}, "range": range})
}

pub(in crate::commands::check) fn report() -> Value {
    json!({"auditReportVersion": 2, "metadata": {"vulnerabilities": {"total": 3}}, "vulnerabilities": {
        "minimist": {"name": "minimist", "severity": "critical", "isDirect": true, "effects": ["mkdirp"], "range": "<=1.2.5",
            "nodes": ["node_modules/minimist", "node_modules/mkdirp/node_modules/minimist"], "fixAvailable": true,
            "via": [advisory(1, "GHSA-old", "<0.2.1 || >=1.0.0 <1.2.3"), advisory(2, "GHSA-new", "<=1.2.5")]},
        "mkdirp": {"name": "mkdirp", "severity": "critical", "isDirect": true, "via": ["minimist"], "effects": [],
            "range": "0.4.1 - 0.5.1", "nodes": ["node_modules/mkdirp"], "fixAvailable": true},
        "tool": {"name": "tool", "severity": "low", "isDirect": true, "effects": [], "range": "*",
            "nodes": ["node_modules/tool"], "fixAvailable": false, "via": [advisory(3, "3", "*")]},
    }})
}

fn reported() -> Vec<Reported> {
    read(report().to_string().as_bytes(), &lockfile()).unwrap()
}

fn judged(exceptions: &[Exception]) -> Vec<Finding> {
    judge("package-lock.json", &Folder::default(), &reported(), exceptions, 10 * DAY)
}

fn exception(vulnerability: &str, package: &str, end: u64) -> Exception {
    Exception {
        vulnerability: vulnerability.to_owned(),
        package: package.to_owned(),
        until: "a day".to_owned(),
        end,
        stated: 0,
        reason: "why".to_owned(),
    }
}

#[test]
fn each_advisory_is_reported_once_for_each_affected_version() {
    let found: Vec<_> =
        reported().into_iter().map(|one| (one.name, one.version, one.vulnerability, one.is_dev)).collect();
    let row =
        |name: &str, version: &str, id: &str, dev| (name.to_owned(), version.to_owned(), id.to_owned(), dev);
    let expected = [
        row("minimist", "0.0.8", "GHSA-new", false),
        row("minimist", "0.0.8", "GHSA-old", false),
        row("minimist", "1.2.5", "GHSA-new", false),
        row("tool", "1.0.0", "npm-3", true),
    ];
    assert_eq!(found, expected);
    let found = judged(&[]);
    assert_eq!(found.iter().filter(|finding| finding.is_error()).count(), 3);
    assert!(found[2].text.contains("for the product `pkg:npm/minimist@1.2.5`"), "{}", found[2].text);
}

#[test]
fn an_exception_applies_to_one_version_until_its_last_day_is_over() {
    let pair = |id: &str, package: &str, end| judged(&[exception(id, package, end)]);
    let rules = |found: &[Finding]| {
        found.iter().filter(|finding| finding.is_error()).map(|finding| finding.rule).collect::<Vec<_>>()
    };
    let advisory = Rule::PackageAdvisory;
    assert_eq!(rules(&pair("GHSA-new", "pkg:npm/minimist@1.2.5", 10 * DAY + 1)), [advisory; 2]);
    let expired = pair("GHSA-new", "pkg:npm/minimist@1.2.5", 10 * DAY);
    assert_eq!(rules(&expired), [advisory, advisory, advisory, Rule::ExceptionExpired]);
    for (id, package) in [("GHSA-new", "pkg:npm/minimist@1.2.6"), ("GHSA-none", "pkg:npm/minimist@1.2.5")] {
        let unused = pair(id, package, 11 * DAY);
        assert_eq!(rules(&unused), [advisory; 3]);
        assert!(unused.iter().any(|finding| finding.rule == Rule::ExceptionUnused && !finding.is_error()));
        assert_eq!(rules(&pair(id, package, DAY)), [advisory, advisory, advisory, Rule::ExceptionExpired]);
    }
}

#[test]
fn an_exception_with_a_timestamp_in_the_future_excuses_nothing() {
    for (stated, advisories, is_invalid) in [(11 * DAY, 2, false), (11 * DAY + 1, 3, true)] {
        let exception = exception("GHSA-new", "pkg:npm/minimist@1.2.5", 1000 * DAY);
        let found = judged(&[Exception { stated, ..exception }]);
        let count = |rule| found.iter().filter(|finding| finding.rule == rule && finding.is_error()).count();
        assert_eq!(count(Rule::PackageAdvisory), advisories, "{stated}");
        assert_eq!(count(Rule::ExceptionInvalid) == 1, is_invalid, "{stated}");
    }
}

#[test]
fn an_incomplete_or_inconsistent_report_is_an_error() {
    for (pointer, value) in [
        ("/auditReportVersion", json!(1)),
        ("/vulnerabilities/mkdirp/via", json!(["gone"])),
        ("/vulnerabilities/minimist/nodes", json!(["node_modules/other"])),
        ("/vulnerabilities/tool/via", json!([{"source": 3}])),
        ("/vulnerabilities", json!([])),
    ] {
        let mut report = report();
        *report.pointer_mut(pointer).unwrap() = value;
        assert!(read(report.to_string().as_bytes(), &lockfile()).is_err(), "{pointer}");
    }
}

#[test]
fn a_range_that_is_not_understood_contains_every_version() {
    for (range, version, expected) in [
        ("<1.2.3", "1.2.2", true),
        ("<1.2.3", "1.2.3", false),
        (">=1.0.0 <1.2.3", "0.9.0", false),
        ("<0.2.1 || >=1.0.0 <1.2.3", "1.1.0", true),
        ("=1.0.0", "1.0.0", true),
        ("1.0.0", "1.0.1", false),
        ("*", "1.0.0", true),
        ("1.x", "2.0.0", true),
        ("", "2.0.0", true),
        ("<1.0.0", "no version", true),
        ("><1.0.0", "2.0.0", true),
        (">= 1.0.0 < 2.0.0", "1.5.0", true),
        (">= 1.0.0 < 2.0.0", "2.0.0", false),
        (">= 1.0.0, < 1.2.3", "1.2.2", true),
        (">=1.0.0,<1.2.3", "1.2.3", false),
        ("= 1.0.0", "1.0.1", false),
        ("< 0.2.1||> 1.0.0", "1.0.0", false),
        ("<1.0.0 ||", "2.0.0", true),
        // npm ignores what follows `+`.
        ("<=1.0.0", "1.0.0+x", true),
        ("1.0.0+a", "1.0.0+b", true),
        (">1.0.0", "1.0.0+x", false),
        ("<1.2.3", "1.2.3-beta.1", true),
        ("1.0.0 - 1.4.0", "1.2.0", true),
        ("1.0.0 - 1.4.0", "2.0.0", true),
        ("1.0.0, 1.2.0", "1.2.0", true),
        ("^1.0.0 <1.2.3", "1.3.0", true),
        (">=1.0.0<1.2.3", "2.0.0", true),
        ("> = 1.0.0", "0.1.0", true),
        ("<1.0.0 <", "2.0.0", true),
    ] {
        assert_eq!(is_in(range, version), expected, "{range} {version}");
    }
}
