//! The second table of docs/verification-tests.md: the lies on real servers. It is generated from the lies themselves;
//! with `E2E_WRITE_TABLE=1` the test writes it. The first table has all lies about the recorded release
//! (`xtask/src/verify/tests/table.rs`), and agrees on every change that is in both.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use super::{Lie, TOPICS};
use crate::harness::{environment, test};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/verification-tests.md");

const BEGIN: &str = "<!-- the lies on real servers: written by testbed/tests/end-to-end/lies/table.rs -->\n";
const END: &str = "<!-- the end of the lies on real servers -->\n";

fn row(Lie { name, wrong, unchecked, .. }: &Lie) -> String {
    format!("| {name} | {} | {} |\n", ids(wrong), ids(unchecked))
}

fn table() -> String {
    let rows: String = TOPICS.into_iter().flatten().map(row).collect();
    format!("| change | false | unchecked |\n|---|---|---|\n{rows}")
}

fn ids(claims: &[&str]) -> String {
    claims.iter().map(|claim| format!("`{claim}`")).collect::<Vec<_>>().join(", ")
}

#[test]
fn the_documented_table_matches_the_lies() -> Result<()> {
    test(|| {
        let document = fs::read_to_string(DOCUMENT).context("reading docs/verification-tests.md")?;
        let (before, rest) =
            document.split_once(BEGIN).context("docs/verification-tests.md has no lies on real servers")?;
        let (found, after) = rest.split_once(END).context("the table of lies on real servers has no end")?;
        for lie in TOPICS.into_iter().flatten() {
            let recorded = before.lines().find(|line| line.starts_with(&format!("| {} | ", lie.name)));
            ensure!(
                recorded.is_none_or(|line| line == row(lie).trim_end()),
                "about the recorded release, this lie makes other claims false: {recorded:?}"
            );
        }
        let expected = table();
        if environment().get("E2E_WRITE_TABLE")?.is_some() {
            let written = format!("{before}{BEGIN}{expected}{END}{after}");
            fs::write(DOCUMENT, written).context("writing docs/verification-tests.md")?;
            return Ok(());
        }
        ensure!(
            found == expected,
            "docs/verification-tests.md is behind the lies; run this test with `E2E_WRITE_TABLE=1`"
        );
        Ok(())
    })
}
