//! `cargo xtask policies`: writes policies to `policies/` from this repository's configuration. They tell a
//! self-hoster's cosign, podman and skopeo what to accept.

mod content;

use std::path::Path;

use anyhow::Result;

use crate::inputs::config::Config;
use crate::inputs::finding::{self, Finding, Rule};
use crate::inputs::in_work_tree;
use crate::inputs::keys::Keys;
use crate::process::Runner;
use crate::process::environment::Environment;
use crate::process::failure::Refusal;
use crate::process::file::replace;
use crate::process::stderr;
use crate::tool::git::Git;

/// The directory of the policies, from the top of the repository.
const DIRECTORY: &str = "policies";

/// The remedy for every finding here.
const REMEDY: &str = "run `cargo xtask policies` and commit what it wrote";

/// Writes the policies of the repository around the current directory. With `check`, it only compares them.
///
/// # Errors
/// With `check`, a [`Refusal`] when a policy differs from the configuration; otherwise when a policy cannot be written.
pub fn run(environment: &Environment, check: bool) -> Result<()> {
    let git = Git::here(&Runner::new(environment))?;
    if check {
        self::check(git.root())?;
        stderr::line("every policy is what the configuration says");
        return Ok(());
    }
    write_all(git.root())
}

/// Writes the policies of the repository at `root`.
///
/// # Errors
/// When a policy cannot be written.
pub(super) fn write_all(root: &Path) -> Result<()> {
    for (path, text) in files(root, &Config::of_work_tree(root)?)? {
        replace(&root.join(&path), text.as_bytes())?;
        stderr::line(format_args!("wrote    {path}"));
    }
    Ok(())
}

/// The path and text of each policy of the repository at `root`.
///
/// # Errors
/// When the list of keys cannot be read, or the configuration has no image name.
pub(super) fn files(root: &Path, config: &Config) -> Result<Vec<(String, String)>> {
    let files = content::files(config, Keys::of_work_tree(root)?.as_ref())?.into_iter();
    Ok(files.map(|(path, text)| (format!("{DIRECTORY}/{path}"), text)).collect())
}

/// Compares the policies of the repository at `root` with its configuration.
///
/// # Errors
/// A [`Refusal`] that names each policy that differs.
pub fn check(root: &Path) -> Result<()> {
    let found = differences(root, &Config::of_work_tree(root)?)?;
    if found.is_empty() { Ok(()) } else { Err(Refusal::new(finding::joined(&found)).into()) }
}

/// As [`check`], but returns findings.
pub(super) fn findings(root: &Path, config: &Config) -> Vec<Finding> {
    // Problems with the keys have their own rule.
    if Keys::of_work_tree(root).is_err() {
        return Vec::new();
    }
    let unreadable = |error| vec![Finding::error(Rule::PolicyStale, DIRECTORY, format!("{error:#}"))];
    differences(root, config).unwrap_or_else(unreadable)
}

fn differences(root: &Path, config: &Config) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for (path, text) in files(root, config)? {
        let problem = match in_work_tree(root, &path)? {
            Some(found) if found == text.as_bytes() => continue,
            Some(_) => format!("`{path}` is not what the configuration says; {REMEDY}"),
            None => format!("there is no `{path}`; {REMEDY}"),
        };
        findings.push(Finding::error(Rule::PolicyStale, path, problem));
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::{DIRECTORY, check, content, replace};
    use crate::inputs::config::Config;
    use crate::inputs::keys::Keys;
    use crate::inputs::keys::tests::repository;
    use crate::process::temp_dir::TempDir;
    use std::path::Path;

    #[test]
    fn a_policy_that_is_missing_or_stale_is_refused_with_the_remedy() {
        let scratch = TempDir::new().unwrap();
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        std::fs::copy(repository.join("Cargo.toml"), scratch.path().join("Cargo.toml")).unwrap();
        let refused = |words: &str| {
            let error = format!("{:#}", check(scratch.path()).unwrap_err());
            assert!(error.contains(words) && error.contains("`cargo xtask policies`"), "{error}");
        };
        refused("there is no `policies/provenance.cue`");
        let files = content::files(&Config::of_work_tree(scratch.path()).unwrap(), None).unwrap();
        let write = |path: &str, text: &str| {
            replace(&scratch.path().join(DIRECTORY).join(path), text.as_bytes()).unwrap();
        };
        for (path, text) in &files {
            write(path, text);
        }
        check(scratch.path()).unwrap();
        for (path, text) in &files {
            write(path, &format!("{text}#"));
            refused(&format!("`policies/{path}` is not what"));
            write(path, text);
        }
    }

    #[test]
    fn with_a_history_podman_accepts_the_present_key_and_the_one_before_it() {
        let config = Config::of_work_tree(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
        let policy = |keys: Option<&Keys>| {
            let files = content::files(&config, keys).unwrap();
            let (_, text) = files.into_iter().find(|(path, _)| path == "policy.json").unwrap();
            let policy: serde_json::Value = serde_json::from_str(&text).unwrap();
            let scopes = policy["transports"]["docker"].as_object().unwrap();
            scopes.values().next().unwrap()[0].clone()
        };
        assert_eq!(policy(None)["keyPath"], "/etc/containers/carol.pub");
        let files = repository();
        let read = |paths: &[String]| Ok(paths.iter().map(|path| files.get(path).cloned()).collect());
        let mut keys = Keys::read(&read).unwrap().unwrap();
        assert_eq!(
            policy(Some(&keys))["keyPath"],
            "/etc/containers/carol-0003.pub",
            "this key replaces a lost one, so it is the only one"
        );
        assert_eq!(policy(Some(&keys)).get("keyPaths"), None, "older programs refuse unknown fields");
        drop(keys.keys.pop());
        let both = serde_json::json!(["/etc/containers/carol-0001.pub", "/etc/containers/carol-0002.pub"]);
        assert_eq!(policy(Some(&keys))["keyPaths"], both);
        assert_eq!(policy(Some(&keys)).get("keyPath"), None);
    }
}
