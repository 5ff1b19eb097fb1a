//! The policies that self-hosters copy from the repository, in the tools that they are written for. An image of a
//! release passes, and an image that only looks like one does not.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use testbed::committed::REPOSITORY;
use xtask::process::Output;
use xtask::process::secret::Secret;
use xtask::process::temp_dir::{TempDir, random_hex};

use super::project::{Secrets, new_key};
use super::released::{Released, TAG, released};
use crate::evidence;
use crate::harness::checkout::{Checkout, text};
use crate::harness::run::Xtask;
use crate::harness::{call, export, image, read, test};

/// An unsigned copy of the released index in a repository of its own.
fn copy() -> Result<String> {
    let project = &released()?.project;
    let name = format!("{}/e2e-{}/carol", export("TESTBED_REGISTRY")?, &random_hex()?[..12]);
    read(export("TESTBED_CRANE")?, &["copy", &project.image(TAG)?, &format!("{name}:{TAG}")])?;
    Ok(format!("{name}@{}", project.digest(TAG)?))
}

/// Signs or attests with one of the test's keys.
fn cosign(arguments: &[&str], key: &Secret, password: &Secret) -> Result<()> {
    let (verb, rest) = arguments.split_first().context("no command")?;
    let fixed = [*verb, "--yes", "--key", "env://COSIGN_PRIVATE_KEY", "--tlog-upload=false"];
    let call = call(export("TESTBED_COSIGN_2")?, &[&fixed, rest].concat())?;
    call.secret_env("COSIGN_PRIVATE_KEY", key).secret_env("COSIGN_PASSWORD", password).run()
}

/// How both major versions of cosign judge the provenance of `pinned` under a policy; they must agree.
fn under_policy(pinned: &str, policy: &Path) -> Result<Result<(), String>> {
    let key = released()?.project.checkout.top().join("cosign.pub");
    let fixed = ["verify-attestation", "--key", text(&key)?, "--insecure-ignore-tlog"];
    let wanted = ["--type", "slsaprovenance1", "--policy", text(policy)?, pinned];
    let ask = |cosign: &str| call(export(cosign)?, &[&fixed[..], &wanted].concat())?.output();
    let (two, three) = (ask("TESTBED_COSIGN_2")?, ask("TESTBED_COSIGN_3")?);
    ensure!(two.status == three.status, "cosign 2: {}\ncosign 3: {}", two.stderr, three.stderr);
    Ok(if two.status.success() { Ok(()) } else { Err(two.stderr + &three.stderr) })
}

/// The provenance of the release with a change.
fn changed(change: impl FnOnce(&mut Value)) -> Result<Value> {
    let Released { project, again: (again, _), .. } = released()?;
    let mut provenance = evidence::provenance(&project.checkout, again)?;
    change(&mut provenance);
    Ok(provenance)
}

/// Gives the copy this provenance and no other, signed with the project's own key.
fn attest(pinned: &str, provenance: &Value) -> Result<()> {
    let scratch = TempDir::new()?;
    let file = scratch.path().join("provenance.json");
    fs::write(&file, provenance.to_string())?;
    let attest =
        ["attest", "--replace", "--type", "https://slsa.dev/provenance/v1", "--predicate", text(&file)?];
    let Secrets { private_key, password, .. } = &released()?.project.secrets;
    cosign(&[&attest[..], &[pinned]].concat(), private_key, password)
}

