//! A candidate that the release's own gate refuses after signing: no signature or attestation of it remains.

use anyhow::{Result, ensure};
use xtask::evidence::attached::Kind;
use xtask::oci::reference::{Digest, Tag};
use xtask::oci::registry::{Client, Manifest, Removal};

use super::project::Project;
use super::snapshot::Snapshot;
use crate::harness::run::Xtask;
use crate::harness::test;

const TAG: &str = "v0.1.0";

/// Attaches an unsigned SBOM, which makes `attachments` false.
pub(crate) fn attach(registry: &Client, digest: &Digest) -> Result<Tag> {
    const MEDIA_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
    let config = registry
        .put_blob(br#"{"architecture":"","os":"","config":{},"rootfs":{"type":"layers","diff_ids":[]}}"#)?;
    let size = registry.blob(&config)?.unwrap_or_default().len();
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": MEDIA_TYPE, "layers": [],
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": size},
    });
    let tag: Tag = format!("sha256-{}.sbom", digest.hex()).parse()?;
    registry.put(&tag, &Manifest::new(MEDIA_TYPE, serde_json::to_vec(&manifest)?))?;
    Ok(tag)
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn a_candidate_that_is_refused_after_signing_loses_its_signatures() -> Result<()> {
    test(|| {
        let project = Project::ready()?;
        project.push_tag(TAG)?;
        let rehearsed = Xtask::new(&project.checkout, &["rehearse", TAG]).run()?.success()?.digest()?;
        let foreign = attach(&project.repository.registry(), &rehearsed)?;

        // Twice: a refused run must not block the next run.
        for _ in 0..2 {
            let refused = project.laptop(&["release", TAG]).run()?;
            ensure!(refused.code == 1, "it ended with {}:\n{}", refused.code, refused.stderr);
            for said in ["`attachments` is false", "its signatures and attestations are removed"] {
                ensure!(refused.stderr.contains(said), "it does not say `{said}`:\n{}", refused.stderr);
            }
            ensure!(refused.stderr.contains(rehearsed.as_str()), "it made another image than {rehearsed}");
            let left = Snapshot::of(&project)?;
            ensure!(left.tags.keys().eq([foreign.as_str()]), "more is left than the foreign SBOM: {left:#?}");
            ensure!(left.pages.is_empty(), "there is a page: {left:#?}");
        }

        let removed = project.repository.registry().remove_tag(&foreign)?;
        ensure!(removed == Removal::Gone, "the foreign SBOM stays: {removed:?}");
        project.laptop(&["release", TAG]).run()?.success()?;
        project.ensure_signed_once(&rehearsed)?;
        ensure!(Snapshot::of(&project)?.tags.contains_key(Kind::Signatures.tag(&rehearsed).as_str()));
        project.clean_up()
    })
}

/// An earlier run was killed after it had signed. Its candidate is still there, so it might still be running.
#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn signatures_that_another_run_may_need_stay_and_their_removal_is_explained() -> Result<()> {
    test(|| {
        let project = Project::ready()?;
        project.push_tag(TAG)?;
        let mut running = project.laptop(&["release", TAG]).start()?;
        running.until_step("store")?;
        running.signal(nix::sys::signal::Signal::SIGKILL)?;
        running.wait()?;
        project.clean_up()?;
        let rehearsed = Xtask::new(&project.checkout, &["rehearse", TAG]).run()?.success()?.digest()?;
        let foreign = attach(&project.repository.registry(), &rehearsed)?;
        let refused = project.laptop(&["release", TAG]).run()?;
        ensure!(refused.code == 1, "it ended with {}:\n{}", refused.code, refused.stderr);
        for said in ["may be of another run", "do crane delete"] {
            ensure!(refused.stderr.contains(said), "it does not say `{said}`:\n{}", refused.stderr);
        }
        ensure!(Snapshot::of(&project)?.tags.contains_key(Kind::Signatures.tag(&rehearsed).as_str()));

        let removed = project.repository.registry().remove_tag(&foreign)?;
        ensure!(removed == Removal::Gone, "{removed:?}");
        project.laptop(&["release", TAG]).run()?.success()?;
        project.ensure_signed_once(&rehearsed)?;
        project.clean_up()
    })
}
