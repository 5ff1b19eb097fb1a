//! What people wrote on a page, which stays when the page is written again.

use anyhow::{Result, bail};

use super::{Format, Page, Unfinished, generated_part, image_part, own_part};
use crate::inputs::words;

/// The text that people wrote on a page.
struct Kept {
    /// The text above its generated part, or the whole text if the page was made by hand.
    above: String,
    /// The text below its generated part.
    below: String,
    /// Whether there is a generated part.
    is_ours: bool,
}

impl Kept {
    fn of(found: &str) -> Result<Self> {
        let found = found.replace("\r\n", "\n");
        let found = match Unfinished::of(&found) {
            Some(Unfinished { around: (before, after), .. }) => format!("{before}{after}"),
            None => found,
        };
        let Some(start) = own_part(&found) else {
            let above = words::read(found.as_bytes())?;
            return Ok(Self { above, below: String::new(), is_ours: false });
        };
        if let Some(other) = image_part(&found).filter(|first| *first < start) {
            let line = found[..other].lines().count() + 1;
            bail!("line {line}: the generated part of the page has this heading; choose another heading");
        }
        let (above, part) = found.split_at(start);
        Ok(Self { above: above.to_owned(), below: Format::below(part).to_owned(), is_ours: true })
    }
}

/// Checks that [`with_words_of`] can keep what people wrote on the page with the text `found`.
///
/// # Errors
/// As [`with_words_of`].
pub fn check_words(found: &str) -> Result<()> {
    Kept::of(found).map(|_kept| ())
}

/// `page`, with the words that people wrote on the published page, whose text is `found`. These are the text above its
/// generated part, or the whole text if the page was made by hand. Text below the generated part moves above it.
///
/// # Errors
/// When a page that was made by hand contains something that could pass for the generated part, or a page has another
/// part about an image above its own.
pub fn with_words_of(found: &str, page: Page) -> Result<Page> {
    let Kept { above, below, is_ours } = Kept::of(found)?;
    let rest = if is_ours { generated_part(&page.body) } else { &page.body };
    let above = if !is_ours && is_in_tag_message(above.trim(), rest) { "" } else { above.trim() };
    let parts = [above, below.trim(), rest.trim_end()];
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    Ok(Page { body: format!("{}\n", parts.join("\n\n")), ..page })
}

/// Whether the message of the tag, with which `page` begins, ends with `above`: a forge's form for a new release can
/// write the same text into both.
fn is_in_tag_message(above: &str, page: &str) -> bool {
    let words = page.split_once("## Changes\n").map_or("", |(words, _)| words.trim_end());
    words.strip_suffix(above).is_some_and(|title| title.is_empty() || title.ends_with('\n'))
}
