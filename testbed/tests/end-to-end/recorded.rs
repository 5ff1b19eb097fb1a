//! A published release, recorded byte for byte. xtask's own tests verify each committed recording, and tell lies
//! about it (docs/decisions/0015-formats-have-versions.md). This test records a release by the forge's runner, and
//! compares its form with the newest committed recording. With `TESTBED_RECORD=DIR` the recording is written there
//! instead.

mod shape;
mod write;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use xtask::process::temp_dir::TempDir;

use crate::forge::released::{released, with_one_commit};
use crate::harness::{environment, test};

/// The committed recordings: one directory for each version of the formats.
const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../xtask/testdata/released");

/// The recording of the newest version.
fn newest() -> Result<PathBuf> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(COMMITTED).context("listing the committed recordings")? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        numbers.push(name.parse::<u32>().with_context(|| format!("`{name}` is not a version"))?);
    }
    let number = numbers.into_iter().max().context("there is no committed recording")?;
    Ok(Path::new(COMMITTED).join(number.to_string()))
}

#[test]
fn a_new_release_has_the_form_of_the_newest_recording() -> Result<()> {
    test(|| {
        let scratch = TempDir::new()?;
        if let Some(place) = environment().get("TESTBED_RECORD")? {
            write::record(&with_one_commit()?, scratch.path())?;
            return shape::copy(scratch.path(), Path::new(place));
        }
        write::record(&released()?.project, scratch.path())?;
        let (found, expected) = (shape::of(scratch.path())?, shape::of(&newest()?)?);
        let more: Vec<_> = found.difference(&expected).collect();
        let less: Vec<_> = expected.difference(&found).collect();
        ensure!(
            more.is_empty() && less.is_empty(),
            "a format has changed: give it another version, and record a release of it (docs/testbed.md): \
             a new release has {more:#?}\nand lacks {less:#?}"
        );
        Ok(())
    })
}
