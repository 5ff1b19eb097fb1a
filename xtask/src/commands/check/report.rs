//! How findings are reported: as text with a pointer to the rule, or as one JSON document.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::commands::init::tool::documents;
use crate::commands::testbed;
use crate::inputs::finding::{Finding, Severity};
use crate::process::failure::Refusal;
use crate::process::shown::{json, lines};
use crate::process::stderr;
use crate::process::stdout;

/// The version of the document's format. It changes when a field does; a new rule does not change it.
const SCHEMA: &str = "xtask-check/1";

/// The `--json` document.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    findings: Vec<Entry<'a>>,
}

/// One finding.
#[derive(Serialize)]
struct Entry<'a> {
    rule: &'static str,
    severity: Severity,
    file: &'a str,
    /// Counted from 1; `null` if the finding is about the whole file.
    line: Option<usize>,
    text: &'a str,
    why: &'static str,
    documentation: String,
}

/// Where a rule is explained: in this repository if it is the tool's own, else in the tool's repository.
fn documentation(root: &Path, finding: &Finding) -> String {
    let directory = if testbed::is_in(root) { "docs".to_owned() } else { documents() };
    format!("{directory}/rules.md#{}", finding.rule.id())
}

/// Prints the document.
pub(super) fn print(root: &Path, findings: &[Finding]) -> Result<()> {
    let entry = |finding| entry(root, finding);
    let document = Document { schema: SCHEMA, findings: findings.iter().map(entry).collect() };
    let text = json(&serde_json::to_string_pretty(&document).context("writing the findings")?) + "\n";
    stdout::print(&text).context("printing the findings")
}

fn entry<'a>(root: &Path, finding: &'a Finding) -> Entry<'a> {
    let Finding { rule, severity, file, line, text } = finding;
    let documentation = documentation(root, finding);
    Entry { rule: rule.id(), severity: *severity, file, line: *line, text, why: rule.why(), documentation }
}

/// Prints the notes.
///
/// # Errors
/// A [`Refusal`] that lists every error.
pub(super) fn verdict(root: &Path, findings: &[Finding]) -> Result<()> {
    let described = |finding: &Finding| format!("{} ({})", finding.report(), documentation(root, finding));
    for note in findings.iter().filter(|finding| !finding.is_error()) {
        stderr::line(format_args!("{}", lines(&described(note))));
    }
    let errors: Vec<_> = findings.iter().filter(|finding| finding.is_error()).map(described).collect();
    if errors.is_empty() {
        return Ok(());
    }
    Err(Refusal::new(format!("the repository breaks these rules:\n{}", errors.join("\n"))).into())
}

/// # Errors
/// A [`Refusal`] with the number of errors; the document lists them.
pub(super) fn counted(findings: &[Finding]) -> Result<()> {
    match findings.iter().filter(|finding| finding.is_error()).count() {
        0 => Ok(()),
        count => Err(Refusal::new(format!("broken rules: {count}; the document lists them")).into()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::{entry, verdict};
    use crate::inputs::finding::{Finding, Rule};
    use crate::process::failure::exit_code;

    #[test]
    fn a_finding_in_json_has_its_place_and_its_rule() {
        let finding = Finding::error(Rule::WorkflowActionPin, "ci.yml", "no commit").at(3);
        let found = serde_json::to_value(entry(Path::new("/nowhere"), &finding)).unwrap();
        let url = found["documentation"].as_str().unwrap();
        assert!(url.starts_with("https://") && url.ends_with("/docs/rules.md#workflow-action-pin"), "{url}");
        let expected = json!({"rule": "workflow-action-pin", "severity": "error", "file": "ci.yml", "line": 3,
            "text": "no commit", "why": Rule::WorkflowActionPin.why(), "documentation": url});
        assert_eq!(found, expected);
    }

    #[test]
    fn one_refusal_lists_every_error_and_notes_alone_are_no_refusal() {
        let error = |line| Finding::error(Rule::WorkflowActionPin, "ci.yml", "no commit").at(line);
        let note = Finding::note(Rule::LockfileHosts, "package-lock.json", "two");
        let refusal = verdict(Path::new("/nowhere"), &[error(3), note.clone(), error(9)]).unwrap_err();
        assert_eq!(exit_code(&refusal), 3);
        let text = refusal.to_string();
        assert!(text.contains("ci.yml:3: error[workflow-action-pin]: no commit (https://"), "{text}");
        assert!(text.contains("ci.yml:9: ") && !text.contains("two"), "{text}");
        assert!(verdict(Path::new("/nowhere"), &[note]).is_ok());
    }
}
