//! The breaking changes that the body of a commit message explains: in a footer by Conventional Commits 1.0.0, in a
//! section of a description, or in the list of the subjects that were squashed.

use super::breaking::{announces_break, spelling};
use super::origin::picked;

/// The tokens of a footer by the convention. They count at the beginning of every line. Other spellings count only
/// at the beginning of a paragraph or of a list item, because a line of prose may begin with such words.
const TOKENS: [&str; 2] = ["BREAKING CHANGE", "BREAKING-CHANGE"];

/// What Markdown puts around words for emphasis or in front of a heading or a list item.
const MARKUP: &[char] = &['*', '_', '#', '-', ' '];

/// What a template's section has to say if nothing breaks.
const NOTHING: [&str; 6] = ["", "no", "none", "n/a", "na", "nothing"];

/// The trailers that say nothing about a change, in lower case: these tokens, and all with these ends.
const TRAILERS: [&str; 12] = [
    "closes",
    "fixes",
    "resolves",
    "refs",
    "ref",
    "see",
    "cc",
    "link",
    "bug",
    "issue",
    "issues",
    "pull-request",
];
const TRAILER_ENDS: [&str; 7] = ["-by", "-id", "-on", "-to", "-bug", "-issue", "-url"];

/// What the footers of a body say, line by line.
#[derive(Default)]
pub(super) struct Footers {
    /// The explanations, each on one line. A list in a footer is several explanations, and so are lines
    /// such as `Before: …`.
    pub(super) found: Vec<String>,
    /// The footer that the next line may continue.
    inside: Option<Inside>,
    /// Whether the line before has words, so that the next one may continue its paragraph.
    is_in_paragraph: bool,
}

/// A footer, or a section below a heading.
#[derive(Clone, Copy)]
struct Inside {
    /// The level of the heading; 0 for a footer.
    level: usize,
    /// The position of its first explanation.
    first: usize,
}

impl Footers {
    /// Reads a line without the white space at its end. `is_squashed` says whether the body may list the subjects of
    /// the commits that were squashed.
    pub(super) fn read(&mut self, line: &str, is_squashed: bool) {
        let is_in_paragraph = std::mem::replace(&mut self.is_in_paragraph, !line.is_empty());
        // Most lines neither begin a footer nor continue one.
        let may_begin = matches!(line.as_bytes().first(), Some(b'B' | b'b' | b'*' | b'-' | b'#' | b'_'));
        if !may_begin && self.inside.is_none() {
            return;
        }
        if may_begin && let Some((level, text)) = begun(line, is_in_paragraph) {
            self.end();
            self.inside = Some(Inside { level, first: self.found.len() });
            self.found.push(text.to_owned());
        } else if is_squashed && let Some(text) = subject(line) {
            self.end();
            self.found.push(text.to_owned());
        } else if let Some(inside) = self.inside.filter(|_| !line.is_empty()) {
            if inside.is_ended_by(line) {
                self.end();
            } else {
                self.go_on(line);
            }
        }
    }

    /// Ends the footer that the lines so far belong to. One that says that nothing breaks is dropped, and so is an empty
    /// section. A footer without words counts.
    pub(super) fn end(&mut self) {
        let Some(Inside { level, first }) = self.inside.take() else { return };
        let found = &self.found[first..];
        let has_words = found.iter().any(|text| !text.is_empty());
        if (level > 0 || has_words) && found.iter().all(|text| says_nothing(text)) {
            self.found.truncate(first);
        }
    }

    fn go_on(&mut self, line: &str) {
        let (item, Some(last)) = (item(line), self.found.last_mut()) else { return };
        let text = item.unwrap_or(line).trim();
        if !last.is_empty() && (item.is_some() || is_labelled(line)) {
            self.found.push(text.to_owned());
        } else {
            last.push_str(if last.is_empty() { "" } else { " " });
            *last += text;
        }
    }
}

impl Inside {
    /// Another footer, the line of a cherry-pick, or what forges write below a description (GitLab's reference) and
    /// into a squashed commit (a line of dashes, and `* ` before each subject). A section also ends at the next
    /// heading of its level.
    fn is_ended_by(self, line: &str) -> bool {
        let is_rule = line.len() >= 3 && line.bytes().all(|byte| byte == b'-');
        let is_subject = line.strip_prefix("* ").is_some_and(is_head);
        let is_reference = line.starts_with("See merge request ");
        let is_next = (1..=self.level).contains(&heading(line));
        is_trailer(line) || is_rule || is_subject || is_reference || is_next || picked(line).is_some()
    }
}

/// The level of the heading that begins a section about breaking changes, or 0 for a footer, and the text on that line.
fn begun(line: &str, is_in_paragraph: bool) -> Option<(usize, &str)> {
    if let Some(text) = TOKENS.iter().find_map(|token| line.strip_prefix(token)?.strip_prefix(':')) {
        return Some((0, text.trim()));
    }
    let words = line.trim_start_matches(MARKUP);
    if is_in_paragraph && words.len() == line.len() {
        return None;
    }
    let (level, rest) = (heading(line), spelling(words)?.trim_start_matches(MARKUP));
    match rest.strip_prefix(':') {
        Some(text) => Some((level, text.trim_start_matches(MARKUP))),
        None => (level > 0 && rest.is_empty()).then_some((level, "")),
    }
}

/// The text of a breaking change in a list of subjects.
fn subject(line: &str) -> Option<&str> {
    let (head, text) = item(line)?.split_once(": ")?;
    announces_break(head).then_some(text)
}

