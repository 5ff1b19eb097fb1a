//! Known vulnerabilities that are accepted for a limited time and for a stated reason, as an OpenVEX document, version
//! 0.2.0 (<https://github.com/openvex/spec/blob/v0.2.0/OPENVEX-SPEC.md>). The format has no expiry and allows no
//! additional fields, so `status_notes` begins with the last day (docs/decisions/0037-exceptions-are-openvex.md).

#[cfg(test)]
pub(super) mod tests;

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::oci::exact;
use crate::process::time::parse_rfc3339;

/// The path of the document, relative to the top of the repository. Without it there are no exceptions.
pub const FILE: &str = "security/exceptions.openvex.json";

/// Identifies the version of the format.
const CONTEXT: &str = "https://openvex.dev/ns/v0.2.0";

/// The longest period. An exception without a foreseeable end is a decision to live with the vulnerability, for which
/// the format has no status either.
const MAX_DAYS: u64 = 366;

/// The largest document, in bytes. It is limited because each product gets a copy of its statement's text.
const MAX_SIZE: usize = 256 << 10;

/// The longest `status_notes`, in bytes.
const MAX_NOTES_LEN: usize = 2000;

/// The longest name of an advisory; those of the npm registry have 19 characters.
const MAX_NAME_LEN: usize = 100;

/// A day in seconds.
pub const DAY: u64 = 24 * 60 * 60;

/// One accepted vulnerability of one package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// The id in the npm registry: `GHSA-…`.
    pub vulnerability: String,
    /// The package with its version, as a package URL: `pkg:npm/%40scope/name@1.2.3`.
    pub package: String,
    /// The last day on which the exception applies: `2027-02-28`.
    pub until: String,
    /// The end of that day, in seconds since 1970.
    pub end: u64,
    /// When it was stated, in seconds since 1970.
    pub stated: u64,
    /// Why the vulnerability is accepted.
    pub reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "@context")]
    context: String,
    #[serde(rename = "@id")]
    id: String,
    author: String,
    timestamp: String,
    version: u64,
    statements: Vec<Statement>,
    #[serde(rename = "role")]
    _role: Option<String>,
    #[serde(rename = "last_updated")]
    _last_updated: Option<String>,
    #[serde(rename = "tooling")]
    _tooling: Option<String>,
}

/// Other fields of the format are refused, because each would narrow or widen what a statement covers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    vulnerability: Vulnerability,
    products: Vec<Product>,
    status: Status,
    status_notes: String,
    timestamp: Option<String>,
    #[serde(rename = "last_updated")]
    _last_updated: Option<String>,
    justification: Option<Justification>,
    impact_statement: Option<String>,
    action_statement: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vulnerability {
    name: String,
    #[serde(rename = "description")]
    _description: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Product {
    #[serde(rename = "@id")]
    id: String,
}

/// `fixed` is missing on purpose: a fixed version is not reported, so a statement about one would excuse nothing.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Status {
    NotAffected,
    Affected,
    UnderInvestigation,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Justification {
    ComponentNotPresent,
    VulnerableCodeNotPresent,
    VulnerableCodeNotInExecutePath,
    VulnerableCodeCannotBeControlledByAdversary,
    InlineMitigationsAlreadyExist,
}

/// Reads the document. Each product of each statement gives one exception.
///
/// # Errors
/// When it is not such a document, or a statement lacks something that an exception needs.
pub fn read(bytes: &[u8]) -> Result<Vec<Exception>> {
    ensure!(
        bytes.len() <= MAX_SIZE,
        "it has {} bytes: expected {MAX_SIZE} at most; take out the statements that nothing needs any more",
        bytes.len()
    );
    let document: Document = exact::parse(bytes).context("it is not an OpenVEX document of version 0.2.0")?;
    ensure!(document.context == CONTEXT, "`@context` is `{}`: expected `{CONTEXT}`", document.context);
    ensure!(!document.id.is_empty() && !document.author.is_empty(), "`@id` or `author` is empty");
    ensure!(document.version > 0, "`version` counts from 1");
    ensure!(!document.statements.is_empty(), "`statements` is empty; remove the file in its place");
    let (mut found, mut known) = (Vec::new(), BTreeSet::new());
    for statement in document.statements {
        let name = statement.vulnerability.name.clone();
        for exception in of_statement(statement, &document.timestamp)
            .with_context(|| format!("reading the statement about `{name}`"))?
        {
            let pair = (exception.vulnerability.clone(), exception.package.clone());
            ensure!(known.insert(pair), "two statements are about `{name}` in `{}`", exception.package);
            found.push(exception);
        }
    }
    Ok(found)
}

fn of_statement(statement: Statement, default_timestamp: &str) -> Result<Vec<Exception>> {
    let Statement { vulnerability, products, status, status_notes, .. } = statement;
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    ensure!(
        (1..=MAX_NAME_LEN).contains(&vulnerability.name.len()) && vulnerability.name.chars().all(is_name),
        "the name is not that of an advisory, such as `GHSA-…`"
    );
    let has_text = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.trim().is_empty());
    match status {
        Status::NotAffected => ensure!(
            statement.justification.is_some() || has_text(&statement.impact_statement),
            "`not_affected` needs `justification` or `impact_statement`"
        ),
        Status::Affected => {
            ensure!(has_text(&statement.action_statement), "`affected` needs `action_statement`");
        }
        Status::UnderInvestigation => {}
    }
    ensure!(
        status_notes.len() <= MAX_NOTES_LEN,
        "`status_notes` has {} bytes: expected {MAX_NOTES_LEN} at most; write the reason in fewer words",
        status_notes.len()
    );
    let (until, end, reason) = expiry(&status_notes)?;
    let stated = statement.timestamp.as_deref().unwrap_or(default_timestamp);
    let stated = parse_rfc3339(stated).context("reading `timestamp`")?;
    ensure!(
        end <= stated.saturating_add(MAX_DAYS * DAY),
        "it counts until {until}, more than {MAX_DAYS} days after its `timestamp`; look at it again before that"
    );
    ensure!(!products.is_empty(), "`products` is empty");
    let each = |Product { id }: Product| {
        let version = id.strip_prefix("pkg:npm/").and_then(|rest| rest.rsplit_once('@'));
        ensure!(
            version.is_some_and(|(name, version)| !name.is_empty() && !version.is_empty()),
            "the product `{id}` is not an npm package with its version, such as `pkg:npm/%40scope/name@1.2.3`"
        );
        let vulnerability = vulnerability.name.clone();
        Ok(Exception {
            vulnerability,
            package: id,
            until: until.clone(),
            end,
            stated,
            reason: reason.clone(),
        })
    };
    products.into_iter().map(each).collect()
}

/// The last day, its end and the reason, from `Until 2027-02-28: why`.
fn expiry(notes: &str) -> Result<(String, u64, String)> {
    let malformed = || format!("`status_notes` is `{notes}`: expected `Until 2027-02-28: why`");
    let (day, reason) =
        notes.strip_prefix("Until ").and_then(|rest| rest.split_once(": ")).with_context(malformed)?;
    let start = parse_rfc3339(&format!("{day}T00:00:00Z")).with_context(malformed)?;
    ensure!(!reason.trim().is_empty(), malformed());
    Ok((day.to_owned(), start + DAY, reason.trim().to_owned()))
}
