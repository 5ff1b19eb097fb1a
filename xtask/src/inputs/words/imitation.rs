//! What could pass for the generated part of a page without being a block: a heading, or the digest of an image. People
//! can edit a page on the forge, above that part, and the notes that a release writes there are not compared.

use super::block::outside_code;
use super::{has_digest, is_heading, is_hidden, lines};

/// The first line of `text` that could pass for the generated part of a page, and why. `own` is the heading that a
/// release writes above that part.
#[must_use]
pub fn imitation(text: &str, own: &str) -> Option<(usize, &'static str)> {
    lines(text).find_map(|line| {
        let why = if line.text.chars().any(|c| is_hidden(c) && !"\t\r".contains(c)) {
            "has a character that cannot be seen"
        } else if line.text != own && is_heading(line.text, line.before) {
            "is a heading above the third level"
        } else if names_digest(line.text) {
            "has a digest, which would read like the one of the image"
        } else {
            return None;
        };
        Some((line.number, why))
    })
}

/// Whether a line has a digest other than where the notes write one: as code in a list, or in the name of a person.
fn names_digest(line: &str) -> bool {
    if !has_digest(line) {
        return false;
    }
    let is_of_notes = ["- ", "  - ", "Contributors: "].iter().any(|start| line.starts_with(start));
    !is_of_notes || has_digest(&without_commits(&outside_code(line)))
}

/// The line without the ids of commits in addresses: in some repositories they are as long as a digest.
fn without_commits(line: &str) -> String {
    let mut parts = line.split("/commit/");
    let begin = parts.next().unwrap_or_default().to_owned();
    let is_digit = |c: char| c.is_ascii_hexdigit();
    parts.fold(begin, |text, part| text + " " + part.trim_start_matches(is_digit))
}

#[cfg(test)]
mod tests {
    use super::imitation;

    const OWN: &str = "## Changes";

    #[test]
    fn ordinary_notes_and_edits_are_no_imitation() {
        for text in [
            "",
            "Do not use this version: use v1.2.4.\r\n\r\n### Why\r\n\r\nIt\tis slow.\r\n",
            "## Changes\n\nA minor release.\n\n### New\n\n- `## Image` ([4993ff5a](https://x/commit/4993ff5a))\n",
            "- `a@sha256:ab` ([4993ff5a](https://x/commit/4993ff5a))\n  - `` sha256:` ``\n",
            "- Base image `node:22-slim`: `sha256:ab` → `sha256:cd`\n",
            "Contributors: `sha256:ab`, `Ann`.\n",
            &format!("- `words` ([aaaaaaaaaaaa](https://x/commit/{}))\n", "a".repeat(64)),
            &format!("- `{}` ([aaaaaaaaaaaa](https://x/commit/{}))\n", "b".repeat(64), "a".repeat(40)),
            "The digest is below. Its algorithm is SHA-256.\n\n---\n\nText.\n",
        ] {
            assert_eq!(imitation(text, OWN), None, "{text:?}");
        }
    }

    #[test]
    fn headings_and_digests_like_the_generated_ones_are_found_in_every_spelling() {
        for (bad, words) in [
            ("## Image ", "a heading"),
            ("##  Image ##", "a heading"),
            ("   ## Im\u{430}ge", "a heading"),
            ("# Image", "a heading"),
            ("> ## Verify", "a heading"),
            ("## Changes ", "a heading"),
            ("Image\n-----", "a heading"),
            ("Image\n=", "a heading"),
            ("Pull `x@sha256:ab`.", "a digest"),
            ("> `docker pull x@SHA256:ab`", "a digest"),
            ("1. `docker pull x@sha256:ab`", "a digest"),
            ("- docker pull x@sha**256:**ab", "a digest"),
            ("Contributors: sha256:ab", "a digest"),
            (&format!("Its digest is now `{}`.", "a".repeat(64)), "a digest"),
            (&format!("- `words` {}", "a".repeat(64)), "a digest"),
            ("[x@sha256:ab](https://x)", "a digest"),
            ("x@sha\u{200b}256:ab", "cannot be seen"),
            ("\u{202e}egami eht", "cannot be seen"),
            ("\u{1b}[2K", "cannot be seen"),
        ] {
            let text = format!("words\n\n{bad}\n\nmore\n");
            let (line, why) = imitation(&text, OWN).unwrap_or_default();
            assert!(line >= 3 && why.contains(words), "{bad:?}: {line} {why}");
        }
    }
}
