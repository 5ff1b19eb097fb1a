//! Inserts a section into a changelog. The rest of the file stays unchanged.

use anyhow::Result;
use semver::Version;

use crate::process::failure::Refusal;
use crate::process::shown::one_line;

use super::headings::{Heading, Kind, headings};
use super::version::Named;

/// The beginning of a new file, in the words of Keep a Changelog.
const BEGINNING: &str = "# Changelog\n\nAll notable changes to this project will be documented in this file.\n\nThe format is based on \
[Keep a Changelog](https://keepachangelog.com/en/1.1.0/), and this project adheres to\n[Semantic Versioning]\
(https://semver.org/spec/v2.0.0.html).\n\n## [Unreleased]\n";

/// The deepest level of a version's heading: standard-version writes `###` for a patch.
const DEEPEST: usize = 3;

/// The longest part of a line that a message quotes, in characters.
const MAX_LEN: usize = 60;

/// Inserts `section` of `version` into `document`, before the first section of an older version. So it is below
/// `Unreleased`, and a backport is below the newer line. If the oldest version is the first, the section comes before
/// that of the next newer version. If there is no such section, it comes after those of the other versions, else after
/// `Unreleased`, else last, before the link definitions. `None` if the version already has a section. Without a
/// document, a new one is started. The line endings are those of the document.
///
/// # Errors
/// A [`Refusal`] when the document has versions, but none of them below a heading that names it.
pub fn with(document: Option<&str>, version: &Version, section: &str) -> Result<Option<String>> {
    let document = document.filter(|document| !document.trim().is_empty()).unwrap_or(BEGINNING);
    let headings = headings(document);
    let versions = versions(&headings);
    if versions.iter().any(|(_, other)| *other == version) {
        return Ok(None);
    }
    let place = match (&versions[..], headings.iter().position(is_unreleased)) {
        ([], unreleased) => {
            check(&headings, version, unreleased.is_some())?;
            unreleased.map_or_else(|| end(document), |unreleased| end_of(&headings, unreleased, document))
        }
        ([.., (last, _)], unreleased) => {
            let is_ascending = versions.len() > 1
                && versions.is_sorted_by(|(_, one), (_, next)| one < next)
                && unreleased.is_none_or(|unreleased| unreleased > *last);
            let is_after = |other: &Version| if is_ascending { other > version } else { other < version };
            let next = versions.iter().find(|(_, other)| is_after(other));
            next.map_or_else(|| end_of(&headings, *last, document), |(at, _)| headings[*at].place)
        }
    };
    Ok(Some(inserted(document, place, section)))
}

fn inserted(document: &str, place: usize, section: &str) -> String {
    let (before, after) = document.split_at(place);
    let (start, blank) = (before.trim_end(), if after.is_empty() { "" } else { "\n" });
    let above = if start.is_empty() { "" } else { "\n\n" };
    let added = format!("{above}{}\n{blank}", section.trim_end());
    let added = if document.contains("\r\n") { added.replace('\n', "\r\n") } else { added };
    format!("{start}{added}{}", after.trim_start_matches(['\r', '\n']))
}

/// The versions with sections, each with the position of its heading. A version after a name counts only if no
/// heading begins with a version: a heading such as `Node 22.1.0` names no version of the project.
fn versions<'a>(headings: &'a [Heading<'_>]) -> Vec<(usize, &'a Version)> {
    let of = |read: fn(usize, &'a Named) -> Option<&'a Version>| {
        let found = |(at, heading): (usize, &'a Heading<'_>)| match heading.kind {
            Kind::Heading(level) if level <= DEEPEST => Some((at, read(level, &heading.named)?)),
            _ => None,
        };
        headings.iter().enumerate().filter_map(found).collect::<Vec<_>>()
    };
    let plain = of(|level, named| match named {
        // The deepest headings also divide sections.
        Named::Version(version, is_alone) if *is_alone || level < DEEPEST => Some(version),
        _ => None,
    });
    if !plain.is_empty() {
        return plain;
    }
    of(|level, named| match named {
        Named::OfName(version) if level < DEEPEST => Some(version),
        _ => None,
    })
}

fn is_unreleased(heading: &Heading<'_>) -> bool {
    matches!(heading.kind, Kind::Heading(_)) && heading.named == Named::Unreleased
}

/// Refuses a document that has no section of a version but names a version elsewhere: the place of the new section
/// would be a guess. Entries of `Unreleased` may begin with a version.
fn check(headings: &[Heading<'_>], version: &Version, has_unreleased: bool) -> Result<()> {
    let unclear = headings.iter().find_map(|heading| match (&heading.named, heading.kind) {
        (Named::Version(version, true), Kind::Line) => Some((heading, version)),
        (Named::Version(version, true), Kind::Entry) if !has_unreleased => Some((heading, version)),
        (
            Named::Version(version, _) | Named::OfName(version) | Named::Mentioned(version),
            Kind::Heading(_),
        ) => Some((heading, version)),
        _ => None,
    });
    let Some((heading, other)) = unclear else { return Ok(()) };
    let line: String = heading.line.trim().chars().take(MAX_LEN).collect();
    Err(Refusal::new(format!(
        "line {} of the changelog, `{}`, names a version but is not a heading such as `## {other}`, so the place of \
         {version} is unclear; write `## {other}` in its place or above it, and run the same again",
        heading.number,
        one_line(&line)
    ))
    .into())
}

/// The end of the section of a heading: before the next one that is not deeper.
fn end_of(headings: &[Heading<'_>], at: usize, document: &str) -> usize {
    let level = |heading: &Heading<'_>| match heading.kind {
        Kind::Heading(level) => Some(level),
        Kind::Line | Kind::Entry => None,
    };
    let own = level(&headings[at]);
    let next =
        headings[at + 1..].iter().find(|heading| level(heading).is_some_and(|other| Some(other) <= own));
    next.map_or_else(|| end(document), |next| next.place)
}

/// The position before the link definitions at the end of a changelog, if it has any.
fn end(document: &str) -> usize {
    let mut end = document.len();
    for line in document.split_inclusive('\n').rev() {
        let is_definition = line.starts_with('[') && line.contains("]: ");
        if !is_definition && !line.trim().is_empty() {
            break;
        }
        end -= line.len();
    }
    if document[end..].trim().is_empty() { document.len() } else { end }
}

#[cfg(test)]
mod tests;
