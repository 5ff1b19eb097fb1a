//! `notes` queries the forge for pull requests anonymously, and does not fail whatever the forge answers.

use anyhow::{Result, ensure};
use xtask::process::temp_dir::TempDir;

use super::server::{denying, git, repository, said, xtask};
use crate::servers::server::Asked;

#[test]
fn a_forge_that_refuses_is_queried_once_and_reported_in_one_line() -> Result<()> {
    let scratch = TempDir::new()?;
    let notes = |dir: &std::path::Path, more: &[&str]| {
        let output = xtask(dir, &[&["notes", "v0.2.0"], more].concat(), &[])?;
        ensure!(output.status.success(), "{}", said(&output));
        Ok((String::from_utf8(output.stdout.clone())?, output.stderr))
    };
    let tagged = |name: &str, host: &str| {
        let dir = repository(&scratch, name, host, &format!("{host}/acme/carol"))?;
        git(&dir, &["commit", "--quiet", "--allow-empty", "--message=fix: a"])?;
        git(&dir, &["tag", "v0.2.0"])?;
        Ok::<_, anyhow::Error>(dir)
    };
    let refusing = denying()?;
    let dir = tagged("refused", &refusing.address.to_string())?;
    let (offline, line) = notes(&dir, &["--offline"])?;
    ensure!(line.is_empty() && refusing.asked()?.is_empty(), "{line}");
    let (refused, line) = notes(&dir, &[])?;
    assert_eq!(refused, offline);
    ensure!(
        line.starts_with("pulls    left out, because the forge did not list them: ")
            && line.lines().count() == 1,
        "{line}"
    );
    let path = "GET /api/v1/repos/acme/carol/pulls?state=closed&sort=recentupdate&limit=50&page=1";
    let once = Asked { what: path.to_owned(), authorization: None };
    assert_eq!(refusing.log()?, [once], "once, and without a token");
    Ok(())
}
