//! The format of a page, by which it is written, compared and judged: a page that is public keeps the one that it says it
//! has (docs/decisions/0015-formats-have-versions.md).

use std::fmt;

/// One format. A new one is a new arm here; the older arms stay, for the pages that have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `<!-- page format 1 -->`
    One,
}

/// A page says that it has a format that is not known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newer(u32);

const BEGIN: &str = "<!-- page format ";
const END: &str = " -->";

impl Format {
    /// What a page is written in that is not there yet.
    pub const NEWEST: Self = Self::One;

    const ALL: [Self; 1] = [Self::One];

    fn number(self) -> u32 {
        match self {
            Self::One => 1,
        }
    }

    /// The last line of a page: Markdown shows nothing of it.
    #[must_use]
    pub fn mark(self) -> String {
        format!("{BEGIN}{}{END}", self.number())
    }

    /// The format of a page with this text: that of its last mark, and the first format where it has none, as nothing is
    /// gained by taking a mark away.
    ///
    /// # Errors
    /// [`Newer`] when it is a later one than this program knows.
    pub fn of(body: &str) -> Result<Self, Newer> {
        let number = |line: &str| line.trim().strip_prefix(BEGIN)?.strip_suffix(END)?.parse::<u32>().ok();
        let read = |number: u32| match Self::ALL.into_iter().find(|format| format.number() == number) {
            Some(format) => Some(Ok(format)),
            None if number > Self::NEWEST.number() => Some(Err(Newer(number))),
            None => None,
        };
        body.lines().rev().filter_map(number).find_map(read).unwrap_or(Ok(Self::One))
    }
}

impl fmt::Display for Newer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the page was written by a newer xtask, in format {}: look with a newer one", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Format, Newer};

    #[test]
    fn a_page_has_the_format_of_its_last_mark() {
        let mark = Format::NEWEST.mark();
        assert_eq!(mark, "<!-- page format 1 -->");
        for body in
            ["", "text\n", &mark, &format!("before\n\n{mark}\n\nafter\n"), &format!("a\r\n{mark}\r\nb\r\n")]
        {
            assert_eq!(Format::of(body), Ok(Format::One), "{body:?}");
        }
        assert_eq!(Format::of(&format!("{mark}\n<!-- page format 2 -->\n")), Err(Newer(2)));
        assert_eq!(Format::of(&format!("<!-- page format 2 -->\n{mark}\n")), Ok(Format::One));
        // What stands in a line, or says no number, is no mark.
        for other in ["- <!-- page format 2 -->", "<!-- page format two -->", "<!-- page format 0 -->"] {
            assert_eq!(Format::of(&format!("{mark}\n{other}\n")), Ok(Format::One), "{other}");
        }
    }
}
