//! How each verifier is asked whether it accepts an image with a key: with the arguments and files that its manual
//! gives.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use xshell::cmd;
use xtask::process::{Output, Runner};

use super::tool::Found;
use crate::provision::text;

/// Enough for one question on a loaded machine.
const TIMEOUT: Duration = Duration::from_secs(120);

/// How a program is asked.
#[derive(Clone, Copy)]
pub(super) enum Method {
    /// As on a release's page.
    Cosign,
    /// As on a release's page, with a trusted root in a file. For bundles, cosign 2.6 requires a trusted root even
    /// if a key is given, and would fetch that of the public Sigstore.
    CosignTrusting,
    /// With a policy, while it copies the image.
    Skopeo,
    /// With a `ClusterImagePolicy`.
    PolicyController,
    /// With a `ClusterPolicy` whose rule has this type.
    Kyverno(&'static str),
    /// With each bundle as a file.
    SigstoreGo,
}

impl Method {
    /// Whether it can check the version.
    fn knows_versions(self) -> bool {
        matches!(self, Self::Cosign | Self::CosignTrusting | Self::Kyverno(_))
    }
}

/// A question to a verifier.
pub(super) struct Question<'a> {
    /// `HOST/OWNER/NAME@DIGEST`
    pub(super) image: &'a str,
    /// The public key that the image is checked with.
    pub(super) key: &'a Path,
    /// The expected version, without `v`.
    pub(super) version: &'a str,
    /// Whether the question is about the version.
    pub(super) is_about_version: bool,
    /// The bundles of the image, as files.
    pub(super) bundles: &'a [PathBuf],
    /// An empty directory, for the files of the question.
    pub(super) dir: &'a Path,
}

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The verifier exits with 0.
    Accepts,
    /// It exits with another code; this is the last line of its output.
    Refuses(String),
    /// There is nothing that it could check.
    NotAsked,
}

impl Answer {
    /// Its word in the table.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Accepts => "accepts",
            Self::Refuses(_) => "refuses",
            Self::NotAsked => "–",
        }
    }
}

/// Asks `found` and waits for its answer.
pub(super) fn ask(runner: &Runner, found: &Found, question: &Question<'_>) -> Result<Answer> {
    let method = found.tool.method;
    if question.is_about_version && !method.knows_versions() {
        return Ok(Answer::NotAsked);
    }
    let commands = match method {
        Method::Cosign => cosign(&[], question)?,
        Method::CosignTrusting => {
            let root = json!({ "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1" });
            let root = write(question, "trusted-root.json", &root)?;
            cosign(&["--trusted-root", text(&root)?], question)?
        }
        Method::Skopeo => vec![skopeo(question)?],
        Method::PolicyController => vec![policy_controller(question)?],
        Method::Kyverno(kind) => vec![kyverno(kind, question)?],
        Method::SigstoreGo => sigstore_go(question)?,
    };
    if commands.is_empty() {
        return Ok(Answer::NotAsked);
    }
    let mut answers = Vec::new();
    for words in commands {
        let (shell, program) = (runner.shell()?, &found.program);
        let call = runner.call(cmd!(shell, "{program} {words...}")).dir(question.dir).timeout(TIMEOUT);
        let output = call.output().with_context(|| format!("asking {}", found.tool.name))?;
        answers.push(answer(method, &output)?);
    }
    let accepts = answers.contains(&Answer::Accepts);
    let refusal = answers.into_iter().find(|answer| *answer != Answer::Accepts);
    Ok(match refusal {
        // A verifier that picks bundles from a list uses those with the right key, and ignores a stranger's.
        Some(refusal) if !(accepts && matches!(method, Method::SigstoreGo)) => refusal,
        _ => Answer::Accepts,
    })
}

/// The answer that a program gives with its exit code.
fn answer(method: Method, output: &Output) -> Result<Answer> {
    let text = output.text()?;
    let said = format!("{text}\n{}", output.stderr);
    let mut lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    if output.status.success() {
        // Kyverno also exits with 0 if no rule matched the image.
        let was_checked =
            !matches!(method, Method::Kyverno(_)) || !lines.any(|line| line.starts_with("pass: 0"));
        ensure!(was_checked, "the policy did not match the image: {said}");
        return Ok(Answer::Accepts);
    }
    Ok(Answer::Refuses(lines.next_back().unwrap_or("nothing").to_owned()))
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|&word| word.to_owned()).collect()
}

/// The three commands of a release page.
fn cosign(options: &[&str], question: &Question<'_>) -> Result<Vec<Vec<String>>> {
    let fixed = [&["--key", text(question.key)?, "--insecure-ignore-tlog"], options].concat();
    let version = format!("version={}", question.version);
    let signature = [&["verify"], &fixed[..], &["-a", &version, question.image]].concat();
    let attestation = |kind: &str| {
        words(&[&["verify-attestation"], &fixed[..], &["--type", kind, question.image]].concat())
    };
    Ok(vec![words(&signature), attestation("slsaprovenance1"), attestation("cyclonedx")])
}

