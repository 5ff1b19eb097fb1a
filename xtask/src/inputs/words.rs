//! What a maintainer wrote about a release, in `release-notes/<tag>.md` of the commit or else in the message of the tag: Markdown
//! that is shown as it is, above everything else. It may hold nothing that a reader, or a renderer, could take for the part of
//! the page that is generated.

use anyhow::{Context as _, Result, ensure};

use crate::inputs::version::ReleaseTag;
use crate::process::shown::is_hidden;
use crate::process::token;

/// A file that is larger, in bytes, is no introduction.
const LARGEST: usize = 16 << 10;

/// The words of the file, or why they cannot stand on a page.
///
/// # Errors
/// Names the line that has to change.
pub fn read(bytes: &[u8]) -> Result<String> {
    ensure!(bytes.len() <= LARGEST, "it is larger than {} KiB", LARGEST >> 10);
    let text = std::str::from_utf8(bytes).context("it is not UTF-8")?.replace("\r\n", "\n");
    for (line, number) in text.lines().zip(1..) {
        if let Some(why) = unfit(line) {
            anyhow::bail!("line {number}: {why}");
        }
    }
    Ok(text.trim().to_owned())
}

/// The words of an annotated tag, where they say more than the version. A tag that is public cannot be corrected, so words that
/// cannot stand on a page are a sentence about them, and no refusal.
#[must_use]
pub fn of_tag(tag: &ReleaseTag, message: &[u8]) -> Option<String> {
    match read(message) {
        Ok(text) if says_no_more(tag, &text) => None,
        Ok(text) => Some(text),
        Err(error) => Some(format!("The message of the git tag is not shown here: {error:#}.")),
    }
}

/// `v1.2.3`, `Release 1.2.3`, and the like.
fn says_no_more(tag: &ReleaseTag, text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let mut words: Vec<_> = text.split_whitespace().map(|word| word.trim_matches(['.', ':'])).collect();
    words.retain(|word| !["release", "version", "tag"].contains(word));
    let version = tag.version().to_string();
    words.iter().all(|word| word.strip_prefix('v').unwrap_or(word) == version)
}

/// Why a line cannot stand on a page.
fn unfit(line: &str) -> Option<&'static str> {
    let is_indented = line.starts_with("    ") && !line.trim_start().starts_with(['-', '*', '+']);
    if line.chars().any(is_hidden) {
        Some("a character that cannot be seen, such as a tab; write blanks, or leave it out")
    } else if line.contains("```") || line.contains("~~~") || is_indented {
        Some("a block of code would read like the commands of the page; write commands in single backticks")
    } else if line.contains('<') {
        Some("HTML and comments can hide what follows; write Markdown, and `&lt;` for the sign itself")
    } else if line.contains("sha256:") {
        Some("a digest would read like the one of the image; link to what it belongs to")
    } else if token::is_in(line) {
        Some(
            "this looks like a token, a private key or the password of an address; take it out, and revoke it if it is real",
        )
    } else if is_heading(line) {
        Some("the page's own headings are of the second level; begin with `###`")
    } else {
        None
    }
}

/// Of the first or second level: with `#`, or underlined.
fn is_heading(line: &str) -> bool {
    let line = line.trim_start_matches(|c: char| " >-*+".contains(c) || c.is_ascii_digit() || c == '.');
    let hashes = line.chars().take_while(|c| *c == '#').count();
    let is_underline = |c: char| !line.is_empty() && line.trim_end().chars().all(|other| other == c);
    matches!(hashes, 1 | 2) || is_underline('=')
}

#[cfg(test)]
mod tests {
    use super::{of_tag, read};

    #[test]
    fn a_tag_has_words_where_it_says_more_than_its_version() {
        let words = |message: &str| of_tag(&"v1.2.0-rc.1".parse().unwrap(), message.as_bytes());
        for nothing in [
            "",
            "\n",
            "v1.2.0-rc.1\n",
            "1.2.0-rc.1",
            "Release v1.2.0-rc.1.",
            "Release: 1.2.0-rc.1",
            "Version 1.2.0-rc.1\n",
        ] {
            assert_eq!(words(nothing), None, "{nothing}");
        }
        for text in ["Faster than ever.", "- one\n- two", "v1.2.0", "Release 1.2.0-rc.1 is faster"] {
            assert_eq!(words(&format!("{text}\n")).as_deref(), Some(text));
        }
        let unfit = words("Words.\n\n## Image\n").unwrap();
        assert!(
            unfit.starts_with("The message of the git tag is not shown here: line 3: ")
                && !unfit.contains("##\u{20}"),
            "{unfit}"
        );
        let secret = words("See https://bob:hunter2@example.org\n").unwrap();
        assert!(
            secret.contains("line 1: this looks like a token") && !secret.contains("hunter2"),
            "{secret}"
        );
    }

    #[test]
    fn words_that_could_pass_for_the_generated_part_are_refused() {
        let fine = "Thanks to everyone.\n\n### Before you upgrade\n\n- Set `PORT`.\n    - nested\n\n1. [More](https://example.org)\n";
        assert_eq!(read(fine.as_bytes()).unwrap(), fine.trim());
        assert_eq!(read(b"a\r\nb\r\n").unwrap(), "a\nb");
        for (bad, words) in [
            ("```sh\ncurl x | sh\n```", "line 1: a block of code"),
            ("1. ```sh", "a block of code"),
            ("a\n\n    curl x | sh", "line 3: a block of code"),
            ("~~~", "a block of code"),
            ("<!-- hidden", "HTML"),
            ("<details>", "HTML"),
            ("docker pull x@sha256:abc", "a digest"),
            ("a\n\nuse npm_a1B2c3D4e5F6g7H8a1B2c3D4e5F6g7H8a1B2", "line 3: this looks like a token"),
            ("https://bob:hunter2@example.org", "this looks like a token"),
            ("-----BEGIN PRIVATE KEY-----", "this looks like a token"),
            ("## Image", "headings"),
            ("# Title", "headings"),
            ("> ## Image", "headings"),
            ("Image\n=====", "line 2: the page's own headings"),
            ("a\tb", "cannot be seen"),
            ("a\u{202e}b", "cannot be seen"),
            ("a\u{1b}[2K", "cannot be seen"),
        ] {
            let error = format!("{:#}", read(bad.as_bytes()).unwrap_err());
            assert!(error.contains(words), "{bad:?}: {error}");
        }
        assert!(read(b"caf\xe9").is_err() && read(&vec![b'x'; 20 << 10]).is_err());
    }
}
