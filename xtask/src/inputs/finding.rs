//! A finding of `cargo xtask check`: the rule, the severity, the place, and the remedy.

mod rules;

use std::fmt;

use serde::Serialize;

pub use rules::Rule;

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The commit cannot be released.
    Error,
    /// The commit can be released, at a price that the text names.
    Note,
}

impl Severity {
    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Note => "note",
        }
    }
}

/// A broken rule or a note, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// The severity.
    pub severity: Severity,
    /// The path relative to the top of the repository, if it is about one file.
    pub file: String,
    /// The line, from 1, if it is about one line.
    pub line: Option<usize>,
    /// What was found, and what to write instead.
    pub text: String,
}

impl Finding {
    /// A broken rule in `file`.
    #[must_use]
    pub fn error(rule: Rule, file: impl Into<String>, text: impl Into<String>) -> Self {
        Self { rule, severity: Severity::Error, file: file.into(), line: None, text: text.into() }
    }

    /// A note in `file`: something that is allowed but has a price.
    #[must_use]
    pub fn note(rule: Rule, file: impl Into<String>, text: impl Into<String>) -> Self {
        Self { severity: Severity::Note, ..Self::error(rule, file, text) }
    }

    /// The same finding at a line, counted from 1.
    #[must_use]
    pub fn at(self, line: usize) -> Self {
        Self { line: Some(line), ..self }
    }

    /// Whether it prevents the release of the commit.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The line that `check` prints, in the form that editors and CI systems turn into links.
    #[must_use]
    pub fn report(&self) -> String {
        let Self { rule, severity, file, text, .. } = self;
        let line = self.line.map(|line| format!(":{line}")).unwrap_or_default();
        format!("{file}{line}: {}[{}]: {text}", severity.as_str(), rule.id())
    }
}

/// Without rule and severity, for a list under a heading of its own.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "`{}` line {line}: {}", self.file, self.text),
            None => f.write_str(&self.text),
        }
    }
}

impl From<&Finding> for String {
    fn from(finding: &Finding) -> Self {
        finding.to_string()
    }
}

/// A file that cannot be used, and all findings in it. It is the context of the error that refuses the file.
#[derive(Debug)]
pub struct Unclear {
    /// The path relative to the top of the repository.
    pub file: String,
    /// All findings, notes included.
    pub findings: Vec<Finding>,
}

impl Unclear {
    /// Adds the context to `error`, which says how `file` breaks `rule`.
    #[must_use]
    pub fn error(rule: Rule, file: &str, error: anyhow::Error) -> anyhow::Error {
        let findings = vec![Finding::error(rule, file, format!("{error:#}"))];
        error.context(Self { file: file.to_owned(), findings })
    }
}

impl fmt::Display for Unclear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "reading `{}`", self.file)
    }
}

/// One finding per line.
#[must_use]
pub fn joined(findings: &[Finding]) -> String {
    findings.iter().map(Finding::to_string).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::{Finding, Rule};

    #[test]
    fn a_finding_is_printed_with_its_place_and_rule() {
        let finding = Finding::error(Rule::DockerfileFromDigest, "Dockerfile", "no digest").at(3);
        assert_eq!(finding.report(), "Dockerfile:3: error[dockerfile-from-digest]: no digest");
        assert_eq!(finding.to_string(), "`Dockerfile` line 3: no digest");
        let note = Finding::note(Rule::LockfileHosts, "package-lock.json", "two hosts");
        assert_eq!(note.report(), "package-lock.json: note[lockfile-hosts]: two hosts");
        assert_eq!(note.to_string(), "two hosts");
    }
}
