//! Somebody else was there first: a version tag in the registry on another image, or a git tag that is at another
//! commit or missing on the forge.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use testbed::forge_client::State;
use testbed::proxy::Fault;
use xtask::evidence::attached::Kind;
use xtask::evidence::bundle;
use xtask::oci::reference::{Digest, Tag};
use xtask::oci::registry::{Manifest, Removal};

use super::project::Project;
use super::snapshot::Snapshot;
use crate::bad_input::REFUSED;
use crate::harness::run::Finished;
use crate::harness::{test, wait_for};

const TAG: &str = "v0.1.0";

/// Pushes an unsigned image: an empty index.
pub(super) fn push_foreign(project: &Project, tag: &str) -> Result<Digest> {
    let media_type = "application/vnd.oci.image.index.v1+json";
    let bytes =
        format!("{{\"schemaVersion\":2,\"mediaType\":\"{media_type}\",\"manifests\":[]}}").into_bytes();
    let manifest = Manifest { digest: Digest::of(&bytes), media_type: media_type.to_owned(), bytes };
    project.repository.registry().put(&tag.parse()?, &manifest)?;
    Ok(manifest.digest)
}

#[test]
fn a_version_tag_on_another_image_is_refused_and_both_digests_are_named() -> Result<()> {
    test(|| {
        let project = Project::ready()?;
        project.push_tag(TAG)?;
        let foreign = push_foreign(&project, TAG)?;
        let refused = project.refused(&["release", TAG], &[foreign.as_str(), "the commit gives `sha256:"])?;
        let ours = refused.split_once("the commit gives `").and_then(|(_, rest)| rest.split('`').next());
        let ours = ours.context("the message names no digest of this commit")?;
        assert_ne!(ours, foreign.as_str());

        // The digest in the message is the digest of the release once the tag is free, as the message advises.
        let tag: Tag = TAG.parse()?;
        ensure!(
            project.repository.registry().remove_tag(&tag)? == Removal::Gone,
            "`{tag}` was not there to remove"
        );
        let released = project.laptop(&["release", TAG]).run()?.success()?;
        assert_eq!(released.digest()?.as_str(), ours);
        Ok(())
    })
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn a_published_version_is_not_published_again_with_another_image() -> Result<()> {
    test(|| {
        let project = Project::ready()?;
        project.push_tag(TAG)?;
        let tag: Tag = TAG.parse()?;
        let first = project.laptop(&["release", TAG]).run()?.success()?.digest()?;
        let remove_tag = || {
            let gone = project.repository.registry().remove_tag(&tag)? == Removal::Gone;
            ensure!(gone, "`{tag}` was not there to remove");
            Ok::<_, anyhow::Error>(())
        };
        // The same commit gives the same image.
        remove_tag()?;
        let again = project.laptop(&["release", TAG]).run()?.success()?.digest()?;
        assert_eq!(again, first);
        let page = Snapshot::of(&project)?.pages;

        remove_tag()?;
        let elsewhere = project.commit("fix: one more")?;
        project.push_main()?;
        project.set_status(&elsewhere, State::Success)?;
        project.checkout.git(&["tag", "--force", TAG])?;
        project.repository.push(project.checkout.top(), &[&format!("+{elsewhere}:refs/tags/{TAG}")])?;
        let words = ["was signed before", first.as_str(), "release the next one", "nothing was changed"];
        project.refused(&["release", TAG], &words)?;

        // Even if everything that was attached to the first image is gone, the page says that it was published.
        for attached in [Kind::Signatures.tag(&first), Kind::Attestations.tag(&first), bundle::tag(&first)] {
            let gone = project.repository.registry().remove_tag(&attached)? == Removal::Gone;
            ensure!(gone, "`{attached}` was not there to remove");
        }
        let ended = project.laptop(&["release", TAG]).run()?;
        ensure!(ended.code == REFUSED, "exit code {}, expected {REFUSED}:\n{}", ended.code, ended.stderr);
        for word in
            ["nothing public was changed", "was published before", first.as_str(), "release the next one"]
        {
            ensure!(ended.stderr.contains(word), "it does not say `{word}`:\n{}", ended.stderr);
        }
        let after = Snapshot::of(&project)?;
        ensure!(after.pages == page, "{:#?}", after.pages);
        ensure!(!after.image_tags().contains(&TAG), "the version is there again");
        project.checkout.ensure_nothing_is_left()
    })
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn a_page_whose_text_cannot_stay_is_refused_before_the_version_is_public() -> Result<()> {
    test(|| {
        let project = Project::ready()?;
        project.push_tag(TAG)?;
        let body = "## What's Changed\n\n* one\n";
        project.repository.publish(&json!({ "tag_name": TAG, "name": TAG, "body": body }))?;
        let pages = Snapshot::of(&project)?.pages;
        let ended = project.laptop(&["release", TAG]).run()?;
        ensure!(ended.code == REFUSED, "exit code {}, expected {REFUSED}:\n{}", ended.code, ended.stderr);
        ensure!(ended.stderr.contains("cannot stay: line 1: "), "it names no line:\n{}", ended.stderr);
        let after = Snapshot::of(&project)?;
        ensure!(after.pages == pages, "{:#?}", after.pages);
        let is_candidate = |tag: &String| tag.starts_with("candidate-");
        ensure!(after.tags.keys().all(is_candidate), "public: {:#?}", after.tags);
        project.checkout.ensure_nothing_is_left()
    })
}

/// The other tests rely on this when the watcher reports nothing.
#[test]
fn the_watcher_reports_an_unsigned_tag() -> Result<()> {
    test(|| {
        for tag in [TAG, "latest"] {
            let project = Project::new()?;
            let watcher = project.watch()?;
            let digest = push_foreign(&project, tag)?;
            wait_for("the tag to be listed", || {
                Ok(project.repository.registry_tags()?.contains(&tag.to_owned()).then_some(()))
            })?;
            let seen = watcher.finish(&[]).err().map(|error| format!("{error:#}")).unwrap_or_default();
            for kind in [".sig", ".att", ""] {
                let wanted = format!("no `sha256-{}{kind}`", digest.hex());
                assert!(seen.contains(&wanted), "`{tag}` without `{wanted}` was not noticed: {seen}");
            }
        }
        Ok(())
    })
}

#[test]
fn a_git_tag_that_is_missing_or_different_on_the_forge_is_refused() -> Result<()> {
    test(|| {
        let project = Project::ready()?;
        let first = project.head()?;
        project.tag(TAG)?;
        project.refused(&["release", TAG], &["`v0.1.0` is not on the forge", "`git push origin v0.1.0`"])?;

        let second = project.commit("fix: one more")?;
        project.push_main()?;
        project.repository.push(project.checkout.top(), &["HEAD:refs/tags/v0.1.0"])?;
        let at = format!("`v0.1.0` is at {second} on the forge and at {first} here");
        project.refused(&["release", TAG], &[&at, "`git fetch --tags --force`"])?;
        Snapshot::of(&project)?.ensure_empty()
    })
}

/// Starts a release, and runs `interfere` after the candidate is pushed and before anything is signed. Returns how the
/// release ended.
fn release_and(interfere: impl FnOnce(&Project) -> Result<()>) -> Result<(Project, Finished)> {
    let project = Project::new()?;
    let proxy = project.go_by_proxy()?;
    project.checkout.commit("chore: by a proxy")?;
    let project = project.pushed()?;
    project.push_tag(TAG)?;
    let (sender, held) = Fault::held();
    proxy.set_rule(move |request| {
        // The tag of a signature.
        let signs = request.method == "PUT" && request.path.contains("/manifests/sha256-");
        if signs { held.clone() } else { Fault::Pass }
    });
    let mut running = project.laptop(&["release", TAG]).start()?;
    running.until_step("smoke")?;
    interfere(&project)?;
    drop(sender);
    let ended = running.wait()?;
    Ok((project, ended))
}

/// Expects a refusal that says `words` when `move_tag` runs during a release.
fn ensure_refused_when_moved(words: &[&str], move_tag: impl FnOnce(&Project) -> Result<()>) -> Result<()> {
    let (project, ended) = release_and(move_tag)?;
    ensure!(ended.code == REFUSED, "exit code {}, expected {REFUSED}:\n{}", ended.code, ended.stderr);
    for word in [&["nothing public was changed"], words].concat() {
        ensure!(ended.stderr.contains(word), "it does not say `{word}`:\n{}", ended.stderr);
    }
    let after = Snapshot::of(&project)?;
    ensure!(after.pages.is_empty(), "{:#?}", after.pages);
    let public: Vec<_> =
        after.image_tags().into_iter().filter(|tag| !tag.starts_with("candidate-")).collect();
    ensure!(public.is_empty(), "public: {public:?}");
    project.checkout.ensure_nothing_is_left()
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn a_release_is_refused_if_its_git_tag_moves_meanwhile() -> Result<()> {
    test(|| {
        ensure_refused_when_moved(&["`v0.1.0` is at", "on the forge and at"], |project| {
            let elsewhere = project.commit("fix: one more")?;
            let moved = format!("+{elsewhere}:refs/tags/{TAG}");
            project.repository.push(project.checkout.top(), &[&moved])
        })?;
        ensure_refused_when_moved(&["`v0.1.0` is not on the forge"], |project| {
            project.repository.push(project.checkout.top(), &[":refs/tags/v0.1.0"])
        })?;
        ensure_refused_when_moved(&["`v0.1.0` is at", "in this clone, and was at"], |project| {
            project.commit("fix: one more")?;
            project.checkout.git(&["tag", "--force", TAG]).map(|_| ())
        })
    })
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn a_release_is_refused_if_its_branch_is_moved_back_meanwhile() -> Result<()> {
    test(|| {
        ensure_refused_when_moved(&["a branch was moved", "`main` is at"], |project| {
            project.repository.push(project.checkout.top(), &["+HEAD~1:refs/heads/main"])
        })
    })
}

/// Puts the version tag on one platform's image of the candidate, as `docker push` of that image does.
fn push_one_platform(project: &Project) -> Result<()> {
    let registry = project.repository.registry();
    let tags = project.repository.registry_tags()?;
    let candidate = tags.iter().find(|tag| tag.starts_with("candidate-")).context("there is no candidate")?;
    let index = registry.manifest(&candidate.parse::<Tag>()?)?.context("the candidate has no manifest")?;
    let index: serde_json::Value = serde_json::from_slice(&index.bytes)?;
    let digest = index["manifests"][0]["digest"].as_str().context("the candidate has no platform")?;
    let manifest = registry.manifest(&digest.parse::<Digest>()?)?.context("the platform has no manifest")?;
    registry.put(&TAG.parse()?, &manifest)
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn a_release_is_refused_if_its_version_tag_appears_on_one_platforms_manifest() -> Result<()> {
    test(|| {
        let (project, ended) = release_and(push_one_platform)?;
        ensure!(ended.code == REFUSED, "exit code {}, expected {REFUSED}:\n{}", ended.code, ended.stderr);
        for word in ["already names `sha256:", "something else there", "a version tag is never moved"] {
            ensure!(ended.stderr.contains(word), "it does not say `{word}`:\n{}", ended.stderr);
        }
        ensure!(Snapshot::of(&project)?.pages.is_empty(), "there is a page");
        project.checkout.ensure_nothing_is_left()
    })
}
