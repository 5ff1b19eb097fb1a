//! The rules for workflows: what runs beside the release's secrets, and who gets them.

mod purpose;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::yaml::{self, Node};
use crate::evidence::provenance::RELEASE_WORKFLOW;
use crate::inputs::finding::{Finding, Rule};
use crate::inputs::in_work_tree;
use crate::oci::reference::Digest;

/// Where forges look for workflows, from the top of the repository.
pub(in crate::commands) const DIRECTORIES: [&str; 3] =
    [".forgejo/workflows", ".gitea/workflows", ".github/workflows"];

/// The folder of `paths` from which a forge takes its workflows: the first that it finds, and no other (docs/facts.md).
pub(in crate::commands) fn folder_in_use<'a>(
    paths: impl IntoIterator<Item = &'a str>,
) -> Option<&'static str> {
    let places =
        paths.into_iter().filter_map(|path| DIRECTORIES.iter().position(|folder| is_below(path, folder)));
    places.min().map(|place| DIRECTORIES[place])
}

/// Whether the file `path` is in `folder` or below it.
pub(in crate::commands) fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// Tokens that the runner sets by itself, unless a step overrides them.
const AUTOMATIC_TOKENS: [&str; 3] = ["FORGEJO_TOKEN", "GITEA_TOKEN", "GITHUB_TOKEN"];

/// A workflow and the findings in it.
struct Workflow<'a> {
    file: &'a str,
    findings: Vec<Finding>,
}

/// The findings in the workflows of the repository at `root`.
pub(super) fn findings(root: &Path) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut trees = Vec::new();
    for directory in DIRECTORIES {
        match files(root, directory) {
            Ok(files) => {
                for (file, text) in files {
                    let tree = read(&file, &text, &mut found);
                    trees.extend(tree.map(|tree| (file, tree)));
                }
            }
            Err(error) => {
                found.push(Finding::error(Rule::WorkflowUnreadable, directory, format!("{error:#}")));
            }
        }
    }
    if !trees.iter().any(|(file, _)| file == RELEASE_WORKFLOW)
        && !found.iter().any(|finding| finding.file == RELEASE_WORKFLOW)
    {
        let text = format!("there is no `{RELEASE_WORKFLOW}`; write it with `cargo xtask init .`");
        found.push(Finding::error(Rule::WorkflowUnreadable, RELEASE_WORKFLOW, text));
    }
    found.extend(purpose::findings(&trees));
    found.extend(shared_label(&trees));
    found
}

/// Path and text of each workflow in and below `directory`, in order.
fn files(root: &Path, directory: &str) -> Result<Vec<(String, String)>> {
    let path = root.join(directory);
    let mut found = Vec::new();
    if !path.is_dir() {
        return Ok(found);
    }
    for entry in fs::read_dir(&path).with_context(|| format!("reading `{directory}`"))? {
        let entry = entry.with_context(|| format!("reading `{directory}`"))?;
        let name = format!("{directory}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().with_context(|| format!("reading `{name}`"))?.is_dir() {
            found.extend(files(root, &name)?);
        } else if name.ends_with(".yml") || name.ends_with(".yaml") {
            let bytes =
                in_work_tree(root, &name)?.with_context(|| format!("`{name}` was removed meanwhile"))?;
            let text = String::from_utf8(bytes).with_context(|| format!("reading `{name}`"))?;
            found.push((name, text));
        }
    }
    found.sort();
    Ok(found)
}

fn read(file: &str, text: &str, findings: &mut Vec<Finding>) -> Option<Node> {
    match yaml::read(text) {
        Ok(tree) => {
            findings.extend(of_workflow(file, &tree));
            Some(tree)
        }
        Err(error) => {
            findings.push(Finding::error(Rule::WorkflowUnreadable, file, format!("`{file}`: {error:#}")));
            None
        }
    }
}

/// The findings in one workflow.
#[cfg(test)]
pub(super) fn of_text(file: &str, text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    read(file, text, &mut found);
    found
}

