//! The output of `verify`: text for people, one JSON document for machines.

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::evidence::claims::IMAGE_PRESENT;
use crate::process::failure::{ExitCode, Verdicts};
use crate::process::shown::{self, one_line};
use crate::process::stdout;

use crate::verify::claim::{Claim, Verdict};
use crate::verify::rebuilds::Rebuild;

/// The version of the document's format. It changes when a field does; a new claim does not change it.
const SCHEMA: &str = "xtask-verify/2";

/// The `--json` document.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    releases: &'a [Entry],
}

/// One release.
#[derive(Serialize)]
pub(super) struct Entry {
    pub(super) tag: String,
    /// `None` if the repository has no such tag.
    pub(super) commit: Option<String>,
    /// With its digest; `None` if no digest is known.
    pub(super) image: Option<String>,
    pub(super) claims: Vec<Claim>,
    /// Claims that were left out because of how `verify` was called.
    pub(super) not_asked: Vec<&'static str>,
    /// Why this is not a release of this tool; if set, nothing is claimed about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) not_released_by_this_tool: Option<String>,
    /// The statements of others who have rebuilt it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) rebuilds: Vec<Rebuild>,
    /// Why it was not attested although every claim holds.
    #[serde(skip)]
    pub(super) unattested: Option<anyhow::Error>,
    /// Why it was not saved although every claim holds.
    #[serde(skip)]
    pub(super) unsaved: Option<anyhow::Error>,
}

/// Prints `entries`.
///
/// # Errors
/// When the document cannot be written.
pub(super) fn print(entries: &[Entry], json: bool) -> Result<()> {
    let report = if json {
        let document = Document { schema: SCHEMA, releases: entries };
        shown::json(&serde_json::to_string_pretty(&document).context("writing the report")?) + "\n"
    } else {
        let texts: Vec<_> = entries.iter().map(text).collect();
        texts.join("\n")
    };
    stdout::print(&report).context("printing the report")
}

fn text(entry: &Entry) -> String {
    let commit = entry.commit.as_deref().unwrap_or("no commit here");
    if let Some(why) = &entry.not_released_by_this_tool {
        return format!("{} at {commit}\nnot released by this tool: {}\n", entry.tag, one_line(why));
    }
    // Whether there is an image is not known if the registry did not answer.
    let is_unknown = |claim: &Claim| claim.id == IMAGE_PRESENT && claim.verdict == Verdict::Unchecked;
    let none = if entry.claims.iter().any(is_unknown) { "image not known" } else { "no image" };
    let image = entry.image.as_deref().unwrap_or(none);
    let mut text = format!("{} at {commit}\n{image}\n\n", entry.tag);
    for claim in &entry.claims {
        let mark = match claim.verdict {
            Verdict::Holds => "ok   ",
            Verdict::Unchecked => "?    ",
            Verdict::False => "FALSE",
        };
        text += &format!("{mark}  {:<20} {}\n", claim.id, one_line(&claim.evidence));
        let shown = claim.verdict != Verdict::Holds && claim.see.is_none();
        if let Some(command) = claim.by_hand.as_ref().filter(|_| shown) {
            text += &format!("{:<27}by hand: {}\n", "", one_line(command));
        }
    }
    for Rebuild { key, by, says } in &entry.rebuilds {
        let by = by.as_deref().unwrap_or("somebody");
        text += &format!(
            "-      {:<20} {}\n",
            "rebuilt",
            one_line(&format!("by {by}, key sha256:{key}…: {says}"))
        );
    }
    if !entry.not_asked.is_empty() {
        text += &format!("-      not asked            {}\n", entry.not_asked.join(", "));
    }
    text
}

/// The verdict on all entries.
///
/// # Errors
/// [`Verdicts`] with exit code 1 when a claim is false, 4 when one could not be checked.
pub(super) fn conclude(entries: &[Entry]) -> Result<()> {
    let claims = || entries.iter().flat_map(|entry| &entry.claims);
    let count = |verdict| claims().filter(|claim| claim.verdict == verdict).count();
    let all = claims().count();
    match (count(Verdict::False), count(Verdict::Unchecked)) {
        (0, 0) => Ok(()),
        (0, unchecked) => Err(Verdicts::new(
            ExitCode::Unchecked,
            format!("{unchecked} of {all} claims could not be checked"),
        )
        .into()),
        (wrong, _) => {
            Err(Verdicts::new(ExitCode::Failed, format!("{wrong} of {all} claims are false")).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Entry, conclude, text};
    use crate::evidence::claims;
    use crate::verify::claim::{Claim, Unavailable};

    fn entry() -> Entry {
        Entry {
            tag: "v0.0.9".to_owned(),
            commit: Some("8".repeat(40)),
            image: None,
            claims: Vec::new(),
            not_asked: Vec::new(),
            not_released_by_this_tool: None,
            rebuilds: Vec::new(),
            unattested: None,
            unsaved: None,
        }
    }

    #[test]
    fn evidence_and_commands_cannot_add_lines_to_the_report() {
        let found = Unavailable::Invalid("a\u{1b}[1A\u{1b}[2K\nok     signature            held".to_owned());
        let mut claim = Claim::unavailable(claims::IMAGE_LABELS, &found);
        claim.by_hand = Some("inspect a\u{1b}[1A\nok     signature            held".to_owned());
        let report = text(&Entry { claims: vec![claim], ..entry() });
        let lines: Vec<_> = report.lines().skip(3).collect();
        assert_eq!(lines.len(), 2, "{report}");
        assert!(lines[0].starts_with("FALSE  image.labels") && !report.contains('\u{1b}'), "{report}");
    }

    #[test]
    fn an_image_that_could_not_be_queried_is_not_reported_as_missing() {
        let heading = |unseen| {
            let claim = Claim::unavailable(claims::IMAGE_PRESENT, &unseen);
            text(&Entry { claims: vec![claim], ..entry() }).lines().nth(1).unwrap().to_owned()
        };
        assert_eq!(heading(Unavailable::Transient("answered 503".to_owned())), "image not known");
        assert_eq!(heading(Unavailable::Invalid("there is none".to_owned())), "no image");
    }

    #[test]
    fn a_tag_that_this_tool_did_not_release_is_reported_and_changes_no_verdict() {
        let entry = Entry { not_released_by_this_tool: Some("it is older".to_owned()), ..entry() };
        assert!(text(&entry).ends_with("\nnot released by this tool: it is older\n"));
        assert_eq!(serde_json::to_value(&entry).unwrap()["not_released_by_this_tool"], "it is older");
        assert!(conclude(&[entry]).is_ok());
    }
}
