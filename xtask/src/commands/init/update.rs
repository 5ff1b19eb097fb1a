//! `init --check` and `init --update`: compare the files that stay this tool's, and the policies, with what this
//! version writes, or write them again.

use std::collections::BTreeMap;
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
        let (text, unkept) = match found {
            Some(found) => with_labels(&file.text, found),
            None => (file.text.clone(), Vec::new()),
        };
        replace(&git.root().join(&file.path), text.as_bytes())?;
        stderr::line(format_args!("wrote    {}", file.path));
        for job in unkept {
            stderr::line(format_args!(
                "         its job `{job}` had no `runs-on` of yours that could be kept: if it needs another runner than the one \
                 that is written there now, change that before you commit"
            ));
        }
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

/// `text` with the labels of the runners in `found`, job by job, and the names of the jobs whose label is not kept:
/// those that have none in `found`, where not all jobs run on the label that `text` has.
fn with_labels(text: &str, found: &str) -> (String, Vec<String>) {
    let labels: BTreeMap<_, _> = found
        .lines()
        .enumerate()
        .filter_map(|(at, line)| label(line).map(|_| (job(found, at), line.trim())))
        .collect();
    let (mut written, mut unkept) = (String::new(), Vec::new());
    for (at, line) in text.lines().enumerate() {
        let job = label(line).map(|_| job(text, at));
        // A label on the next lines would be lost.
        let kept = job.and_then(|job| labels.get(job)).filter(|kept| label(kept) != Some(""));
        let indent = &line[..line.len() - line.trim_start().len()];
        match (job, kept) {
            (_, Some(kept)) => written += &format!("{indent}{kept}\n"),
            (Some(name), None) => {
                if labels.values().any(|other| *other != line.trim()) {
                    unkept.push(name.to_owned());
                }
                written += &format!("{line}\n");
            }
            (None, None) => written += &format!("{line}\n"),
        }
    }
    (written, unkept)
}

/// The label in a line, if it is one of a job's runner.
fn label(line: &str) -> Option<&str> {
    line.trim_start().strip_prefix("runs-on:").map(str::trim)
}

/// The name of the job to which a line belongs: the key before it that is indented less.
fn job(text: &str, at: usize) -> &str {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let own = text.lines().nth(at).map_or(0, indent);
    let before: Vec<_> = text.lines().take(at).collect();
    let is_text = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let key = before.iter().rev().find(|line| indent(line) < own && is_text(line));
    key.and_then(|line| line.trim().split(':').next()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::with_labels;

    #[test]
    fn an_update_keeps_the_label_of_each_job_and_names_the_jobs_without_one() {
        let new = "jobs:\n  a:\n    name: x\n    # new\n    runs-on: docker\n    steps: new\n  b:\n    runs-on: docker\n";
        let with = |a: &str, b: &str| {
            format!("jobs:\n  a:\n    name: x\n    # new\n    {a}\n    steps: new\n  b:\n    {b}\n")
        };
        let all: [(&str, String, &[&str]); 9] = [
            (
                "jobs:\n  a:\n    runs-on: one\n  b:\n    steps:\n      - x\n    runs-on: two # our own\n",
                with("runs-on: one", "runs-on: two # our own"),
                &[],
            ),
            (
                "jobs:\n  b: # our own\n    runs-on: two\n  a:\n  # x:\n\n    runs-on: one\n",
                with("runs-on: one", "runs-on: two"),
                &[],
            ),
            ("jobs:\n    a:\n        runs-on: [x, y]\n", with("runs-on: [x, y]", "runs-on: docker"), &["b"]),
            (
                "jobs:\n  b:\n    runs-on: two\n  c:\n    runs-on: isolated\n",
                with("runs-on: docker", "runs-on: two"),
                &["a"],
            ),
            // Without its next lines, such a label would be none.
            (
                "jobs:\n  a:\n    runs-on:\n      - x\n  b:\n    runs-on: two\n",
                with("runs-on: docker", "runs-on: two"),
                &["a"],
            ),
            // Where all jobs run on the label of this tool, a new one may, too.
            ("jobs:\n  a:\n    runs-on: docker\n", new.to_owned(), &[]),
            ("jobs:\n  b:\n    runs-on: docker\n  c:\n    steps: x\n", new.to_owned(), &[]),
            ("", new.to_owned(), &[]),
            ("x\n", new.to_owned(), &[]),
        ];
        for (old, text, unkept) in all {
            let unkept: Vec<_> = unkept.iter().map(|job| (*job).to_owned()).collect();
            assert_eq!(with_labels(new, old), (text, unkept), "{old:?}");
        }
        assert_eq!(with_labels("x\n", "y\n"), ("x\n".to_owned(), Vec::new()));
    }
}