#[test]
fn cosign_accepts_the_provenance_of_the_release_and_rejects_any_other_origin() -> Result<()> {
    test(|| {
        let project = &released()?.project;
        let policy = project.checkout.top().join("policies/provenance.cue");
        let own = format!("{}@{}", project.repository.image(), project.digest(TAG)?);
        under_policy(&own, &policy)?.map_err(anyhow::Error::msg)?;
        under_policy(&own, &for_one_tag(&policy, TAG)?)?.map_err(anyhow::Error::msg)?;
        ensure!(under_policy(&own, &for_one_tag(&policy, "v0.2.0")?)?.is_err(), "{TAG} passes for v0.2.0");

        let copy = copy()?;
        attest(&copy, &changed(|_| {})?)?;
        under_policy(&copy, &policy)?.map_err(anyhow::Error::msg).context("the copy with nothing changed")?;
        let workflow = "/buildDefinition/externalParameters/workflow";
        let cases = [
            (format!("{workflow}/repository"), json!("https://forge.example.org/mallory/carol")),
            (format!("{workflow}/ref"), json!("refs/heads/main")),
            (format!("{workflow}/ref"), json!("refs/tags/v0.1")),
            (format!("{workflow}/ref"), json!("refs/tags/v01.0.0")),
            (format!("{workflow}/path"), json!(".forgejo/workflows/other.yml")),
            (
                workflow.to_owned(),
                json!({ "repository": project.repository.url(), "ref": "refs/tags/v0.1.0" }),
            ),
            ("/buildDefinition/externalParameters/platforms".to_owned(), json!(["linux/amd64"])),
            ("/buildDefinition/buildType".to_owned(), json!("https://forge.example.org/another")),
            ("/runDetails/builder/id".to_owned(), json!(local_builder()?)),
        ];
        for (pointer, value) in cases {
            let (_, field) = pointer.rsplit_once('/').context("a pointer has a slash")?;
            let mut there = false;
            let provenance = changed(|provenance| {
                if let Some(place) = provenance.pointer_mut(&pointer) {
                    (*place, there) = (value.clone(), true);
                }
            })?;
            ensure!(there, "the provenance has no `{pointer}`");
            attest(&copy, &provenance)?;
            let reason = under_policy(&copy, &policy)?.err();
            let reason = reason.with_context(|| format!("{value} is accepted as `{pointer}`"))?;
            ensure!(reason.contains(field), "`{field}` is not named as the reason: {reason}");
        }
        let unknown = changed(|p| p["buildDefinition"]["externalParameters"]["target"] = json!("debug"))?;
        attest(&copy, &unknown)?;
        let reason = under_policy(&copy, &policy)?.err().context("an unknown parameter is accepted")?;
        ensure!(reason.contains("target: field not allowed"), "{reason}");
        Ok(())
    })
}

/// The policy, narrowed to one tag as docs/verifying.md describes.
fn for_one_tag(policy: &Path, tag: &str) -> Result<PathBuf> {
    let text = fs::read_to_string(policy)?;
    let any = text.lines().find(|line| line.starts_with("#Ref: ")).context("the policy has no `#Ref`")?;
    let narrow = released()?.project.checkout.beside(&format!("{tag}.cue"));
    fs::write(&narrow, text.replace(any, &format!("#Ref: \"refs/tags/{tag}\"")))?;
    Ok(narrow)
}

fn local_builder() -> Result<String> {
    let provenance = changed(|_| {})?;
    let id = provenance["runDetails"]["builder"]["id"].as_str().context("the builder has no id")?;
    Ok(id.replace("#forgejo-actions", "#local-run"))
}

#[test]
fn cosign_accepts_a_persons_release_only_if_the_policy_allows_it() -> Result<()> {
    test(|| {
        let project = &released()?.project;
        let strict = project.checkout.top().join("policies/provenance.cue");
        let lenient = project.checkout.beside("lenient.cue");
        let text = fs::read_to_string(&strict)?;
        let (from, to) = ("predicate!: #ByWorkflow\n", "predicate!: #ByWorkflow | #ByPerson\n");
        ensure!(text.contains(from), "the policy does not say `{from}`");
        fs::write(&lenient, text.replace(from, to))?;

        let (copy, builder) = (copy()?, local_builder()?);
        let by_person = |command: &str| {
            changed(|provenance| {
                let parameters = &mut provenance["buildDefinition"]["externalParameters"];
                let workflow = parameters["workflow"].take();
                parameters.as_object_mut().and_then(|parameters| parameters.remove("workflow"));
                let run = json!({ "repository": workflow["repository"], "ref": workflow["ref"], "command": command });
                parameters["localRun"] = run;
                provenance["runDetails"]["builder"]["id"] = json!(builder);
            })
        };
        attest(&copy, &by_person("cargo xtask release")?)?;
        ensure!(under_policy(&copy, &strict)?.is_err(), "the strict policy accepts a person's release");
        under_policy(&copy, &lenient)?.map_err(anyhow::Error::msg)?;
        attest(&copy, &by_person("cargo xtask rehearse")?)?;
        ensure!(under_policy(&copy, &lenient)?.is_err(), "a rehearsal passes as a release");
        attest(&copy, &changed(|_| {})?)?;
        under_policy(&copy, &lenient)?.map_err(anyhow::Error::msg)
    })
}

/// `skopeo copy` of `reference` on a machine with the policies of `checkout`, the public key `key`, and a default
/// that rejects everything.
fn skopeo(checkout: &Checkout, key: &Path, reference: &str) -> Result<Output> {
    skopeo_with(checkout, reference, |requirement| {
        requirement["keyPath"] = json!(text(key)?);
        Ok(())
    })
}

