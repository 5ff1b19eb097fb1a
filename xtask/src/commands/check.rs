//! `cargo xtask check`: the rules that a pull request must keep so that its commit can be released. It reads the work
//! tree and, for the list of keys, the tags of the clone. It calls only git. With `--online` it also queries
//! registries.

mod committed;
mod context;
#[cfg(test)]
mod hostile;
mod online;
mod renovate;
mod report;
pub(super) mod workflows;
mod yaml;

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::commands::{policies, testbed};
use crate::evidence::provenance::RELEASE_WORKFLOW;
use crate::inputs::config::{Config, MANIFEST};
use crate::inputs::finding::{Finding, Rule, Unclear};
use crate::inputs::keys::{self, Keys, PublicKey};
use crate::inputs::source::release_tags;
use crate::inputs::{Inputs, PUBLIC_KEY, in_work_tree, is_placeholder, pin};
use crate::process::Runner;
use crate::process::environment::Environment;
use crate::process::interrupt;
use crate::process::stderr;
use crate::tool::git::Git;

/// Checks the repository around the current directory and prints every finding; with `json`, as one document. With
/// `is_online`, it also queries registries.
///
/// # Errors
/// A [`crate::process::failure::Refusal`] when a rule is broken.
pub fn run(environment: &Environment, is_online: bool, json: bool) -> Result<()> {
    let runner = Runner::new(environment);
    let git = Git::here(&runner)?;
    let mut findings = findings(git.root(), Some(&git));
    if is_online {
        findings.extend(online::findings(environment, &runner, git.root()));
        interrupt::check()?;
    }
    if json {
        report::print(git.root(), &findings)?;
        return report::counted(&findings);
    }
    report::verdict(git.root(), &findings)?;
    stderr::line("all checks passed");
    Ok(())
}

/// Checks the repository at `root`, and prints its notes.
///
/// # Errors
/// A [`crate::process::failure::Refusal`] that lists every broken rule.
pub fn check(runner: &Runner, root: &Path) -> Result<()> {
    let git = Git::discover(runner, root)?;
    report::verdict(root, &findings(root, Some(&git)))
}

/// All findings in the repository at `root`. Without `git`, the tags are not checked.
fn findings(root: &Path, git: Option<&Git>) -> Vec<Finding> {
    let configured = match Config::of_work_tree(root) {
        Ok(config) => [
            inputs(root, &config),
            context::findings(root, &config),
            policies::findings(root, &config),
            committed::findings(root, &config, git),
        ]
        .concat(),
        Err(error) => vec![Finding::error(Rule::ConfigInvalid, MANIFEST, format!("{error:#}"))],
    };
    [
        configured,
        public_key(root),
        key_history(root, git),
        workflows::findings(root),
        renovate::findings(root),
        online::exceptions(root),
    ]
    .concat()
}

/// Why a pushed tag does not start a release by this tool in the repository at `root`; `None` if it does.
#[must_use]
pub(super) fn without_release_workflow(root: &Path) -> Option<String> {
    let is_about_it = |finding: &Finding| {
        finding.rule == Rule::WorkflowRelease
            || (finding.rule == Rule::WorkflowUnreadable && finding.file == RELEASE_WORKFLOW)
    };
    workflows::findings(root).into_iter().find(is_about_it).map(|finding| finding.text)
}

/// Checks configuration, Dockerfile and lockfile against each other.
fn inputs(root: &Path, config: &Config) -> Vec<Finding> {
    let mut found = Vec::new();
    if !testbed::is_in(root) && config.source_url() == pin::HOME {
        let text = "`forge` and `repository` in `Cargo.toml` are those of this tool's own repository; set them to yours";
        found.push(Finding::error(Rule::ConfigHome, MANIFEST, text));
    }
    match Inputs::read(config, &|paths| paths.iter().map(|path| file(root, path)).collect()) {
        Ok(inputs) => found.extend(inputs.problems.into_iter().chain(inputs.notes)),
        Err(error) => found.extend(unreadable(&error)),
    }
    found
}

