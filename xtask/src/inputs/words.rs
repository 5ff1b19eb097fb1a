//! What a maintainer wrote about a release, in `release-notes/<tag>.md` of the commit: Markdown that is shown as it is, above
//! everything else. It may hold nothing that a reader, or a renderer, could take for the part of the page that is generated.

use anyhow::{Context as _, Result, ensure};

use crate::process::shown::is_hidden;

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
    use super::read;

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
