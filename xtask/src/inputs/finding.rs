//! What `cargo xtask check` finds, as one type: which rule, how grave, where, and what to do about it.

mod rules;

use std::fmt;

use serde::Serialize;

pub use rules::Rule;

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The commit cannot be released.
    Error,
    /// It can, at a price that the text names.
    Note,
}

impl Severity {
    /// As it is printed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Note => "note",
        }
    }
}

/// A rule that is broken, or a note, at its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// How grave it is.
    pub severity: Severity,
    /// From the top of the repository, where it is about one file.
    pub file: String,
    /// From 1, where it is about one line.
    pub line: Option<usize>,
    /// What was found, and what to write in its place.
    pub text: String,
}

impl Finding {
    /// A broken rule in `file`.
    #[must_use]
    pub fn error(rule: Rule, file: impl Into<String>, text: impl Into<String>) -> Self {
        Self { rule, severity: Severity::Error, file: file.into(), line: None, text: text.into() }
    }

    /// What is allowed and has a price.
    #[must_use]
    pub fn note(rule: Rule, file: impl Into<String>, text: impl Into<String>) -> Self {
        Self { severity: Severity::Note, ..Self::error(rule, file, text) }
    }

    /// The same, on a line from 1.
    #[must_use]
    pub fn at(self, line: usize) -> Self {
        Self { line: Some(line), ..self }
    }

    /// Whether it keeps the commit from being released.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// As `check` prints it, in the form that editors and CI systems make links of.
    #[must_use]
    pub fn report(&self) -> String {
        let Self { rule, severity, file, text, .. } = self;
        let line = self.line.map(|line| format!(":{line}")).unwrap_or_default();
        format!("{file}{line}: {}[{}]: {text}", severity.as_str(), rule.id())
    }
}

/// For a list under a heading of its own, without rule and severity.
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

/// A file that leaves it open what it means, with what was found in it: the context of the error that refuses it.
#[derive(Debug)]
pub struct Unclear {
    /// From the top of the repository.
    pub file: &'static str,
    /// All of it, notes included.
    pub findings: Vec<Finding>,
}

impl fmt::Display for Unclear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "reading `{}`", self.file)
    }
}

/// One finding a line.
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