fn of_workflow(file: &str, tree: &Node) -> Vec<Finding> {
    let mut workflow = Workflow { file, findings: Vec::new() };
    tree.each_entry(&mut |key, node| match key {
        "uses" => workflow.action(node),
        "container" => workflow.image(node),
        "services" => node.entries().iter().for_each(|(_, service)| workflow.image(service)),
        "secrets" if file != RELEASE_WORKFLOW => workflow.secret(node.line),
        _ => {}
    });
    if file == RELEASE_WORKFLOW {
        workflow.concurrency(tree);
    } else {
        tree.each_text(&mut |text, line| {
            if has_secret(text) {
                workflow.secret(line);
            }
        });
    }
    for (name, job) in tree.get("jobs").map(Node::entries).unwrap_or_default() {
        if job.get("timeout-minutes").is_none() {
            let text = format!("the job `{name}` has no `timeout-minutes`; write one");
            workflow.error(Rule::WorkflowTimeout, job.line, text);
        }
        // A step cannot read the `credentials` with which the runner pulls the container's image.
        let container = job.get("container").map(Node::entries).unwrap_or_default();
        let container = container.iter().filter(|(key, _)| key != "credentials").map(|(_, node)| node);
        let shared = tree.get("env").into_iter().chain(job.get("env")).chain(container).any(node_has_secret);
        for step in job.get("steps").map(Node::items).unwrap_or_default() {
            workflow.step(step, shared);
        }
    }
    workflow.findings
}

impl Workflow<'_> {
    fn error(&mut self, rule: Rule, line: usize, text: String) {
        self.findings.push(Finding::error(rule, self.file, text).at(line));
    }

    fn action(&mut self, node: &Node) {
        let action = node.text().unwrap_or_default();
        let pin = action.rsplit_once('@').map_or("", |(_, pin)| pin);
        let is_commit = pin.len() == 40 && pin.chars().all(|c| c.is_ascii_hexdigit());
        let is_image = action.starts_with("docker://") && pin.parse::<Digest>().is_ok();
        if action.starts_with("./") {
            // The action's own file may name actions, images and scripts, which no rule here checks.
            let text = format!(
                "`uses: {action}` is in this repository, where it is not checked; write its steps into the workflow"
            );
            return self.error(Rule::WorkflowActionPin, node.line, text);
        }
        if !is_commit && !is_image {
            let text = format!(
                "`uses: {action}` names no commit: anyone who can move its tag can run code beside our secrets; pin it by \
                 the 40 digits of a commit"
            );
            self.error(Rule::WorkflowActionPin, node.line, text);
        }
    }

    /// The image of a job, or of a service beside it: a name, or a map with one.
    fn image(&mut self, node: &Node) {
        let image = node.text().or_else(|| node.get("image")?.text()).unwrap_or_default();
        if image.rsplit_once('@').is_none_or(|(_, digest)| digest.parse::<Digest>().is_err()) {
            let text = format!(
                "the image `{image}` has no digest: anyone who can move its tag can run code beside our secrets; write \
                 `NAME:TAG@sha256:…`"
            );
            self.error(Rule::WorkflowImageDigest, node.line, text);
        }
    }

    fn secret(&mut self, line: usize) {
        let text = format!(
            "secrets are for `{RELEASE_WORKFLOW}` alone; take them out of this workflow, and use the automatic token \
             (`github.token`) where one is needed"
        );
        self.error(Rule::WorkflowSecretPlace, line, text);
    }

    fn concurrency(&mut self, tree: &Node) {
        let value = |key: &str| tree.get("concurrency")?.get(key)?.text();
        // Forgejo's default for pushes is to cancel: a tag that is pushed again would end a release half-way. A single
        // group for all tags would lose releases on Gitea, which cancels a waiting run of the group when a newer run
        // arrives.
        if value("group") != Some("release-${{ github.ref }}") || value("cancel-in-progress") != Some("false")
        {
            let text = "`release.yml` must have `concurrency` with `group: 'release-${{ github.ref }}'` and \
                        `cancel-in-progress: false`";
            self.error(Rule::WorkflowConcurrency, tree.line, text.to_owned());
        }
    }

    fn step(&mut self, step: &Node, shared: bool) {
        let Some(run) = step.get("run") else { return };
        let script = run.text().unwrap_or_default();
        let command = script.lines().find(|line| runs_cargo(line));
        if let Some(command) = command.filter(|_| shared || node_has_secret(step)) {
            let text = format!(
                "the step of `{}` has secrets, which cargo and all that it compiles can read: build `xtask` in a step before \
                 it, and run `exec target/debug/xtask release` there",
                command.trim()
            );
            self.error(Rule::WorkflowSecretCargo, run.line, text);
        }
        let is_set = |name: &&str| step.get("env").is_some_and(|env| env.get(name).is_some());
        let mut uses_token = false;
        step.each_text(&mut |text, _| uses_token |= text.contains("github.token"));
        let open: Vec<_> = AUTOMATIC_TOKENS.into_iter().filter(|name| !is_set(name)).collect();
        if !open.is_empty() && !uses_token {
            let text = format!(
                "the step has the automatic token, and does not use it; write `{}: ''` into its `env`",
                open.join(": ''`, `")
            );
            self.findings.push(Finding::note(Rule::WorkflowAutomaticToken, self.file, text).at(step.line));
        }
    }
}