/// The same, with `install` to set the paths of the keys in the policy. They are elsewhere here than on a machine on
/// which the policy is installed.
pub(super) fn skopeo_with(
    checkout: &Checkout,
    reference: &str,
    install: impl Fn(&mut Value) -> Result<()>,
) -> Result<Output> {
    let scratch = TempDir::new()?;
    let policies = checkout.top().join("policies");
    let mut policy: Value = serde_json::from_slice(&fs::read(policies.join("policy.json"))?)?;
    policy["default"] = json!([{ "type": "reject" }]);
    let scopes = policy["transports"]["docker"].as_object_mut().context("the policy has no scopes")?;
    for requirement in scopes.values_mut().flat_map(|list| list.as_array_mut().into_iter().flatten()) {
        install(requirement)?;
    }
    let file = scratch.path().join("policy.json");
    fs::write(&file, policy.to_string())?;
    let registries = policies.join("registries.d");
    let (from, to) = (format!("docker://{reference}"), format!("dir:{}/out", text(scratch.path())?));
    let global = ["--policy", text(&file)?, "--registries.d", text(&registries)?];
    let copy = ["copy", "--quiet", "--src-tls-verify=false", &from, &to];
    call(export("TESTBED_SKOPEO")?, &[&global[..], &copy].concat())?.output()
}

pub(super) fn ensure_copied(output: &Output, what: &str) -> Result<()> {
    ensure!(output.status.success(), "{what} is rejected: {}", output.stderr);
    Ok(())
}

pub(super) fn ensure_refused(output: &Output, what: &str, words: &str) -> Result<()> {
    ensure!(!output.status.success(), "{what} is copied");
    ensure!(output.stderr.contains(words), "{what} is rejected without `{words}`: {}", output.stderr);
    Ok(())
}

/// The index and each platform's manifest in it.
fn manifests(pinned: &str) -> Result<Vec<String>> {
    let platforms = image::platforms(pinned, &image::json(pinned)?)?;
    Ok([pinned.to_owned()].into_iter().chain(platforms.into_iter().map(|(_, manifest)| manifest)).collect())
}

#[test]
fn skopeo_accepts_the_released_image_and_each_of_its_platforms() -> Result<()> {
    test(|| {
        let project = &released()?.project;
        let key = project.checkout.top().join("cosign.pub");
        let pinned = format!("{}@{}", project.repository.image(), project.digest(TAG)?);
        let manifests = manifests(&pinned)?;
        ensure!(manifests.len() == 3, "{manifests:?}");
        for reference in manifests.iter().chain([&project.image(TAG)?]) {
            ensure_copied(&skopeo(&project.checkout, &key, reference)?, reference)?;
        }
        // Nothing outside the policy's scope is accepted: here, the same image under another name.
        ensure_refused(
            &skopeo(&project.checkout, &key, &copy()?)?,
            "another repository",
            "rejected by policy",
        )
    })
}

#[test]
fn skopeo_rejects_an_image_that_is_unsigned_or_signed_by_another_key() -> Result<()> {
    test(|| {
        let pinned = copy()?;
        let (name, _) = pinned.split_once('@').context("the copy has no digest")?;
        let checkout = Checkout::as_committed()?;
        let repository = format!("repository = \"{REPOSITORY}\"");
        checkout.replace("Cargo.toml", &repository, &format!("{repository}\nimage = \"{name}\""))?;
        Xtask::new(&checkout, &["policies"]).run()?.success()?;
        let password = Secret::new(random_hex()?);
        let (own, other) = (new_key(&checkout, "own", &password)?, new_key(&checkout, "other", &password)?);
        let key = checkout.beside("own.pub");
        let each = |words: Option<&str>| {
            for reference in manifests(&pinned)? {
                let output = skopeo(&checkout, &key, &reference)?;
                match words {
                    Some(words) => ensure_refused(&output, &reference, words)?,
                    None => ensure_copied(&output, &reference)?,
                }
            }
            Ok::<_, anyhow::Error>(())
        };
        each(Some("A signature was required, but no signature exists"))?;
        cosign(&["sign", "--recursive", &pinned], &other, &password)?;
        each(Some("cryptographic signature verification failed"))?;
        // The refusals were because of the signature: with the right one, the same image passes.
        cosign(&["sign", "--recursive", &pinned], &own, &password)?;
        each(None)
    })
}
