//! `init --check` and `init --update`: compare the files that stay this tool's, and the policies, with what this
//! version writes, or write them again.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::existing;
use super::files::{File, comparable};
use crate::process::failure::Refusal;
use crate::process::file::replace;
use crate::process::stderr;
use crate::refuse;
use crate::tool::git::Git;

/// Names the files of `ours` that this version writes differently.
///
/// # Errors
/// A [`Refusal`] when there are any; other errors when one cannot be read.
pub(super) fn check(root: &Path, ours: &[File]) -> Result<()> {
    let stale = named(&stale(root, ours)?);
    if stale.is_empty() {
        stderr::line("everything is as this version writes it");
        return Ok(());
    }
    Err(Refusal::new(format!(
        "not as this version writes it: {stale}; `cargo xtask init . --update` writes it anew"
    ))
    .into())
}

/// Writes the files of `ours` that this version writes differently. They have to be committed as they are, so that `git
/// diff` shows what an update changes, and `git restore` brings it back. The labels of runners stay.
///
/// # Errors
/// A [`Refusal`] when one is not committed; other errors when one cannot be read or written.
pub(super) fn update(git: &Git, ours: &[File]) -> Result<()> {
    let stale = stale(git.root(), ours)?;
    if stale.is_empty() {
        stderr::line("everything is as this version writes it");
        return Ok(());
    }
    let uncommitted = uncommitted(git, &stale)?;
    if !uncommitted.is_empty() {
        refuse!(
            "nothing was written, because these files have changes that are not committed: {uncommitted}; commit them, then \
             run the same command again"
        );
    }
    for Stale { file, found } in &stale {
        let text = found.as_ref().map_or_else(|| file.text.clone(), |found| with_labels(&file.text, found));
        replace(&git.root().join(&file.path), text.as_bytes())?;
        stderr::line(format_args!("wrote    {}", file.path));
    }
    stderr::line(
        "what you had changed yourself is overwritten: read `git diff`, put that back, and commit the rest",
    );
    Ok(())
}

/// A file that this version writes differently.
struct Stale<'a> {
    file: &'a File,
    /// The text of the work tree, if the file is there.
    found: Option<String>,
}

fn stale<'a>(root: &Path, ours: &'a [File]) -> Result<Vec<Stale<'a>>> {
    let mut stale = Vec::new();
    for file in ours {
        let found = existing(root, &file.path)?;
        if found.as_deref().map(comparable) != Some(comparable(&file.text)) {
            stale.push(Stale { file, found });
        }
    }
    Ok(stale)
}

fn named(stale: &[Stale<'_>]) -> String {
    let names: Vec<_> = stale.iter().map(|Stale { file, .. }| format!("`{}`", file.path)).collect();
    names.join(", ")
}

/// The names of the files whose text differs from that in HEAD.
fn uncommitted(git: &Git, stale: &[Stale<'_>]) -> Result<String> {
    let head = git.peel("HEAD")?.context("the repository has no commit yet; commit something first")?;
    let mut uncommitted = Vec::new();
    for Stale { file, found } in stale {
        let [committed] = git.files(&head, [file.path.as_str()])?;
        if found.is_some() && found.as_deref().map(str::as_bytes) != committed.as_deref() {
            uncommitted.push(format!("`{}`", file.path));
        }
    }
    Ok(uncommitted.join(", "))
}

/// `text` with the labels of the runners in `found`, if both have the same number of jobs.
fn with_labels(text: &str, found: &str) -> String {
    let is_label = |line: &&str| line.trim_start().starts_with("runs-on:");
    let labels: Vec<_> = found.lines().filter(is_label).collect();
    if text.lines().filter(is_label).count() != labels.len() {
        return text.to_owned();
    }
    let mut labels = labels.into_iter();
    let line =
        |line| format!("{}\n", Some(line).filter(is_label).and_then(|_| labels.next()).unwrap_or(line));
    text.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::with_labels;

    #[test]
    fn an_update_keeps_the_labels_of_runners_if_the_number_of_jobs_is_the_same() {
        let new = "jobs:\n  a:\n    runs-on: docker\n    steps: new\n  b:\n    runs-on: docker\n";
        let old = "jobs:\n  a:\n    runs-on: one\n  b:\n    runs-on: two\n";
        let expected = "jobs:\n  a:\n    runs-on: one\n    steps: new\n  b:\n    runs-on: two\n";
        assert_eq!(with_labels(new, old), expected);
        for other in ["jobs:\n  a:\n    runs-on: one\n", "", "x\n"] {
            assert_eq!(with_labels(new, other), new, "{other:?}");
        }
        assert_eq!(with_labels("x\n", "y\n"), "x\n");
    }
}
