//! `notes --changelog` writes a section once, and nothing else; and what `notes` says about tags that are not
//! releases.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use xtask::process::temp_dir::TempDir;

use super::server::{git, repository, said, xtask};

#[test]
fn notes_of_a_first_release_suggest_a_tag_of_another_form_to_compare_with() -> Result<()> {
    let scratch = TempDir::new()?;
    let dir = repository(&scratch, "own", "127.0.0.1:1", "127.0.0.1:1/acme/carol")?;
    let printed = || -> Result<String> {
        let output = xtask(&dir, &["notes", "v0.1.0", "--offline"], &[])?;
        Ok(format!("{}{}", said(&output), String::from_utf8_lossy(&output.stdout)))
    };
    let command = "run `git tag v0.0.9 0.0.9`";
    ensure!(!printed()?.contains("tags  "), "{}", printed()?);
    git(&dir, &["tag", "0.0.9"])?;
    ensure!(printed()?.contains(command) && printed()?.contains("The first release."), "{}", printed()?);
    git(&dir, &["tag", "v0.0.9", "0.0.9"])?;
    ensure!(
        !printed()?.contains(command) && printed()?.contains("All changes since v0.0.9"),
        "{}",
        printed()?
    );
    Ok(())
}

#[test]
fn a_changelog_gets_the_section_of_a_tag_once_and_keeps_what_is_there() -> Result<()> {
    let scratch = TempDir::new()?;
    let dir = repository(&scratch, "own", "127.0.0.1:1", "127.0.0.1:1/acme/carol")?;
    git(&dir, &["commit", "--quiet", "--allow-empty", "--message=feat: <b> @ann"])?;
    git(&dir, &["tag", "v0.2.0"])?;
    let path = dir.join("CHANGELOG.md");
    fs::write(&path, "# Ours\n\n## [Unreleased]\n\n- soon\n\n## [0.1.0] - 2020-01-01\n\n- by hand\n")?;
    let keep = |tag: &str| -> Result<(String, String)> {
        let output = xtask(&dir, &["notes", tag, "--changelog", "--offline"], &[])?;
        ensure!(output.status.success() && output.stdout.is_empty(), "{}", said(&output));
        Ok((said(&output), fs::read_to_string(&path)?))
    };
    let (printed, text) = keep("v0.2.0")?;
    assert_eq!(printed, "wrote    CHANGELOG.md: a section of 0.2.0\n");
    let (before, rest) = text.split_once("- soon\n\n## [0.2.0] - ").context("no section")?;
    assert_eq!(before, "# Ours\n\n## [Unreleased]\n\n");
    let (section, after) =
        rest.split_once("\n\n## [0.1.0] - 2020-01-01\n\n- by hand\n").context(text.clone())?;
    assert!(section.contains("\n\n### Added\n\n- `<b> @ann` ([") && after.is_empty(), "{text}");
    assert!(
        section.ends_with("\n\n[0.2.0]: http://127.0.0.1:1/acme/carol/compare/v0.1.0...v0.2.0"),
        "{text}"
    );
    for tag in ["v0.2.0", "v0.1.0"] {
        let (printed, again) = keep(tag)?;
        assert_eq!(
            (printed, again),
            (format!("kept     CHANGELOG.md: it has a section of {}\n", &tag[1..]), text.clone())
        );
    }
    let before_the_tag = xtask(&dir, &["notes", "--as", "v1.0.0", "--changelog", "--offline"], &[])?;
    assert_eq!(said(&before_the_tag), "wrote    CHANGELOG.md: a section of 1.0.0\n");
    git(&dir, &["commit", "--quiet", "--allow-empty", "--message=fix: b"])?;
    let assumed = said(&xtask(&dir, &["notes", "--offline"], &[])?);
    ensure!(assumed.contains("version  0.2.1 is assumed; name another with `--as v0.2.1`"), "{assumed}");
    let there = xtask(&dir, &["notes", "--as", "v0.2.0"], &[])?;
    ensure!(
        there.status.code() == Some(2) && said(&there).contains("there is a tag `v0.2.0`"),
        "{}",
        said(&there)
    );
    let unclear = "# Ours\n\n**0.1.0**\n\n- by hand\n";
    fs::write(&path, unclear)?;
    let refused = xtask(&dir, &["notes", "v0.2.0", "--changelog", "--offline"], &[])?;
    ensure!(refused.status.code() == Some(3) && said(&refused).contains("line 3 of"), "{}", said(&refused));
    assert_eq!(fs::read_to_string(&path)?, unclear);
    let output = xtask(&dir, &["notes", "v0.2.0", "--changelog", "--json"], &[])?;
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    Ok(())
}