/// The findings that are the cause of `error`, else the error itself.
fn unreadable(error: &anyhow::Error) -> Vec<Finding> {
    let unclear = error.downcast_ref::<Unclear>();
    let mut found = unclear.map_or_else(Vec::new, |unclear| unclear.findings.clone());
    if !found.iter().any(Finding::is_error) {
        let file = unclear.map_or(MANIFEST, |unclear| &unclear.file);
        found.push(Finding::error(Rule::InputsUnreadable, file, format!("{error:#}")));
    }
    found
}

fn file(root: &Path, path: &str) -> Result<Option<Vec<u8>>> {
    in_work_tree(root, path).map_err(|error| Unclear::error(Rule::InputsUnreadable, path, error))
}

fn public_key(root: &Path) -> Vec<Finding> {
    let error = |rule, text: String| vec![Finding::error(rule, PUBLIC_KEY, text)];
    let pem = match in_work_tree(root, PUBLIC_KEY) {
        Ok(Some(pem)) => pem,
        Ok(None) => {
            let text = format!("there is no `{PUBLIC_KEY}`; make it with `cargo xtask keygen DIR`");
            return error(Rule::PublicKey, text);
        }
        Err(why) => return error(Rule::PublicKey, format!("{why:#}")),
    };
    if let Err(why) = PublicKey::parse(&pem) {
        let text = format!(
            "reading `{PUBLIC_KEY}`: {why:#}; restore it from git, or, if nothing was released with it, `git rm {PUBLIC_KEY}` \
             and run `cargo xtask keygen DIR`"
        );
        return error(Rule::PublicKey, text);
    }
    match (is_placeholder(&pem), testbed::is_in(root)) {
        (false, _) => Vec::new(),
        (true, false) => error(
            Rule::PublicKeyPlaceholder,
            format!(
                "`{PUBLIC_KEY}` is the placeholder of this tool's own repository, and nobody can sign with it; make yours with \
                 `cargo xtask keygen DIR`"
            ),
        ),
        (true, true) => vec![Finding::note(
            Rule::PublicKeyPlaceholder,
            PUBLIC_KEY,
            format!(
                "`{PUBLIC_KEY}` is the placeholder that this project comes with, and nobody can sign with it: make a key pair \
                 with `cargo xtask keygen DIR` before the first release"
            ),
        )],
    }
}

