//! The headings of a changelog, in the shapes in which people and programs write them.

use super::version::{Named, named};

/// A heading, or a line that is not a heading but may look like the beginning of a version's section.
#[derive(Debug)]
pub(super) struct Heading<'a> {
    /// Where its section begins. An anchor right above belongs to it.
    pub(super) place: usize,
    /// The number of its line, from 1.
    pub(super) number: usize,
    pub(super) line: &'a str,
    pub(super) kind: Kind,
    /// What its text says.
    pub(super) named: Named,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A heading and its level: the number of `#`; 1 and 2 for lines above `===` and `---`.
    Heading(usize),
    /// A line on its own.
    Line,
    /// An entry of a list or a row of a table.
    Entry,
}

/// The headings of a document, in order. Code blocks, comments and front matter have none.
pub(super) fn headings(document: &str) -> Vec<Heading<'_>> {
    let mut reading = Reading { found: Vec::new(), fence: None, is_comment: false, anchor: None, last: None };
    let mut place = front_matter(document);
    let skipped = document[..place].lines().count();
    for (number, line) in document[place..].split_inclusive('\n').enumerate() {
        reading.take(place, skipped + number + 1, line.trim_end());
        place += line.len();
    }
    reading.end_paragraph();
    reading.found
}

/// The position after the front matter for site generators: the lines between two lines of `---`.
fn front_matter(document: &str) -> usize {
    let mut lines = document.split_inclusive('\n');
    let Some(first) = lines.next().filter(|line| line.trim_end() == "---") else { return 0 };
    let mut end = first.len();
    for line in lines {
        end += line.len();
        if line.trim_end() == "---" {
            return end;
        }
    }
    0
}

struct Reading<'a> {
    found: Vec<Heading<'a>>,
    /// The marks that end the code block.
    fence: Option<&'a str>,
    is_comment: bool,
    /// Where the anchor on the previous line begins: `<a name="1.2.0"></a>`.
    anchor: Option<usize>,
    /// The previous line, if it belongs to a paragraph. An underline makes the first line of a paragraph a heading.
    last: Option<Text<'a>>,
}

#[derive(Clone, Copy)]
struct Text<'a> {
    place: usize,
    number: usize,
    line: &'a str,
    /// Whether a line of the same paragraph is above it.
    is_continued: bool,
}

impl<'a> Reading<'a> {
    fn take(&mut self, place: usize, number: usize, line: &'a str) {
        match (self.fence, fence(line)) {
            (None, Some(marks)) if !self.is_comment => self.fence = Some(marks),
            (Some(open), Some(marks)) if marks.starts_with(open) && line.trim() == marks => self.fence = None,
            (None, _) if !self.is_comment => {
                self.take_text(Text { place, number, line, is_continued: self.last.is_some() });
            }
            _ => {}
        }
        if self.fence.is_some() || self.is_comment || line.is_empty() || begins_comment(line) {
            self.end_paragraph();
        }
        if self.fence.is_none() {
            self.is_comment = (self.is_comment || begins_comment(line)) && !line.contains("-->");
        }
    }

    fn take_text(&mut self, text: Text<'a>) {
        let last = self.last.filter(|last| !last.is_continued);
        if let (Some(level), Some(last)) = (underline(text.line), last) {
            self.add(last, Kind::Heading(level), last.line);
            (self.last, self.anchor) = (None, None);
        } else if let Some((level, words)) = hashes(text.line) {
            self.last_is_no_heading();
            self.add(text, Kind::Heading(level), words);
            (self.last, self.anchor) = (None, None);
        } else if is_anchor(text.line) {
            self.end_paragraph();
            self.anchor = Some(text.place);
        } else if underline(text.line).is_some() {
            self.end_paragraph();
        } else {
            self.last_is_no_heading();
            self.last = Some(text);
        }
    }

    fn end_paragraph(&mut self) {
        self.last_is_no_heading();
        (self.last, self.anchor) = (None, None);
    }

    /// Adds the first line of a paragraph that has no underline.
    fn last_is_no_heading(&mut self) {
        let Some(text) = self.last.filter(|last| !last.is_continued) else { return };
        let words = text.line.trim_start();
        let entry = words.strip_prefix(['-', '*', '+', '|']).filter(|rest| rest.starts_with([' ', '\t']));
        let kind = if entry.is_some() { Kind::Entry } else { Kind::Line };
        self.add(text, kind, entry.unwrap_or(words));
    }

    fn add(&mut self, text: Text<'a>, kind: Kind, words: &str) {
        let place = self.anchor.unwrap_or(text.place);
        let Text { number, line, .. } = text;
        self.found.push(Heading { place, number, line, kind, named: named(words) });
    }
}

/// The marks with which a line begins or ends a code block (`CommonMark` 0.31 §4.5).
fn fence(line: &str) -> Option<&str> {
    let text = unindented(line)?;
    let mark = text.chars().next().filter(|c| "`~".contains(*c))?;
    let marks = &text[..text.len() - text.trim_start_matches(mark).len()];
    (marks.len() >= 3).then_some(marks)
}

/// Whether a comment begins with the line (`CommonMark` 0.31 §4.6). A comment that begins within a line, such as in
/// code, hides no headings.
fn begins_comment(line: &str) -> bool {
    unindented(line).is_some_and(|text| text.starts_with("<!--"))
}

/// The level and the text of a heading that begins with `#` (`CommonMark` 0.31 §4.2).
fn hashes(line: &str) -> Option<(usize, &str)> {
    let text = unindented(line)?;
    let words = text.trim_start_matches('#');
    let level = text.len() - words.len();
    let is_heading = (1..=6).contains(&level) && (words.is_empty() || words.starts_with([' ', '\t']));
    is_heading.then_some((level, words.trim_end_matches('#')))
}

/// The level of the heading above, if the line underlines one (`CommonMark` 0.31 §4.3).
fn underline(line: &str) -> Option<usize> {
    let text = unindented(line)?;
    let is_all = |mark: char| !text.is_empty() && text.chars().all(|c| c == mark);
    if is_all('=') { Some(1) } else { is_all('-').then_some(2) }
}

/// Whether a line has only an anchor, as programs write it above a heading so that others can link to it.
fn is_anchor(line: &str) -> bool {
    let text = line.trim_start();
    ["<a name=", "<a id="].iter().any(|begin| text.starts_with(begin))
        && (text.ends_with("</a>") || text.ends_with("/>"))
        && text.matches('<').count() <= 2
}

/// The line without the spaces in front of it; `None` if there are more than three, because the line is code then.
fn unindented(line: &str) -> Option<&str> {
    let text = line.trim_start_matches(' ');
    (line.len() - text.len() < 4).then_some(text)
}
