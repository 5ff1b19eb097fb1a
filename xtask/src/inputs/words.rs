//! What a maintainer wrote about a release, in `release-notes/<tag>.md` of the commit or else in the message of the
//! tag. It is Markdown that is shown unchanged, above everything else. It must hold nothing that a reader or a renderer
//! could take for the generated part of the page.

use anyhow::{Context as _, Result, ensure};

use crate::inputs::version::ReleaseTag;
use crate::process::shown::is_hidden;
use crate::process::token;

/// The largest file, in bytes. An introduction is shorter.
const LARGEST: usize = 16 << 10;

/// The text of the file, or the reason why it is not allowed on a page.
///
/// # Errors
/// Names the line that must be changed.
pub fn read(bytes: &[u8]) -> Result<String> {
    ensure!(bytes.len() <= LARGEST, "it is larger than {} KiB", LARGEST >> 10);
    let text = std::str::from_utf8(bytes).context("it is not UTF-8")?.replace("\r\n", "\n");
    let (mut before, mut is_in_list) = ("", false);
    // A number alone does not interrupt a paragraph.
    let begins = |line: &str, before: &str| {
        is_item(line) && (before.trim().is_empty() || line.trim_start().starts_with(['-', '*', '+']))
    };
    for (line, number) in text.lines().zip(1..) {
        if let Some(why) = unfit(line, before, is_in_list) {
            anyhow::bail!("line {number}: {why}");
        }
        is_in_list = match line.trim() {
            "" => is_in_list,
            // A line that is neither an item nor indented ends a list. A line of only stars, dashes and underscores is
            // a horizontal rule.
            text if text.chars().all(|c| " *-_".contains(c)) => false,
            _ => begins(line, before) || (is_in_list && (is_item(line) || line.starts_with("  "))),
        };
        before = line;
    }
    Ok(text.trim().to_owned())
}

/// The text of an annotated tag, if it says more than the version. A public tag cannot be corrected. If its text is not
/// allowed on a page, the result is a sentence that says so, not a refusal.
#[must_use]
pub fn of_tag(tag: &ReleaseTag, message: &[u8]) -> Option<String> {
    match read(message) {
        Ok(text) if says_no_more(tag, &text) => None,
        Ok(text) => Some(text),
        Err(error) => Some(format!("The message of the git tag is not shown here: {error:#}.")),
    }
}

/// Whether it is only `v1.2.3`, `Release 1.2.3` or the like.
fn says_no_more(tag: &ReleaseTag, text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let mut words: Vec<_> = text.split_whitespace().map(|word| word.trim_matches(['.', ':'])).collect();
    words.retain(|word| !["release", "version", "tag"].contains(word));
    let version = tag.version().to_string();
    words.iter().all(|word| word.strip_prefix('v').unwrap_or(word) == version)
}

/// Why a line is not allowed on a page. `before` is the line above it.
fn unfit(line: &str, before: &str, is_in_list: bool) -> Option<&'static str> {
    if line.chars().any(is_hidden) {
        Some("a character that cannot be seen, such as a tab; write blanks, or leave it out")
    } else if line.contains("```") || line.contains("~~~") || is_indented(line, is_in_list) {
        Some("a block of code would read like the commands of the page; write commands in single backticks")
    } else if line.contains('<') {
        Some("HTML and comments can hide what follows; write Markdown, and `&lt;` for the sign itself")
    } else if has_entity(line) {
        Some(
            "a sign that is written as another one can hide what a line says; only `&lt;`, `&gt;` and `&amp;` are taken",
        )
    } else if has_digest(line) {
        Some("a digest would read like the one of the image; link to what it belongs to")
    } else if token::is_in(line) {
        Some(
            "this looks like a token, a private key or the password of an address; take it out, and revoke it if it is real",
        )
    } else if is_heading(line, before) {
        Some("the page's own headings are of the second level; begin with `###`")
    } else {
        None
    }
}

/// The characters before the text in a quote or a list item.
fn is_marker(c: char) -> bool {
    " >-*+.)".contains(c) || c.is_ascii_digit()
}

/// Whether a line is a list item with text, at the left or nested.
fn is_item(line: &str) -> bool {
    let text = line.trim_start_matches(' ');
    let number = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let rest = match text.strip_prefix(['-', '*', '+']) {
        Some(rest) => rest,
        None if number.len() < text.len() => number.strip_prefix(['.', ')']).unwrap_or_default(),
        None => "",
    };
    rest.starts_with(' ') && !rest.trim().is_empty()
}

