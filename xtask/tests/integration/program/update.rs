//! `init --update` in a repository that uses this tool: what a newer version writes differently.

use std::fs;

use anyhow::{Result, ensure};
use xtask::process::temp_dir::TempDir;

use super::server::{git, repository, said, xtask};

const WORKFLOW: &str = ".forgejo/workflows/release.yml";
const POLICY: &str = "policies/policy.json";

#[test]
fn an_update_rewrites_only_committed_files_and_keeps_the_labels_of_runners() -> Result<()> {
    let scratch = TempDir::new()?;
    let dir = repository(&scratch, "own", "localhost", "localhost/acme/carol")?;
    let init = |option: &str| {
        let output = xtask(&dir, &["init", ".", option], &[])?;
        anyhow::Ok((output.status.code(), said(&output)))
    };
    let commit = || git(&dir, &["add", "."]).and_then(|()| git(&dir, &["commit", "--quiet", "--message=x"]));

    let (code, words) = init("--check")?;
    ensure!(code == Some(3) && words.contains(&format!("`{WORKFLOW}`")), "{code:?} {words}");
    let (code, words) = init("--update")?;
    ensure!(code == Some(0) && words.contains(&format!("wrote    {WORKFLOW}")), "{code:?} {words}");
    let (code, words) = init("--check")?;
    ensure!(code == Some(0) && words.contains("everything is as this version writes it"), "{code:?} {words}");
    commit()?;

    let written = fs::read_to_string(dir.join(WORKFLOW))?;
    let own = written.replace("runs-on: docker\n", "runs-on: release\n");
    fs::write(dir.join(WORKFLOW), format!("{own}# of an older version\n"))?;
    let (code, words) = init("--update")?;
    ensure!(code == Some(3) && words.contains("not committed"), "{code:?} {words}");
    ensure!(fs::read_to_string(dir.join(WORKFLOW))?.ends_with("# of an older version\n"), "it was written");
    commit()?;
    let (code, words) = init("--update")?;
    ensure!(code == Some(0) && words.contains("read `git diff`"), "{code:?} {words}");
    assert_eq!(fs::read_to_string(dir.join(WORKFLOW))?, own);
    commit()?;

    let policy = fs::read_to_string(dir.join(POLICY))?;
    fs::write(dir.join(POLICY), format!("{policy}\n"))?;
    commit()?;
    let (code, words) = init("--check")?;
    ensure!(
        code == Some(3) && words.contains(&format!("not as this version writes it: `{POLICY}`;")),
        "{words}"
    );
    let (code, words) = init("--update")?;
    ensure!(code == Some(0) && words.contains(&format!("wrote    {POLICY}\n")), "{code:?} {words}");
    assert_eq!(fs::read_to_string(dir.join(POLICY))?, policy);
    Ok(())
}
