//! The format of a page, by which it is written, compared and judged (docs/decisions/0015-formats-have-versions.md).
//! The attested provenance decides it, so nobody can remove from a page what its release must have.

use std::fmt;

use crate::evidence::provenance::BuildType;

/// The formats of a page. A new format is a new variant. Older variants stay, for the pages that have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `<!-- page format 1 -->`
    One,
    /// `<!-- page format 2 -->`: it has commands for the page's files.
    Two,
}

/// The page has a format that this program does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newer(u32);

const BEGIN: &str = "<!-- page format ";
const END: &str = " -->";

impl Format {
    /// The format of a new release.
    pub const NEWEST: Self = Self::Two;

    const ALL: [Self; 2] = [Self::One, Self::Two];

    /// The format of a release whose provenance has the type `build_type`.
    #[must_use]
    pub fn of_release(build_type: BuildType) -> Self {
        if build_type.has_assets() { Self::Two } else { Self::One }
    }

    fn number(self) -> u32 {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }

    /// The last line of a page, which Markdown does not show.
    #[must_use]
    pub fn mark(self) -> String {
        format!("{BEGIN}{}{END}", self.number())
    }

    /// Whether a text has the mark of a format on a line of its own. Later formats count too.
    #[must_use]
    pub fn is_marked(body: &str) -> bool {
        body.lines().any(|line| marked(line).is_some())
    }

    /// The text that people wrote below the generated part of a page. `part` begins with the generated part, which ends
    /// with its first mark: they may have quoted the mark.
    #[must_use]
    pub fn below(part: &str) -> &str {
        let mut start = 0;
        for line in part.split_inclusive('\n') {
            if marked(line).is_some() {
                return &part[start + line.trim_end().len()..];
            }
            start += line.len();
        }
        ""
    }

    /// The format of a page with this text: that of its last mark, or the first format if it has no mark. Removing a
    /// mark gains nothing, because the provenance decides what the page must have.
    ///
    /// # Errors
    /// [`Newer`] when it is later than the formats that this program knows.
    pub fn of(body: &str) -> Result<Self, Newer> {
        let read = |number: u32| match Self::ALL.into_iter().find(|format| format.number() == number) {
            Some(format) => Some(Ok(format)),
            None if number > Self::NEWEST.number() => Some(Err(Newer(number))),
            None => None,
        };
        body.lines().rev().filter_map(marked).find_map(read).unwrap_or(Ok(Self::One))
    }
}

/// The number of the format that a line marks.
fn marked(line: &str) -> Option<u32> {
    line.trim().strip_prefix(BEGIN)?.strip_suffix(END)?.parse().ok()
}

impl fmt::Display for Newer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the page was written by a newer xtask, in format {}: read it with a newer one", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Format, Newer};
    use crate::evidence::provenance::BuildType;

    #[test]
    fn the_attested_build_type_decides_the_format() {
        assert_eq!(BuildType::ALL.map(Format::of_release), [Format::One, Format::Two]);
        assert_eq!(Format::of_release(BuildType::NEWEST), Format::NEWEST);
    }

    #[test]
    fn the_text_below_the_generated_part_begins_after_its_mark() {
        let (one, two) = (Format::One.mark(), Format::Two.mark());
        assert_eq!(Format::below("nothing\n"), "");
        for mark in [&one, &two, "<!-- page format 3 -->", &format!("  {two} \r")] {
            assert_eq!(Format::below(&format!("a\n{mark}\nc\n")).trim_start(), "c\n");
            assert_eq!(Format::below(&format!("a\n{mark}")).trim(), "");
        }
        for quoted in [format!("`{one}` ends it"), format!("- {two}"), format!("it ends with {two}")] {
            assert_eq!(Format::below(&format!("{quoted}\n")), "", "{quoted}");
        }
        for quoted in [format!("`{one}` ends it"), one, two.clone()] {
            let body = format!("a\n{two}\nb\n{quoted}\nc\n");
            assert_eq!(Format::below(&body), format!("\nb\n{quoted}\nc\n"));
        }
    }

    #[test]
    fn a_page_has_the_format_of_its_last_mark() {
        let mark = Format::One.mark();
        assert_eq!(mark, "<!-- page format 1 -->");
        for body in
            ["", "text\n", &mark, &format!("before\n\n{mark}\n\nafter\n"), &format!("a\r\n{mark}\r\nb\r\n")]
        {
            assert_eq!(Format::of(body), Ok(Format::One), "{body:?}");
        }
        assert_eq!(Format::of(&format!("{mark}\n{}\n", Format::Two.mark())), Ok(Format::Two));
        assert_eq!(Format::of(&format!("{mark}\n<!-- page format 3 -->\n")), Err(Newer(3)));
        assert_eq!(Format::of(&format!("<!-- page format 3 -->\n{mark}\n")), Ok(Format::One));
        // A mark within a line does not count, and neither does one without a valid number.
        for other in ["- <!-- page format 2 -->", "<!-- page format two -->", "<!-- page format 0 -->"] {
            assert_eq!(Format::of(&format!("{mark}\n{other}\n")), Ok(Format::One), "{other}");
        }
    }
}