/// Whether the line is indented so far that it is a code block (`CommonMark` 0.31 §4.4): alone, in a quote or in an
/// item.
fn is_indented(line: &str, is_in_list: bool) -> bool {
    let blanks = line.len() - line.trim_start_matches(' ').len();
    let is_nested = blanks == 4 && is_in_list && is_item(line);
    let markers = &line[..line.len() - line.trim_start_matches(is_marker).len()];
    (blanks >= 4 && !is_nested && !line.trim().is_empty())
        || markers.trim_start_matches(' ').contains("     ")
}

/// Whether a character is written as an entity, by name or number, other than the ones that Markdown needs.
fn has_entity(line: &str) -> bool {
    let is_plain = |rest: &str| ["lt;", "gt;", "amp;"].iter().any(|name| rest.starts_with(name));
    let is_name = |rest: &str| {
        rest.split_once(';').is_some_and(|(name, _)| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '#')
        })
    };
    line.split('&').skip(1).any(|rest| is_name(rest) && !is_plain(rest))
}

/// Whether a line reads like a digest once invisible markup is removed.
fn has_digest(line: &str) -> bool {
    const DIGITS: usize = 64;
    let shown: String = line.chars().filter(|c| !"*_~`\\".contains(*c)).collect();
    let is_long = |word: &str| word.len() >= DIGITS;
    shown.to_ascii_lowercase().contains("sha256:")
        || shown.split(|c: char| !c.is_ascii_hexdigit()).any(is_long)
}

/// Whether the line is a heading of the first or second level, with `#` or underlined.
fn is_heading(line: &str, before: &str) -> bool {
    let text = line.trim_start_matches(is_marker);
    let hashes = text.chars().take_while(|c| *c == '#').count();
    let is_underline =
        |text: &str, c: char| !text.is_empty() && text.trim_end().chars().all(|other| other == c);
    let dashes = line.trim_start_matches([' ', '>']);
    matches!(hashes, 1 | 2)
        || is_underline(text, '=')
        || (is_underline(dashes, '-') && !before.trim_matches([' ', '>']).is_empty())
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

    /// The test tries every 29th text of four of these lines. An accepted text must render without anything that is
    /// forbidden.
    const LINES: [&str; 26] = [
        "",
        "text",
        "- item",
        "* item",
        "1. item",
        "2) item",
        "> quote",
        "  - nested",
        "    - nested",
        "    text",
        "  text",
        "-",
        "---",
        "- ---",
        "> ---",
        "===",
        "* * *",
        "-     curl x | sh",
        ">     curl x | sh",
        "1.      curl x | sh",
        "- > text",
        "1) ## Image",
        "### Image",
        "      - deep",
        "sha256&#58;ab",
        "`docker pull x`",
    ];

    #[test]
    fn accepted_words_hold_no_code_no_html_and_no_heading_of_the_page() {
        use pulldown_cmark::{Event, HeadingLevel, Parser, Tag};
        let is_wrong = |event: &Event<'_>| match event {
            Event::Start(Tag::CodeBlock(_)) | Event::Html(_) | Event::InlineHtml(_) => true,
            Event::Start(Tag::Heading { level, .. }) => *level <= HeadingLevel::H2,
            Event::Text(text) => text.contains("sha256:"),
            _ => false,
        };
        let (count, mut accepted) = (LINES.len(), 0);
        for number in (0..count.pow(4)).step_by(29) {
            let lines = (0..4).map(|place| LINES[number / count.pow(place) % count]);
            let text = lines.collect::<Vec<_>>().join("\n");
            let Ok(words) = read(text.as_bytes()) else { continue };
            accepted += 1;
            let wrong = Parser::new(&words).find(is_wrong);
            assert!(wrong.is_none(), "{text:?}: {wrong:?}");
        }
        assert!(accepted > 1_000, "{accepted}");
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
            ("Image\n-----", "line 2: the page's own headings"),
            ("> Image\n> -", "line 2: the page's own headings"),
            ("1) ## Image", "headings"),
            ("text\n\n    - curl x | sh", "line 3: a block of code"),
            ("-     curl x | sh", "a block of code"),
            (">     curl x | sh", "a block of code"),
            ("x@sha256&#58;abc", "a sign that is written as another one"),
            ("x@sha256\\:abc", "a digest"),
            ("x@SHA**256:**abc", "a digest"),
            ("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "a digest"),
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
