//! The parts of documents that the testbed's commands write. Each part is between two markers, and the first marker
//! names the command.

use std::fs;

use anyhow::{Context as _, Result};

/// The directory of the documents.
const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");

/// The line after a generated part.
const END: &str = "<!-- end -->\n";

/// Writes `text` into the `document` below `docs/`, in place of what `command` wrote there before. `command` leaves
/// out `cargo testbed` and `--write`: `bench --notes`, for example.
pub(crate) fn write(document: &str, command: &str, text: &str) -> Result<()> {
    let path = format!("{DOCS}/{document}");
    let before = fs::read_to_string(&path).with_context(|| format!("reading `{path}`"))?;
    let after = insert(&before, command, text).with_context(|| format!("writing into `docs/{document}`"))?;
    fs::write(&path, after).with_context(|| format!("writing `{path}`"))
}

fn begin(command: &str) -> String {
    format!("<!-- begin: written by `cargo testbed {command} --write` -->\n")
}

fn insert(document: &str, command: &str, text: &str) -> Result<String> {
    let begin = begin(command);
    let missing = |line: &str| format!("the line `{}` is missing from it; put it back", line.trim());
    let (before, rest) = document.split_once(&begin).with_context(|| missing(&begin))?;
    let (_, after) = rest.split_once(END).with_context(|| missing(END))?;
    Ok(format!("{before}{begin}\n{text}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::{END, begin, insert};

    #[test]
    fn only_the_text_between_the_markers_of_the_command_is_replaced() {
        let block = |command: &str| format!("{}old\n{END}", begin(command));
        let document = format!("# a\n{}b\n{}z\n", block("faults"), block("races"));
        let once = insert(&document, "races", "new").unwrap();
        let untouched = format!("# a\n{}b\n", block("faults"));
        assert_eq!(once, format!("{untouched}{}\nnew\n{END}z\n", begin("races")));
        assert_eq!(insert(&once, "races", "new").unwrap(), once, "it can be written again");
        let missing = insert(&document, "bench", "new").unwrap_err().to_string();
        assert!(
            missing.contains("cargo testbed bench --write") && missing.contains("put it back"),
            "{missing}"
        );
        assert!(insert(&begin("bench"), "bench", "new").is_err(), "the end marker is missing");
    }
}
