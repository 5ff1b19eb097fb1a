//! The table of docs/verification-tests.md: which claims each lie makes false. It is generated from the lies themselves;
//! with `XTASK_WRITE_TABLE=1` the test writes it.

use std::fs;

use crate::process::environment::Environment;

use super::lies::{Lie, TOPICS};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/verification-tests.md");

const BEGIN: &str = "<!-- the table of lies: written by xtask/src/verify/tests/table.rs -->\n";
const END: &str = "<!-- the end of the table of lies -->\n";

fn table() -> String {
    let mut text = String::from("| change | false | unchecked |\n|---|---|---|\n");
    for lie @ Lie { name, wrong, .. } in TOPICS.into_iter().flatten() {
        text += &format!("| {name} | {} | {} |\n", ids(wrong), ids(&lie.unchecked()));
    }
    text
}

fn ids(claims: &[&str]) -> String {
    claims.iter().map(|claim| format!("`{claim}`")).collect::<Vec<_>>().join(", ")
}

#[test]
fn the_table_is_as_documented() {
    let document = fs::read_to_string(DOCUMENT).unwrap();
    let (before, rest) = document.split_once(BEGIN).expect("docs/verification-tests.md has a table of lies");
    let (found, after) = rest.split_once(END).expect("the table of lies has an end");
    let expected = table();
    if Environment::from_process().get("XTASK_WRITE_TABLE").unwrap().is_some() {
        fs::write(DOCUMENT, format!("{before}{BEGIN}{expected}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(
        found, expected,
        "docs/verification-tests.md is behind the lies; run this test with `XTASK_WRITE_TABLE=1`"
    );
}
