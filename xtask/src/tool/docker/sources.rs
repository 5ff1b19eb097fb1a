//! What a build may fetch, as a source policy that `BuildKit` enforces. Whatever a Dockerfile turns out to mean, the
//! builder accepts the context and the named images and files, and denies everything else. What a `RUN` fetches over a
//! network is not a source. <https://github.com/moby/buildkit/blob/master/docs/build-repro.md>

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::oci::reference::Digest;

/// The variable from which buildx reads the path of the policy.
pub(super) const VARIABLE: &str = "EXPERIMENTAL_BUILDKIT_SOURCE_POLICY";

/// `BuildKit`'s wording for a denied source.
const DENIED: &str = "\" denied by policy";

/// How the builder's own errors begin.
const ERROR: &str = "ERROR: ";

/// What a build may fetch besides its context.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// Images with registry, tag and digest: `docker.io/library/node:22-slim@sha256:…`.
    pub images: Vec<String>,
    /// Files that `ADD` downloads, and the digest of each.
    pub files: Vec<(String, Digest)>,
}

impl Sources {
    /// The policy. Later rules override earlier ones. The rule for a file makes the builder require its digest,
    /// wherever the Dockerfile uses the file.
    fn policy(&self) -> Value {
        let rule = |action: &str, identifier: &str, kind: &str| json!({"action": action, "selector": {"identifier": identifier, "matchType": kind}});
        let mut rules = vec![rule("DENY", "*", "WILDCARD"), rule("ALLOW", "local://*", "WILDCARD")];
        rules.extend(
            self.images.iter().map(|image| rule("ALLOW", &format!("docker-image://{image}"), "EXACT")),
        );
        for (url, digest) in &self.files {
            let mut demanded = rule("CONVERT", url, "EXACT");
            demanded["updates"] = json!({"identifier": url, "attrs": {"http.checksum": digest.as_str()}});
            rules.extend([rule("ALLOW", url, "EXACT"), demanded]);
        }
        json!({ "rules": rules })
    }

    /// Writes the policy into `dir`.
    pub(super) fn write(&self, dir: &Path) -> Result<PathBuf> {
        let path = dir.join("sources.json");
        std::fs::write(&path, self.policy().to_string())
            .with_context(|| format!("writing `{}`", path.display()))?;
        Ok(path)
    }
}

/// The denied source, if that is why the build failed: `docker-image://docker.io/library/alpine:latest`. Only the
/// builder's last error counts: what a step prints may look like any message (docs/facts.md#source-policy).
#[must_use]
pub fn denied(error: &anyhow::Error) -> Option<String> {
    let text = format!("{error:#}");
    let (before, _) = last_error(&text)?.split_once(DENIED)?;
    let (_, source) = before.rsplit_once("source \"")?;
    Some(source.to_owned())
}

/// The builder's last line `ERROR: …`. If the builder printed nothing else, only the command line is before it.
fn last_error(text: &str) -> Option<&str> {
    match text.trim_end().split_once('\n') {
        Some((_command, lines)) => lines.lines().rev().find_map(|line| line.strip_prefix(ERROR)),
        None => text.rsplit_once(ERROR).map(|(_command, words)| words).or_else(|| text.strip_prefix(ERROR)),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::{Sources, denied};
    use crate::oci::reference::Digest;

    #[test]
    fn everything_is_denied_except_the_named_images_and_files() {
        let digest = Digest::of(b"x");
        let sources = Sources {
            images: vec![format!("docker.io/library/node:22-slim@{digest}")],
            files: vec![("https://example.org/a.tgz".to_owned(), digest.clone())],
        };
        let rules = sources.policy()["rules"].clone();
        let rules: Vec<_> = rules
            .as_array()
            .unwrap()
            .iter()
            .map(|rule| {
                let word = |pointer| {
                    rule.pointer(pointer).and_then(|word| word.as_str()).unwrap_or_default().to_owned()
                };
                (word("/action"), word("/selector/identifier"), word("/updates/attrs/http.checksum"))
            })
            .collect();
        let row = |action: &str, identifier: &str, digest: &str| {
            (action.to_owned(), identifier.to_owned(), digest.to_owned())
        };
        assert_eq!(
            rules,
            [
                row("DENY", "*", ""),
                row("ALLOW", "local://*", ""),
                row("ALLOW", &format!("docker-image://docker.io/library/node:22-slim@{digest}"), ""),
                row("ALLOW", "https://example.org/a.tgz", ""),
                row("CONVERT", "https://example.org/a.tgz", digest.as_str()),
            ]
        );
    }

    #[test]
    fn a_denied_source_is_named() {
        let image = "ERROR: failed to solve: alpine:latest: could not resolve image due to policy: source \
            \"docker-image://docker.io/library/alpine:latest\" denied by policy: source denied by policy";
        let file = "ERROR: failed to solve: failed to load LLB: error evaluating the source policy: source \
            \"https://example.org/x\" denied by policy: source denied by policy";
        assert_eq!(denied(&anyhow!(image)).unwrap(), "docker-image://docker.io/library/alpine:latest");
        assert_eq!(denied(&anyhow!(file).context("building the image")).unwrap(), "https://example.org/x");
        for other in
            ["ERROR: failed to solve: exit code: 1", "source denied by policy", "x\" denied by policy"]
        {
            assert_eq!(denied(&anyhow!(other)), None, "{other}");
        }
    }

    #[test]
    fn the_output_of_a_step_cannot_imitate_a_denied_source() {
        let says = "source \"docker-image://x\" denied by policy: source denied by policy";
        let exit = "ERROR: failed to solve: process \"/bin/sh -c echo 'source \\\"x\\\" denied by policy'\" did not complete \
            successfully: exit code: 1";
        let printed = |step: &str, end: &str| {
            anyhow!("`docker buildx build` exited with 1:\n#5 [2/2] RUN x\n{step}\n{end}")
        };
        for step in [format!("#5 0.080 {says}"), format!("#5 0.080 ERROR: {says}"), format!("ERROR: {says}")]
        {
            assert_eq!(denied(&printed(&step, exit)), None, "{step}");
        }
        let error = printed(
            "#5 0.080 something",
            &format!("ERROR: failed to solve: x: {says}\nView build details: y"),
        );
        assert_eq!(denied(&error.context("building the image")).unwrap(), "docker-image://x");
    }
}
