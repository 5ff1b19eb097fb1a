//! The files that a release needs besides its inputs: whether they are there, and whether git takes them into a commit.

use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use crate::evidence::provenance::RELEASE_WORKFLOW;
use crate::inputs::config::{Config, MANIFEST};
use crate::inputs::finding::{Finding, Rule};
use crate::inputs::keys::HISTORY;
use crate::inputs::pin::CARGO_LOCK;
use crate::inputs::{DOCKERFILE, PACKAGE_JSON, PACKAGE_LOCK, PUBLIC_KEY, in_work_tree, is_placeholder_test};
use crate::tool::git::Git;

/// The files at fixed places. Those that a repository does not have are no finding here.
const NEEDED: [&str; 12] = [
    MANIFEST,
    CARGO_LOCK,
    ".cargo/config.toml",
    "rust-toolchain.toml",
    "xtask/Cargo.toml",
    "xtask/src/main.rs",
    DOCKERFILE,
    ".dockerignore",
    PUBLIC_KEY,
    HISTORY,
    RELEASE_WORKFLOW,
    "docs/verifying.md",
];

/// The findings in the repository at `root`. Without `git`, nothing is known about what it ignores.
pub(super) fn findings(root: &Path, config: &Config, git: Option<&Git>) -> Vec<Finding> {
    let mut found = Vec::new();
    if !root.join(CARGO_LOCK).is_file() {
        let text =
            format!("there is no `{CARGO_LOCK}`; make it with `cargo generate-lockfile`, and commit it");
        found.push(Finding::error(Rule::CargoLock, CARGO_LOCK, text));
    }
    let of_service = [PACKAGE_JSON, PACKAGE_LOCK].map(|name| config.service.join(name));
    let needed: Vec<_> = NEEDED.into_iter().chain(of_service.iter().map(String::as_str)).collect();
    match git.map_or_else(|| Ok(Vec::new()), |git| git.ignored(&needed)) {
        Ok(ignored) => found.extend(ignored.iter().filter(|path| root.join(path).exists()).map(|path| {
            let text = format!(
                "`{path}` is ignored by git, so no commit will have it; run `git add --force {path}`, or change `.gitignore`"
            );
            Finding::error(Rule::FileIgnored, path, text)
        })),
        Err(error) => found.push(Finding::error(Rule::FileIgnored, ".gitignore", format!("{error:#}"))),
    }
    found.extend(test_script(root, &of_service[0]).unwrap_or_else(|error| {
        vec![Finding::error(Rule::InputsUnreadable, &of_service[0], format!("{error:#}"))]
    }));
    found
}

/// A note if the package at `path` has no tests that could pass. A file that is no JSON is reported elsewhere.
fn test_script(root: &Path, path: &str) -> Result<Vec<Finding>> {
    let bytes = in_work_tree(root, path)?.unwrap_or_default();
    let Ok(package) = serde_json::from_slice::<Value>(&bytes) else { return Ok(Vec::new()) };
    let script = package["scripts"]["test"].as_str();
    Ok(match script.filter(|script| !is_placeholder_test(script)) {
        Some(_) => Vec::new(),
        None => {
            let text = "package.json has no tests: `scripts.test` is missing, or the failing script of `npm init`; \
                        `cargo xtask ci` runs `npm test` and fails, and a commit whose CI fails is not released";
            vec![Finding::note(Rule::ServiceTest, path, text.to_owned())]
        }
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::test_script;
    use crate::process::temp_dir::TempDir;

    #[test]
    fn a_package_without_tests_that_could_pass_gets_a_note() {
        let scratch = TempDir::new().unwrap();
        for (package, expected) in [
            (r#"{"scripts": {"test": "node --test"}}"#, 0),
            (r#"{"scripts": {"test": "echo \"Error: no test specified\" && exit 1"}}"#, 1),
            (r#"{"scripts": {}}"#, 1),
            ("{}", 1),
            ("{", 0),
        ] {
            fs::write(scratch.path().join("package.json"), package).unwrap();
            assert_eq!(test_script(scratch.path(), "package.json").unwrap().len(), expected, "{package}");
        }
    }
}