/// A copy, with a policy that accepts only this key.
fn skopeo(question: &Question<'_>) -> Result<Vec<String>> {
    let repository = repository(question.image)?;
    let accepted = json!([{
        "type": "sigstoreSigned", "keyPath": question.key, "signedIdentity": { "type": "matchRepository" }
    }]);
    let policy = json!({
        "default": [{ "type": "reject" }], "transports": { "docker": { repository: accepted } }
    });
    let lookaside = json!({ "docker": { repository: { "use-sigstore-attachments": true } } });
    let policy = write(question, "policy.json", &policy)?;
    let registries = question.dir.join("registries.d");
    fs::create_dir(&registries).with_context(|| format!("making `{}`", registries.display()))?;
    // JSON is valid YAML.
    write(question, "registries.d/registry.yaml", &lookaside)?;
    let copy = question.dir.join("copy");
    let (from, to) = (format!("docker://{}", question.image), format!("dir:{}", text(&copy)?));
    let global = ["--policy", text(&policy)?, "--registries.d", text(&registries)?];
    Ok(words(&[&global[..], &["copy", "--quiet", "--src-tls-verify=false", &from, &to]].concat()))
}

/// A policy that requires a signature and the provenance.
fn policy_controller(question: &Question<'_>) -> Result<Vec<String>> {
    let provenance = json!([{ "name": "provenance", "predicateType": "https://slsa.dev/provenance/v1" }]);
    let key = json!({ "data": pem(question)?, "hashAlgorithm": "sha256" });
    let policy = json!({
        "apiVersion": "policy.sigstore.dev/v1beta1",
        "kind": "ClusterImagePolicy",
        "metadata": { "name": "by-key" },
        "spec": {
            "images": [{ "glob": "**" }],
            "authorities": [
                { "name": "signed", "key": key },
                { "name": "attested", "key": key, "attestations": provenance },
            ],
        },
    });
    let policy = write(question, "policy.json", &policy)?;
    Ok(words(&["--policy", text(&policy)?, "--image", question.image, "--log-level", "error"]))
}

/// A policy with a rule of that `kind`, and a pod with the image.
fn kyverno(kind: &str, question: &Question<'_>) -> Result<Vec<String>> {
    let key = json!({
        "keys": {
            "publicKeys": pem(question)?, "rekor": { "ignoreTlog": true }, "ctlog": { "ignoreSCT": true }
        },
        "annotations": { "version": question.version },
    });
    let rule = json!({
        "name": "by-key",
        "match": { "any": [{ "resources": { "kinds": ["Pod"] } }] },
        "verifyImages": [{
            "type": kind, "imageReferences": ["*"], "mutateDigest": false, "failureAction": "Enforce",
            "attestors": [{ "count": 1, "entries": [key] }],
        }],
    });
    let policy = json!({
        "apiVersion": "kyverno.io/v1",
        "kind": "ClusterPolicy",
        "metadata": { "name": "by-key" },
        "spec": { "webhookTimeoutSeconds": 30, "rules": [rule] },
    });
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": "pod", "namespace": "default" },
        "spec": { "containers": [{ "name": "service", "image": question.image }] },
    });
    // JSON is valid YAML. Kyverno ignores files with another extension.
    let (policy, pod) = (write(question, "policy.yaml", &policy)?, write(question, "pod.yaml", &pod)?);
    Ok(words(&["apply", text(&policy)?, "--resource", text(&pod)?, "--registry"]))
}

/// Each bundle on its own.
fn sigstore_go(question: &Question<'_>) -> Result<Vec<Vec<String>>> {
    let (_, digest) = question.image.rsplit_once("@sha256:").context("the image has no digest")?;
    let key = text(question.key)?;
    question.bundles.iter().map(|bundle| Ok(words(&[key, digest, text(bundle)?]))).collect()
}

/// `HOST/OWNER/NAME` of an image.
fn repository(image: &str) -> Result<&str> {
    image.split_once('@').map(|(name, _)| name).with_context(|| format!("`{image}` has no digest"))
}

fn pem(question: &Question<'_>) -> Result<String> {
    fs::read_to_string(question.key).with_context(|| format!("reading `{}`", question.key.display()))
}

/// Writes a file for the question.
fn write(question: &Question<'_>, name: &str, content: &Value) -> Result<PathBuf> {
    let path = question.dir.join(name);
    fs::write(&path, content.to_string()).with_context(|| format!("writing `{}`", path.display()))?;
    Ok(path)
}
