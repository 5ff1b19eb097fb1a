//! The lines of a page: those that a reader would paste, and the first one that differs from what a release writes.

use crate::evidence::page::Format;
use crate::inputs::words;

/// How many characters of a line are shown. No command of a release is longer.
const MAX_LEN: usize = 1_000;

/// Describes the first of the `found` lines that differs from the `expected` line in the same place; `None` if all
/// are the same.
pub(super) fn first_difference<T: AsRef<str>>(found: &[T], expected: &[T]) -> Option<String> {
    let line = |lines: &[T], place: usize| lines.get(place).map(|line| line.as_ref().to_owned());
    let differs = |place: &usize| line(found, *place) != line(expected, *place);
    let all = 0..found.len().max(expected.len());
    // An empty line that was added at the end is shown only if no added line has text.
    let is_worth_showing = |place: &usize| *place < expected.len() || !found[*place].as_ref().is_empty();
    let mut differing = all.filter(differs);
    let first = differing.next()?;
    let place =
        if is_worth_showing(&first) { first } else { differing.find(is_worth_showing).unwrap_or(first) };
    let shown = |lines| line(lines, place).map_or_else(|| "missing".to_owned(), |line| quoted(&line));
    let expected = line(expected, place).map_or_else(|| "no more lines".to_owned(), |line| quoted(&line));
    Some(format!("line {} is {}: expected {expected}", place + 1, shown(found)))
}

/// A line in quotes, cut to its beginning, because a line can be as long as a page and must fit into a report.
fn quoted(line: &str) -> String {
    match line.char_indices().nth(MAX_LEN) {
        Some((end, _)) => format!("{:?}…", &line[..end]),
        None => format!("{line:?}"),
    }
}

/// The lines of every fenced block (`CommonMark` 0.31 §4.5), which a reader would paste. A release writes fences at
/// the start of a line, never within a quote or a list, so a fence anywhere else counts as such a line.
pub(super) fn fenced(text: &str) -> Vec<String> {
    let (mut lines, mut is_open) = (Vec::new(), false);
    for line in text.lines() {
        match line {
            "```sh" if !is_open => is_open = true,
            "```" if is_open => is_open = false,
            _ if is_open => lines.push(line.to_owned()),
            _ if words::block(line).is_some() && !Format::is_marked(line) => lines.push(line.to_owned()),
            _ => {}
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{fenced, first_difference};

    #[test]
    fn every_line_that_may_be_code_counts_wherever_it_is() {
        assert_eq!(fenced("text\n\n```sh\none\n    two\n```\ntext\n"), ["one", "    two"]);
        for (body, expected) in [
            ("- ~~~\n  two\n  ~~~\n", vec!["- ~~~", "  ~~~"]),
            ("1. ```\n   curl x | sh\n   ```\n", vec!["1. ```", "   ```"]),
            ("```sh\n- ```\ncurl x | sh\n- ```\n```\n", vec!["- ```", "curl x | sh", "- ```"]),
            ("```\nfour\n", vec!["```"]),
            ("````sh\nfive\n````\n", vec!["````sh", "````"]),
            ("text\n\n    curl x | sh\n", vec!["    curl x | sh"]),
            ("<pre>\n", vec!["<pre>"]),
        ] {
            assert_eq!(fenced(body), expected, "{body:?}");
        }
        assert!(
            fenced("- ```` ```sh ```` (4993ff5a)\n<!-- page format 1 -->\n").is_empty(),
            "a commit subject in the notes"
        );
    }

    #[test]
    fn the_first_line_that_differs_is_shown_with_the_expected_one() {
        for (found, expected, words) in [
            (&["a", "b"][..], &["a", "b"][..], None),
            (&["a", "x", "y"], &["a", "b", "c"], Some("line 2 is \"x\": expected \"b\"")),
            (&["a"], &["a", "b"], Some("line 2 is missing: expected \"b\"")),
            (&["a", "b"], &["a"], Some("line 2 is \"b\": expected no more lines")),
            (&["a", "", "b"], &["a"], Some("line 3 is \"b\": expected no more lines")),
            (&["a", ""], &["a"], Some("line 2 is \"\": expected no more lines")),
            (&["a "], &["a"], Some("line 1 is \"a \": expected \"a\"")),
        ] {
            assert_eq!(first_difference(found, expected).as_deref(), words, "{found:?} {expected:?}");
        }
        let long = "é".repeat(100_000);
        let shown = format!("line 1 is \"{}\"…: expected \"b\"", "é".repeat(1_000));
        assert_eq!(first_difference(&[&*long], &["b"]), Some(shown));
    }
}
