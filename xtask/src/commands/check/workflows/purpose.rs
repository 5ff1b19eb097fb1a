//! What the workflows are for: a pushed tag is released by this tool, CI runs its rules, and the forge reads them.

use super::{DIRECTORIES, Node, folder_in_use, is_below};
use crate::evidence::provenance::RELEASE_WORKFLOW;
use crate::inputs::finding::{Finding, Rule};

/// The findings about all workflows of a repository together, each with its path.
pub(super) fn findings(trees: &[(String, Node)]) -> Vec<Finding> {
    let mut found = unread(trees);
    let (release, others): (Vec<_>, Vec<_>) = trees.iter().partition(|(file, _)| file == RELEASE_WORKFLOW);
    found.extend(release.iter().flat_map(|(_, tree)| of_release(tree)));
    if !others.iter().any(|(file, tree)| is_below(file, DIRECTORIES[0]) && runs(tree, &["ci", "check"])) {
        let text = "no workflow runs `cargo xtask ci` or `cargo xtask check`, so a pull request can break what a release \
                    needs; `cargo xtask init .` writes `.forgejo/workflows/ci.yml` if there is none";
        found.push(Finding::note(Rule::WorkflowCheck, DIRECTORIES[0], text.to_owned()));
    }
    found
}

/// Whether the release's workflow starts this tool, for pushed tags.
fn of_release(tree: &Node) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut error = |text: &str| {
        found.push(Finding::error(Rule::WorkflowRelease, RELEASE_WORKFLOW, text.to_owned()).at(tree.line));
    };
    if !runs(tree, &["release"]) {
        error(
            "no step of `release.yml` runs `xtask release`, so a pushed tag is not released by this tool; move your workflow \
             to another name, and run `cargo xtask init .`",
        );
    }
    if tree.get("on").and_then(|on| on.get("push")?.get("tags")).is_none() {
        error("`release.yml` has no `tags` in `on.push`, so a pushed tag does not start the release");
    }
    found
}

/// Whether a step runs this tool with one of `commands`.
fn runs(tree: &Node, commands: &[&str]) -> bool {
    let jobs = tree.get("jobs").map(Node::entries).unwrap_or_default();
    let steps = jobs.iter().flat_map(|(_, job)| job.get("steps").map(Node::items).unwrap_or_default());
    let mut scripts = steps.filter_map(|step| step.get("run")?.text());
    scripts.any(|script| script.lines().any(|line| is_call(line, commands)))
}

/// Whether the line of a shell script calls this tool with one of `commands`: by the name `xtask`, by any path that ends
/// in it, or through cargo.
fn is_call(line: &str, commands: &[&str]) -> bool {
    let line = line.split(" #").next().unwrap_or_default();
    let words: Vec<_> = line.split(|c: char| c.is_whitespace() || "\"'`;&|()".contains(c)).collect();
    let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
    let is_tool = |word: &str| word == "--" || word.rsplit('/').next() == Some("xtask");
    !line.trim_start().starts_with('#')
        && words.windows(2).any(|pair| is_tool(pair[0]) && commands.contains(&pair[1]))
}

/// A note for each workflow outside of the folder that the forge uses.
fn unread(trees: &[(String, Node)]) -> Vec<Finding> {
    let Some(used) = folder_in_use(trees.iter().map(|(file, _)| file.as_str())) else { return Vec::new() };
    let others = trees.iter().filter(|(file, _)| !is_below(file, used));
    others
        .map(|(file, _)| {
            let text = format!(
                "the forge does not run `{file}`: it reads only the first of `{}` that exists; move it to `{used}`, or remove it",
                DIRECTORIES.join("`, `")
            );
            Finding::note(Rule::WorkflowUnread, file, text)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::yaml;
    use super::{findings, is_call};
    use crate::inputs::finding::{Finding, Rule};

    const RELEASE: &str = include_str!("../../../../../.forgejo/workflows/release.yml");
    const CI: &str = include_str!("../../../../../.forgejo/workflows/ci.yml");

    fn rules(files: &[(&str, &str)]) -> Vec<(Rule, bool)> {
        let trees: Vec<_> =
            files.iter().map(|(file, text)| ((*file).to_owned(), yaml::read(text).unwrap())).collect();
        findings(&trees).iter().map(|finding: &Finding| (finding.rule, finding.is_error())).collect()
    }

    #[test]
    fn the_tool_is_called_by_its_name_by_a_path_or_through_cargo() {
        for line in [
            "xtask release",
            "exec \"${CARGO_TARGET_DIR:-target}/debug/xtask\" release",
            "cargo xtask release \"$TAG\"",
            "cargo run --locked --package release -- release",
            "  make && target/debug/xtask release; true",
        ] {
            assert!(is_call(line, &["release"]), "{line}");
        }
        for line in [
            "docker push carol:latest",
            "# cargo xtask release",
            "true # cargo xtask release",
            "cargo build --package release",
            "./release",
            "xtask releases",
        ] {
            assert!(!is_call(line, &["release"]), "{line}");
        }
    }

    #[test]
    fn a_pushed_tag_must_start_the_release_of_this_tool() {
        let path = ".forgejo/workflows/release.yml";
        let ci = (".forgejo/workflows/ci.yml", CI);
        assert_eq!(rules(&[ci, (path, RELEASE)]), []);
        let other = RELEASE.replace("debug/xtask\" release", "debug/other\" release");
        assert_eq!(rules(&[(path, &other), ci]), [(Rule::WorkflowRelease, true)]);
        let branches = RELEASE.replace("    tags: [", "    branches: [");
        assert_eq!(rules(&[(path, &branches), ci]), [(Rule::WorkflowRelease, true)]);
    }

    #[test]
    fn a_repository_whose_ci_runs_no_rules_gets_a_note() {
        let lint = "jobs:\n  x:\n    steps:\n      - run: npm test\n";
        let release = (".forgejo/workflows/release.yml", RELEASE);
        assert_eq!(rules(&[(".forgejo/workflows/lint.yml", lint), release]), [(Rule::WorkflowCheck, false)]);
        let check = lint.replace("npm test", "cargo xtask check");
        assert_eq!(rules(&[(".forgejo/workflows/lint.yml", &check), release]), []);
    }

    #[test]
    fn a_workflow_in_a_folder_that_the_forge_does_not_read_gets_a_note() {
        let release = (".forgejo/workflows/release.yml", RELEASE);
        let ci = (".forgejo/workflows/ci.yml", CI);
        for other in [".gitea/workflows/a.yml", ".github/workflows/a.yaml"] {
            assert_eq!(rules(&[ci, release, (other, CI)]), [(Rule::WorkflowUnread, false)], "{other}");
        }
        let elsewhere = rules(&[(".github/workflows/ci.yml", CI)]);
        assert!(!elsewhere.iter().any(|(rule, _)| *rule == Rule::WorkflowUnread), "{elsewhere:?}");
    }
}
