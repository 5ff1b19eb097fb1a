//! Where the text of a page may begin a block of code or of HTML. What is above the part about the image can be edited
//! on the forge. It must not offer anything to paste, and must not fold that part away.
//!
//! Forges render Markdown with extensions of their own, so this is no parser: it accepts only what every renderer reads
//! alike. Facts about goldmark, which Gitea and Forgejo use, are from its source.

use super::{Line, has_digest, has_entity, is_blank, is_indented, is_marker, item, lines};

/// The number, from 1, of the first line of `text` that may begin a block of code or of HTML, however a renderer nests
/// quotes, lists, definitions and footnotes. A release writes none above the part about the image, except to fold a
/// list.
#[must_use]
pub fn block(text: &str) -> Option<usize> {
    let lines: Vec<_> = lines(text).collect();
    let (mut folds, mut words) = (Folds::default(), Words::default());
    for (place, line) in lines.iter().enumerate() {
        if place == 0 || begins_paragraph(line.text) {
            words = Words { is_sure: true, has_table: has_table(&lines[place..]) };
        }
        let is_fold = folds.next(line);
        if begins_code(line) || is_fold.is_none() || (is_fold == Some(false) && words.may_be_block(line.text))
        {
            return Some(line.number);
        }
    }
    folds.open
}

/// Whether a line begins or continues a block that is shown as code.
fn begins_code(line: &Line<'_>) -> bool {
    let rest = line.text.trim_start_matches(|c| is_marker(c) || c == '\t');
    let has_tab = line.text[..line.text.len() - rest.len()].contains('\t');
    // The text of a footnote is nested like that of a list item, after a name that can be anything.
    let is_of_footnote =
        rest.starts_with("[^") && ["```", "~~~", "    ", "\t", "\\["].iter().any(|code| rest.contains(code));
    let is_formula = rest.starts_with("\\[");
    // Forgejo and Gitea end a line there, and other renderers do not.
    let has_other_end = line.text.trim_end_matches('\r').contains('\r');
    is_fence(rest)
        || has_tab
        || is_indented(line.text, line.is_in_list)
        || is_of_footnote
        || is_formula
        || has_other_end
}

/// Whether a line begins or ends a fenced block (`CommonMark` 0.31 §4.5). A line that begins with backticks and has
/// more of them further on is a code span.
fn is_fence(line: &str) -> bool {
    let after = line.trim_start_matches('`');
    line.starts_with("~~~") || (line.starts_with("```") && !after.contains('`'))
}

/// The folded lists. Each must look as the notes write it, be closed, and have blank lines around both ends. Without a
/// blank line, everything below an end would still be HTML.
#[derive(Default)]
struct Folds {
    /// The line where a list began that has not ended yet.
    open: Option<usize>,
    is_below_end: bool,
}

impl Folds {
    /// Whether a line begins or ends a folded list; `None` if the line is not allowed at this place.
    fn next(&mut self, line: &Line<'_>) -> Option<bool> {
        if self.is_below_end && !is_blank(line.text) {
            return None;
        }
        let (begins, ends) = (is_beginning(line.text), line.text == "</details>");
        self.is_below_end = begins || ends;
        if self.is_below_end && (!is_blank(line.before) || ends != self.open.is_some()) {
            return None;
        }
        match (begins, ends) {
            (true, _) => self.open = Some(line.number),
            (_, true) => self.open = None,
            _ => {}
        }
        Some(self.is_below_end)
    }
}

/// `<details><summary>Text (3)</summary>`.
fn is_beginning(line: &str) -> bool {
    let summary = line.strip_prefix("<details><summary>").and_then(|rest| rest.strip_suffix(")</summary>"));
    summary.and_then(|summary| summary.rsplit_once(" (")).is_some_and(|(text, count)| {
        !text.contains(['<', '>'])
            && !has_entity(text)
            && !has_digest(text)
            && !count.is_empty()
            && count.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Whether a line continues no paragraph: it is blank, or a list item as the notes write it.
fn begins_paragraph(line: &str) -> bool {
    let indented = line.len() - line.trim_start_matches(' ').len();
    is_blank(line) || (indented < 4 && item(line).is_some() && line[indented..].starts_with("- "))
}

/// Whether the first paragraph of `lines` has the delimiter row of a table. In a table, `|` separates cells even in
/// code.
fn has_table(lines: &[Line<'_>]) -> bool {
    let paragraph =
        lines.iter().enumerate().take_while(|(place, line)| *place == 0 || !begins_paragraph(line.text));
    let is_row = |text: &str| text.contains('-') && text.chars().all(|c| "|:->+* \t".contains(c));
    paragraph.into_iter().any(|(_, line)| is_row(line.text))
}

/// The state within a paragraph.
#[derive(Default)]
struct Words {
    /// Whether every renderer agrees on where code begins: nothing came before that can contain a backtick, such as an
    /// address, a link or a formula.
    is_sure: bool,
    has_table: bool,
}

impl Words {
    /// Whether a line may contain HTML, or something that a forge replaces by a block of code. An address in `<>`
    /// counts as HTML. It needs no exception, because a bare address becomes a link as well.
    fn may_be_block(&mut self, line: &str) -> bool {
        let outside = self.outside_code(line);
        has_tag(&outside) || is_preview(&outside) || has_entity(&outside) || outside.contains("$$")
    }

    /// A line without its code spans (`CommonMark` 0.31 §6.1), as far as every renderer recognizes them.
    fn outside_code(&mut self, line: &str) -> String {
        let (mut outside, mut rest) = (String::new(), line);
        while let Some(c) = rest.chars().next() {
            let code = if c == '`' { code_span(rest) } else { None };
            rest = match code {
                Some((code, after)) => {
                    let is_certain = self.is_sure && !(self.has_table && code.contains('|'));
                    outside += if is_certain { "`" } else { code };
                    after
                }
                None => {
                    let after = rest.trim_start_matches('`');
                    let after = if c == '`' { after } else { &rest[c.len_utf8()..] };
                    self.is_sure &= c.is_alphanumeric() || " ,.:;()<-→+*_'".contains(c);
                    outside.push(c);
                    after
                }
            };
        }
        outside
    }
}

/// A line without its code spans, if it is a paragraph of its own.
pub(super) fn outside_code(line: &str) -> String {
    Words { is_sure: true, has_table: false }.outside_code(line)
}

/// The code span at the beginning of `text`, and what is after it. It ends with as many backticks as it begins with.
fn code_span(text: &str) -> Option<(&str, &str)> {
    let inner = text.trim_start_matches('`');
    let length = text.len() - inner.len();
    let mut searched = inner;
    loop {
        let start = searched.find('`')?;
        let after = searched[start..].trim_start_matches('`');
        if searched.len() - start - after.len() == length {
            return Some((&inner[..inner.len() - after.len() - length], after));
        }
        searched = after;
    }
}

/// Whether `text` has a `<` that begins a tag (`CommonMark` 0.31 §6.6).
fn has_tag(text: &str) -> bool {
    text.split('<')
        .skip(1)
        .any(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic() || "/!?".contains(c)))
}

/// Whether a line has an address that Gitea and Forgejo replace by the lines of the file that it names.
fn is_preview(line: &str) -> bool {
    // A backslash is not shown.
    let line = line.replace('\\', "");
    let mut after = line.split("/src/commit/").skip(1);
    after.any(|rest| {
        rest.split(|c: char| c.is_ascii_whitespace()).next().is_some_and(|end| end.contains("#L"))
    })
}