/// The level of the heading that a line is; 0 if it is none.
fn heading(line: &str) -> usize {
    let level = line.len() - line.trim_start_matches('#').len();
    if line[level..].starts_with(' ') { level } else { 0 }
}

/// The text of a list item, nested or not.
fn item(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let numbered = number.strip_prefix(['.', ')']).filter(|_| number.len() < line.len());
    line.strip_prefix(['-', '*', '+']).or(numbered)?.strip_prefix(' ')
}

/// `Before: …`.
fn is_labelled(line: &str) -> bool {
    let label = line.split_once(": ").map_or("", |(label, _)| label);
    label.starts_with(|c: char| c.is_ascii_uppercase())
        && label.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// Whether a template's section was left empty, or says that nothing breaks.
fn says_nothing(text: &str) -> bool {
    let text = text.trim_matches(['.', '!', '-', '_', '*', ' ']);
    let is_comment = text.starts_with("<!") && text.ends_with('>') && text.matches("<!").count() == 1;
    is_comment || NOTHING.iter().any(|nothing| text.eq_ignore_ascii_case(nothing))
}

/// `Signed-off-by: …` or `Fixes #…`. Other words before a colon, such as `Before: …`, belong to an explanation.
pub(super) fn is_trailer(line: &str) -> bool {
    if let Some((token, rest)) = line.split_once(" #")
        && token.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-')
    {
        return rest.starts_with(|c: char| c.is_ascii_digit());
    }
    let Some((token, _)) = line.split_once(": ") else { return false };
    let token = token.to_ascii_lowercase();
    TRAILERS.contains(&&*token)
        || (!token.contains(' ') && TRAILER_ENDS.iter().any(|end| token.ends_with(end)))
}

/// `fix(api): …` or `feat!: …`.
fn is_head(line: &str) -> bool {
    let head = line.split_once(": ").map(|(head, _)| head);
    head.is_some_and(|head| announces_break(&format!("{}!", head.trim_end_matches('!'))))
}

#[cfg(test)]
mod tests {
    use super::super::Message;

    #[test]
    fn a_footer_extends_to_the_next_footer() {
        for (body, breaking) in [
            (
                "Words.\n\nBREAKING CHANGE: the port is\n  another one\nSigned-off-by: a\nmore",
                &["the port is another one"][..],
            ),
            ("BREAKING CHANGE: a\nBREAKING-CHANGE: b", &["a", "b"]),
            ("BREAKING CHANGE:\nset the port", &["set the port"]),
            ("BREAKING CHANGE: a\n\nTo migrate,\nset b.\n\nFixes #3\n\nc", &["a To migrate, set b."]),
            ("BREAKING CHANGE: a\n\nBefore: b\nAfter: c\nRefs: d", &["a", "Before: b", "After: c"]),
            ("BREAKING CHANGE: a\n\n* fix(api): b\n\nc", &["a"]),
            ("BREAKING CHANGE: a\n\n* set b\n* set c\n  to d", &["a", "set b", "set c to d"]),
            ("BREAKING CHANGE:\n- a\n  1. b\n2. c", &["a", "b", "c"]),
            ("BREAKING CHANGE: a\n\n---------\n\nc", &["a"]),
            ("BREAKING CHANGE: a\n### Steps\nb", &["a ### Steps b"]),
            ("BREAKING CHANGE:", &[""]),
            ("BREAKING CHANGE: none.", &[]),
        ] {
            for text in
                [format!("fix: x\n\n{body}\n"), format!("fix: x\r\n\r\n{}", body.replace('\n', "\r\n"))]
            {
                assert_eq!(Message::of(&text).breaking, breaking, "{text:?}");
            }
        }
        assert_eq!(Message::of("BREAKING CHANGE: a subject").breaking, [""; 0]);
    }

    #[test]
    fn other_spellings_count_at_the_beginning_of_a_paragraph() {
        for (body, breaking) in [
            ("BREAKING CHANGES: a", &["a"][..]),
            ("breaking change: a", &["a"]),
            ("Breaking: a", &["a"]),
            ("**BREAKING CHANGE:** a", &["a"]),
            ("__Breaking change__: a", &["a"]),
            ("words\n* BREAKING CHANGE: a\n* b", &["a", "b"]),
            ("## Breaking changes\n\na\nb\n\n### Steps\nc\n## Tests\nd", &["a b ### Steps c"]),
            ("## Breaking Changes:\n- a\n- b", &["a", "b"]),
            ("## Breaking changes\n\nNone.\n\n## Tests\nd", &[]),
            ("## Breaking changes\n\n<!-- What breaks? -->\n", &[]),
            ("## Breaking changes\n", &[]),
            ("Breaking changes: n/a", &[]),
            ("Breaking changes:\n- none", &[]),
            ("Breaking changes:\n- a", &["a"]),
            ("This is not a\nbreaking change: it only adds.", &[]),
            ("Breaking changes are not allowed here: a", &[]),
            ("- [ ] Breaking change", &[]),
            ("breakingly: a", &[]),
        ] {
            assert_eq!(Message::of(&format!("fix: x\n\n{body}\n")).breaking, breaking, "{body:?}");
        }
    }

    #[test]
    fn the_subjects_in_a_squashed_commit_announce_breaking_changes() {
        let body = "* feat!: a\n\n* fix: b\n\n- refactor(api)!: c\n\n* words! d: e\n";
        assert_eq!(Message::of(&format!("Rework (#7)\n\n{body}")).breaking, ["a", "c"]);
        assert_eq!(Message::of(&format!("docs: types of commits\n\n{body}")).breaking, [""; 0]);
    }
}
