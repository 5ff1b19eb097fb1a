//! What a rehearsal published: the image in the registry, as other clients see it.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use testbed::committed::native;
use xtask::oci::reference::Digest;

use crate::harness::checkout::Checkout;
use crate::harness::run::Xtask;
use crate::harness::shared::{Shared, rehearsal};
use crate::harness::{call, export, image, test};

#[test]
fn crane_and_skopeo_see_the_printed_digest_under_the_tag_and_latest() -> Result<()> {
    test(|| {
        let run = &rehearsal()?.run;
        let (digest, tagged) = (run.digest()?, run.field("image")?);
        let latest = tagged.replace(":v0.1.0", ":latest");
        for reference in [tagged, &latest] {
            let seen = call(export("TESTBED_CRANE")?, &["digest", reference])?.read()?;
            assert_eq!(seen, digest.as_str(), "crane, {reference}");
            let docker = format!("docker://{reference}");
            let inspect = ["inspect", "--raw", "--tls-verify=false", &docker];
            let raw = call(export("TESTBED_SKOPEO")?, &inspect)?.output()?.success()?.stdout;
            assert_eq!(Digest::of(&raw), digest, "skopeo, {reference}");
        }
        // The tags that cosign uses have the digest of what is signed: of the index, which also has attestations and
        // bundles, and of each platform's manifest.
        let pinned = run.pinned()?;
        let mut expected = vec!["latest".to_owned(), "v0.1.0".to_owned(), cosign_tag(&pinned, ".att")];
        expected.extend([cosign_tag(&pinned, ".sig"), cosign_tag(&pinned, "")]);
        for (_platform, manifest) in image::platforms(&pinned, &image::json(&pinned)?)? {
            expected.push(cosign_tag(&manifest, ".sig"));
        }
        expected.sort();
        // Unlike a forge, the distribution registry 2.x cannot remove the candidate's tag. A candidate tag that is
        // left names the proven image.
        let (candidates, others): (Vec<_>, Vec<_>) =
            image::tags(&pinned)?.into_iter().partition(|tag| tag.starts_with("candidate-"));
        assert_eq!(others, expected);
        for candidate in candidates {
            let manifest = image::manifest(&tagged.replace(":v0.1.0", &format!(":{candidate}")))?;
            assert_eq!(Digest::of(&manifest), digest, "{candidate}");
        }
        Ok(())
    })
}

/// The tag under which cosign stores what belongs to `name@sha256:…`: with `ending`, or without one for bundles.
fn cosign_tag(pinned: &str, ending: &str) -> String {
    let digest = pinned.split_once('@').map_or(pinned, |(_, digest)| digest);
    format!("{}{ending}", digest.replace(':', "-"))
}

#[test]
fn the_index_has_the_two_platforms_and_nothing_else() -> Result<()> {
    test(|| {
        let pinned = rehearsal()?.run.pinned()?;
        let index = image::json(&pinned)?;
        assert_eq!(index["mediaType"], "application/vnd.oci.image.index.v1+json");
        let mut platforms: Vec<_> =
            image::platforms(&pinned, &index)?.into_iter().map(|(platform, _)| platform).collect();
        platforms.sort();
        assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
        Ok(())
    })
}

#[test]
fn labels_and_annotations_name_the_version_the_source_and_the_base_image() -> Result<()> {
    test(|| {
        let Shared { checkout, run, .. } = rehearsal()?;
        let dockerfile = String::from_utf8(checkout.committed("Dockerfile")?)?;
        let from = dockerfile.lines().rfind(|line| line.starts_with("FROM ")).context("there is no FROM")?;
        let (_, base) = from.split_once('@').context("FROM has no digest")?;
        // Git's own formatting, as a second opinion on the time.
        let created = ["log", "-1", "--date=format-local:%Y-%m-%dT%H:%M:%SZ", "--format=%cd"];
        let created = call("git", &created)?.dir(checkout.top()).env("TZ", "UTC").read()?;
        let expected = BTreeMap::from([
            ("title", "carol".to_owned()),
            ("licenses", "MIT".to_owned()),
            ("version", "0.1.0".to_owned()),
            ("revision", checkout.git(&["rev-parse", "HEAD"])?),
            ("source", testbed::committed::URL.to_owned()),
            ("created", created),
            ("base.name", "docker.io/library/node:22-slim".to_owned()),
            ("base.digest", base.to_owned()),
        ]);
        let pinned = run.pinned()?;
        let index = image::json(&pinned)?;
        ensure_says("the index", &index["annotations"], &expected)?;
        for (platform, manifest) in image::platforms(&pinned, &index)? {
            ensure_says(&platform, &image::json(&manifest)?["annotations"], &expected)?;
            ensure_says(&platform, &image::config(&manifest)?["config"]["Labels"], &expected)?;
        }
        Ok(())
    })
}

fn ensure_says(place: &str, found: &Value, expected: &BTreeMap<&str, String>) -> Result<()> {
    for (key, value) in expected {
        let found = &found[format!("org.opencontainers.image.{key}")];
        ensure!(found == value, "{place}: `{key}` is {found}: expected `{value}`");
    }
    Ok(())
}

#[test]
fn the_image_runs_as_an_ordinary_user_and_declares_no_port_health_check_or_volume() -> Result<()> {
    test(|| {
        let pinned = rehearsal()?.run.pinned()?;
        for (platform, manifest) in image::platforms(&pinned, &image::json(&pinned)?)? {
            let config = image::config(&manifest)?;
            let (os, architecture) = platform.split_once('/').context("a platform without `/`")?;
            assert_eq!((&config["os"], &config["architecture"]), (&os.into(), &architecture.into()));
            let config = &config["config"];
            assert_eq!(config["User"], "1000:1000", "{platform}");
            assert_eq!(config["StopSignal"], "SIGTERM", "{platform}");
            for absent in ["ExposedPorts", "Healthcheck", "Volumes"] {
                assert_eq!(config[absent], Value::Null, "{platform}: {absent}");
            }
        }
        Ok(())
    })
}

#[test]
fn an_image_for_one_platform_is_an_index_with_one_manifest() -> Result<()> {
    test(|| {
        let checkout = Checkout::new()?;
        let run = Xtask::new(&checkout, &["rehearse"]).run()?.success()?;
        let pinned = run.pinned()?;
        let platforms = image::platforms(&pinned, &image::json(&pinned)?)?;
        let names: Vec<_> = platforms.iter().map(|(platform, _)| platform.as_str()).collect();
        assert_eq!(names, [format!("linux/{}", native())]);
        Ok(())
    })
}
