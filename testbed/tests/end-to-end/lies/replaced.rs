//! Attestations that someone replaces while the release runs, after they were verified. The key must not sign their
//! digests.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, ensure};
use testbed::proxy::Fault;
use xtask::evidence::attached::{Attested, Signed};
use xtask::evidence::envelope::{Opened, open, seal};

use super::attached::{position, store, stored_as};
use super::registry::Registry;
use crate::forge::project::Project;
use crate::harness::test;

const TAG: &str = "v0.1.0";
const FAILED: i32 = 1;

/// Replaces the SBOM of the release under [`TAG`] with one that says something else, and keeps its signature.
fn replace_sbom(registry: &Registry) -> Result<()> {
    let digest = registry.manifest(TAG)?.digest();
    let stored = registry.manifest(&stored_as(&digest, "att"))?.json()?;
    let envelope = |attested: Attested| {
        let kind = attested.predicate_type();
        let layer = stored["layers"][position(&stored, kind)?]["digest"].as_str().context("a layer")?;
        let bytes = registry.blob(&layer.parse()?)?;
        Ok(Signed {
            bytes: if attested == Attested::Sbom { forged(&bytes)? } else { bytes },
            predicate_type: kind,
        })
    };
    let envelopes = Attested::ALL.into_iter().map(envelope).collect::<Result<Vec<_>>>()?;
    store(registry, &digest, &envelopes)
}

fn forged(envelope: &[u8]) -> Result<Vec<u8>> {
    let Opened { payload, signature } = open(envelope)?;
    let payload = String::from_utf8(payload)?;
    let changed = payload.replace("\"name\":\"", "\"name\":\"forged-");
    ensure!(changed != payload, "nothing was changed");
    Ok(seal(changed.as_bytes(), &signature))
}

#[test]
fn attestations_replaced_after_verification_are_not_signed_for_the_page() -> Result<()> {
    test(|| {
        let project = Project::new()?;
        let proxy = project.go_by_proxy()?;
        project.push_tagged(TAG)?;
        let (user, path) = (&project.user, project.repository.full_name());
        let registry = Registry::new(&project.forge, &path, user.name(), user.token())?;

        // The version tag is public when the draft of the page is made.
        let is_replaced = AtomicBool::new(false);
        proxy.set_rule(move |request| {
            let makes_page = request.method == "POST" && request.path.ends_with("/releases");
            if makes_page && !is_replaced.swap(true, Ordering::SeqCst) {
                replace_sbom(&registry).expect("the SBOM is replaced");
            }
            Fault::Pass
        });
        let run = project.laptop(&["release", TAG]).run()?;
        // Not a refusal, because the version tag is public by then.
        ensure!(run.code == FAILED, "exit code {}:\n{}", run.code, run.stderr);
        for said in ["were replaced after they were proven", "the version tag is public"] {
            ensure!(run.stderr.contains(said), "it does not say `{said}`:\n{}", run.stderr);
        }
        let page = project.repository.release(TAG)?.context("there is no draft")?;
        ensure!(page.draft && page.assets.is_empty(), "draft: {}, files: {}", page.draft, page.assets.len());
        Ok(())
    })
}
