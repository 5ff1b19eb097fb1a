//! The figures in `docs/reliability.md`.

use std::fs;

use anyhow::{Context as _, Result};
use xtask::environment::Environment;

use super::kit::Kit;
use super::trial::Outcome;
use super::{read_document, results};
use crate::bench::machine;
use crate::forge_client::Client;

/// Where the figures are kept.
const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reliability.md");

/// What the whole matrix came to.
pub(super) fn matrix(kit: &Kit, seed: u64, outcomes: &[Outcome]) -> Result<String> {
    let (calls, requests): (Vec<_>, Vec<_>) =
        kit.targets().iter().partition(|(_, target)| target.kind == super::Kind::Call);
    let intro = format!(
        "An undisturbed release makes {} calls and {} requests and took {:.1} s. Seed {seed}.\n",
        calls.len(),
        requests.len(),
        kit.undisturbed()
    );
    Ok(format!("{intro}\n{}", results::table(outcomes)?))
}

/// Puts `generated`, below a description of the machine, between the markers called `name`.
pub(super) fn write(environment: &Environment, name: &str, generated: &str) -> Result<()> {
    let machine = machine::describe(environment, &Client::from_environment(environment)?)?;
    let rows: String = machine.iter().map(|(name, value)| format!("| {name} | {value} |\n")).collect();
    let text = format!("| | |\n|---|---|\n{rows}\n{generated}");
    let document = insert(&read_document(DOCUMENT)?, name, &text)?;
    fs::write(DOCUMENT, document).with_context(|| format!("writing `{DOCUMENT}`"))
}

/// `document` with `generated` between the markers of `name`.
fn insert(document: &str, name: &str, generated: &str) -> Result<String> {
    let begin = format!("<!-- begin: written by `cargo testbed {name} --write` -->\n");
    let end = format!("<!-- end: {name} -->\n");
    let missing = || {
        format!("`docs/reliability.md` has no lines `{}` and `{}`; put them back", begin.trim(), end.trim())
    };
    let (before, rest) = document.split_once(&begin).with_context(missing)?;
    let (_, after) = rest.split_once(&end).with_context(missing)?;
    Ok(format!("{before}{begin}\n{generated}\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::insert;

    #[test]
    fn only_what_is_between_the_markers_of_that_name_is_replaced() {
        let block = |name: &str| {
            format!("<!-- begin: written by `cargo testbed {name} --write` -->\nold\n<!-- end: {name} -->\n")
        };
        let document = format!("# a\n{}b\n{}", block("faults"), block("races"));
        let once = insert(&document, "races", "new").unwrap();
        assert!(
            once.contains(&block("faults")) && once.contains("\nnew\n") && once.starts_with("# a\n"),
            "{once}"
        );
        assert_eq!(insert(&once, "races", "new").unwrap(), once);
        assert!(insert("nothing", "races", "new").unwrap_err().to_string().contains("put them back"));
    }
}