/// Whether a word of the line is cargo, by any path. Quotes, and whatever separates commands in a shell, end a word.
fn runs_cargo(line: &str) -> bool {
    let ends = |c: char| c.is_whitespace() || "\"'`$(){};&|".contains(c);
    line.split(ends).any(|word| word.rsplit('/').next() == Some("cargo"))
}

fn node_has_secret(node: &Node) -> bool {
    let mut found = false;
    node.each_text(&mut |text, _| found |= has_secret(text));
    found
}

/// Whether an expression reads a secret other than the automatic token. Expressions are case-insensitive.
fn has_secret(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    lower.split("${{").skip(1).any(|expression| {
        let expression = expression.split("}}").next().unwrap_or_default();
        expression.match_indices("secrets").any(|(at, word)| {
            let rest = expression[at + word.len()..].trim_start();
            let name = rest.strip_prefix('.').map(str::trim_start);
            let name = name.map(|name| name.split(|c| !is_word(c)).next().unwrap_or_default());
            let is_automatic = name
                .is_some_and(|name| AUTOMATIC_TOKENS.iter().any(|token| token.eq_ignore_ascii_case(name)));
            !expression[..at].ends_with(is_word) && !rest.starts_with(is_word) && !is_automatic
        })
    })
}

/// A note for each runner label that a job of the release shares with a job of another workflow.
fn shared_label(trees: &[(String, Node)]) -> Vec<Finding> {
    let labels = |tree: &Node| -> Vec<(String, usize)> {
        let jobs = tree.get("jobs").map(Node::entries).unwrap_or_default();
        let mut found = Vec::new();
        for label in jobs.iter().filter_map(|(_, job)| job.get("runs-on")) {
            label.each_text(&mut |text, line| found.push((text.to_owned(), line)));
        }
        found
    };
    let (release, others): (Vec<_>, Vec<_>) = trees.iter().partition(|(file, _)| file == RELEASE_WORKFLOW);
    let others: BTreeSet<_> =
        others.iter().flat_map(|(_, tree)| labels(tree)).map(|(label, _)| label).collect();
    let of_release = release.iter().flat_map(|(_, tree)| labels(tree));
    let shared = of_release.filter(|(label, _)| others.contains(label));
    shared
        .map(|(label, line)| {
            let text = format!(
                "`runs-on: {label}` is the label of other workflows as well, so the release runs where unreviewed code has \
                 run; give the release a runner with a label of its own, such as `runs-on: release`"
            );
            Finding::note(Rule::WorkflowRunnerLabel, RELEASE_WORKFLOW, text).at(line)
        })
        .collect()
}
