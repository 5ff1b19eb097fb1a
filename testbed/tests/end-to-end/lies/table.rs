//! The table of docs/verifying.md: which claims each lie makes false. Written from the lies themselves; with
//! `E2E_WRITE_TABLE=1` the test writes it.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use super::{Lie, image, latest, network, page, provenance, sbom, signatures, tags};
use crate::harness::{environment, test};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/verifying.md");

const BEGIN: &str = "<!-- the table of lies: written by testbed/tests/end-to-end/lies/table.rs -->\n";
const END: &str = "<!-- the end of the table of lies -->\n";

fn topics() -> [&'static [Lie]; 9] {
    [
        tags::LIES,
        signatures::LIES,
        provenance::ATTESTED,
        provenance::PREDICATE,
        sbom::LIES,
        image::LIES,
        page::LIES,
        latest::LIES,
        network::LIES,
    ]
}

fn table() -> String {
    let mut text = String::from("| change | false | unchecked |\n|---|---|---|\n");
    for Lie { name, wrong, unchecked, .. } in topics().into_iter().flatten() {
        text += &format!("| {name} | {} | {} |\n", ids(wrong), ids(unchecked));
    }
    text
}

fn ids(claims: &[&str]) -> String {
    claims.iter().map(|claim| format!("`{claim}`")).collect::<Vec<_>>().join(", ")
}

#[test]
fn the_table_is_as_documented() -> Result<()> {
    test(|| {
        let document = fs::read_to_string(DOCUMENT).context("reading docs/verifying.md")?;
        let (before, rest) = document.split_once(BEGIN).context("docs/verifying.md has no table of lies")?;
        let (found, after) = rest.split_once(END).context("the table of lies has no end")?;
        let expected = table();
        if environment().get("E2E_WRITE_TABLE")?.is_some() {
            let written = format!("{before}{BEGIN}{expected}{END}{after}");
            fs::write(DOCUMENT, written).context("writing docs/verifying.md")?;
            return Ok(());
        }
        ensure!(
            found == expected,
            "docs/verifying.md is behind the lies; run this test with `E2E_WRITE_TABLE=1`"
        );
        Ok(())
    })
}