/// Checks the list of keys. If there is none, [`public_key`] reports everything.
fn key_history(root: &Path, git: Option<&Git>) -> Vec<Finding> {
    let agrees = || {
        let (Some(keys), Some(git)) = (Keys::of_work_tree(root)?, git) else { return Ok(()) };
        let released = git.tags().and_then(|tags| keys::released(git, release_tags(&tags)));
        let released = released.context("comparing the list of keys with the release tags")?;
        keys::check_released(&keys.entries().collect::<Vec<_>>(), &released)
    };
    agrees()
        .err()
        .map(|error: anyhow::Error| Finding::error(Rule::KeyHistory, keys::HISTORY, format!("{error:#}")))
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::findings;
    use crate::inputs::finding::Rule;
    use crate::inputs::keys::tests::{PEM, repository};
    use crate::process::temp_dir::TempDir;

    const MANIFEST: &str = "[workspace.metadata.release]\nforge = \"https://forge.example.org\"\nrepository = \"acme/carol\"\n\
        title = \"t\"\ndescription = \"d\"\nlicenses = \"MIT\"\nplatforms = [\"linux/amd64\"]\nbranches = [\"main\"]\n\
        service = \".\"\n[workspace.metadata.release.smoke]\ncommand = [\"true\"]\n";

    #[test]
    fn an_unpinned_base_image_is_reported_with_its_line_and_not_as_unreadable() {
        let scratch = TempDir::new().unwrap();
        let write = |name: &str, text: &str| fs::write(scratch.path().join(name), text).unwrap();
        write("Cargo.toml", MANIFEST);
        write("package.json", "{}");
        write("package-lock.json", "{\"lockfileVersion\": 3, \"packages\": {\"\": {}}}");
        write("Dockerfile", "# comment\nFROM images.example.org/x:latest\n");
        let of_inputs =
            |rule| findings(scratch.path(), None).into_iter().find(|finding| finding.rule == rule);
        let found = of_inputs(Rule::DockerfileFromDigest).unwrap();
        assert_eq!((&*found.file, found.line), ("Dockerfile", Some(2)));
        assert_eq!(of_inputs(Rule::InputsUnreadable), None);
        assert_eq!(of_inputs(Rule::ConfigInvalid), None);
        fs::remove_file(scratch.path().join("Dockerfile")).unwrap();
        assert!(of_inputs(Rule::InputsUnreadable).unwrap().text.contains("there is no `Dockerfile`"));
    }

    #[test]
    fn an_unusable_lockfile_is_reported_with_its_path_and_its_rule() {
        let scratch = TempDir::new().unwrap();
        let write = |name: &str, text: &str| fs::write(scratch.path().join(name), text).unwrap();
        fs::create_dir(scratch.path().join("api")).unwrap();
        write("Cargo.toml", &MANIFEST.replace("service = \".\"", "service = \"api\""));
        write("Dockerfile", include_str!("../../../Dockerfile"));
        write("api/package.json", r#"{"dependencies": {"a": "1"}}"#);
        let found = |lock: &str| {
            write("api/package-lock.json", lock);
            let errors = findings(scratch.path(), None);
            let about = errors.into_iter().filter(|finding| finding.file == "api/package-lock.json");
            about.map(|finding| finding.rule).collect::<Vec<_>>()
        };
        let packages = |ranges: &str, more: &str| {
            found(&format!(
                r#"{{"lockfileVersion": 3, "packages": {{"": {{"dependencies": {ranges}}}{more}}}}}"#
            ))
        };
        let unpinned = r#", "node_modules/a": {"version": "1.0.0"}"#;
        assert_eq!(packages("{}", ""), [Rule::LockfileOutOfSync]);
        assert_eq!(packages(r#"{"a": "1"}"#, unpinned), [Rule::LockfileMissingEntry]);
        assert_eq!(found(r#"{"lockfileVersion": 1}"#), [Rule::InputsUnreadable]);
        assert_eq!(found("{"), [Rule::InputsUnreadable]);
        fs::remove_file(scratch.path().join("api/package-lock.json")).unwrap();
        fs::create_dir(scratch.path().join("api/package-lock.json")).unwrap();
        let unread = findings(scratch.path(), None);
        assert!(unread.iter().any(|finding| finding.file == "api/package-lock.json"), "{unread:?}");
    }

    #[test]
    fn a_public_key_is_parsed_and_not_only_its_pem_frame() {
        let scratch = TempDir::new().unwrap();
        let found = |pem: &str| {
            fs::write(scratch.path().join("cosign.pub"), pem).unwrap();
            findings(scratch.path(), None).into_iter().find(|finding| finding.rule == Rule::PublicKey)
        };
        assert_eq!(found(PEM[0]), None);
        let framed = |text: &str| format!("-----BEGIN PUBLIC KEY-----\n{text}-----END PUBLIC KEY-----\n");
        for bad in [framed("hello, this is no key\n"), framed(""), "hello\n".to_owned()] {
            let text = found(&bad).unwrap().text;
            assert!(text.contains("cargo xtask keygen DIR"), "{text}");
        }
    }

    #[test]
    fn a_history_whose_last_key_is_not_the_public_key_is_reported() {
        let scratch = TempDir::new().unwrap();
        fs::create_dir(scratch.path().join("keys")).unwrap();
        let found = |rule| findings(scratch.path(), None).into_iter().find(|finding| finding.rule == rule);
        fs::write(scratch.path().join("Cargo.toml"), MANIFEST).unwrap();
        assert_eq!(found(Rule::KeyHistory), None);
        for (path, bytes) in repository() {
            fs::write(scratch.path().join(path), bytes).unwrap();
        }
        assert_eq!(found(Rule::KeyHistory), None);
        fs::write(scratch.path().join("cosign.pub"), PEM[0]).unwrap();
        let text = found(Rule::KeyHistory).unwrap().text;
        assert!(text.contains("they must be the same key"), "{text}");
    }
}
