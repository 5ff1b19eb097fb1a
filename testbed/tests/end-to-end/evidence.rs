//! Provenance and SBOM as a verifier gets them. They are compared with git, not with xtask's own output.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use xtask::oci::reference::Digest;
use xtask::process::environment::Environment;

use crate::harness::checkout::Checkout;
use crate::harness::run::{Finished, Xtask};
use crate::harness::shared::{Shared, rehearsal};
use crate::harness::{call, image, test};

/// The predicate that the printed command on line `line`, counted from 0, prints once it has verified it.
pub(crate) fn predicate(checkout: &Checkout, run: &Finished, line: usize) -> Result<Value> {
    let command = run.commands()?.lines().nth(line).context("there are three commands")?;
    let envelope = call("sh", &["-c", command])?.dir(checkout.top()).read()?;
    let envelope: Value =
        serde_json::from_str(&envelope).context("cosign did not print a single envelope")?;
    let payload = envelope["payload"].as_str().context("the envelope has no payload")?;
    let statement = call("base64", &["--decode"])?.stdin(payload).read()?;
    let mut statement: Value = serde_json::from_str(&statement).context("the payload is not JSON")?;
    let subject = &statement["subject"][0]["digest"]["sha256"];
    ensure!(subject == run.digest()?.hex(), "the statement is about {subject}");
    Ok(statement["predicate"].take())
}

pub(crate) fn provenance(checkout: &Checkout, run: &Finished) -> Result<Value> {
    predicate(checkout, run, 1)
}

/// The one dependency or byproduct with that name.
fn named<'a>(list: &'a Value, name: &str) -> Result<&'a Value> {
    let mut found = list.as_array().context("no list")?.iter().filter(|item| item["name"] == name);
    let first = found.next().with_context(|| format!("`{name}` is not in {list}"))?;
    ensure!(found.next().is_none(), "`{name}` is there more than once");
    Ok(first)
}

#[test]
fn the_commit_files_and_base_images_in_the_provenance_match_git() -> Result<()> {
    test(|| {
        let Shared { checkout, run, .. } = rehearsal()?;
        let provenance = provenance(checkout, run)?;
        let inputs = &provenance["buildDefinition"]["resolvedDependencies"];
        let head = checkout.git(&["rev-parse", "HEAD"])?;
        assert_eq!(named(inputs, "source")?["digest"], json!({ "gitCommit": head }));
        for path in ["Dockerfile", "service/package.json", "service/package-lock.json"] {
            let name = path.rsplit('/').next().unwrap_or(path);
            let digest = Digest::of(&checkout.committed(path)?);
            assert_eq!(named(inputs, name)?["digest"]["sha256"], digest.hex(), "{path}");
        }
        let dockerfile = String::from_utf8(checkout.committed("Dockerfile")?)?;
        let mut pins = dockerfile
            .lines()
            .filter(|line| line.starts_with("FROM "))
            .filter_map(|line| line.split_once("@sha256:")?.1.split(' ').next());
        for name in ["builder-image", "base-image"] {
            let pin = pins.next().with_context(|| format!("the Dockerfile pins no {name}"))?;
            assert_eq!(named(inputs, name)?["digest"]["sha256"], pin, "{name}");
        }
        Ok(())
    })
}

#[test]
fn provenance_names_the_local_run_the_tool_versions_and_each_manifest() -> Result<()> {
    test(|| {
        let Shared { checkout, run, .. } = rehearsal()?;
        let provenance = provenance(checkout, run)?;
        let parameters = &provenance["buildDefinition"]["externalParameters"];
        let local_run = json!({
            "repository": testbed::committed::URL,
            "ref": "refs/tags/v0.1.0",
            "command": "cargo xtask rehearse",
        });
        assert_eq!(parameters["localRun"], local_run);
        assert_eq!(parameters["workflow"], Value::Null, "no workflow ran it");
        let versions = &provenance["runDetails"]["builder"]["version"];
        for part in ["docker", "docker-buildx", "buildkit", "cosign", "xtask"] {
            assert!(versions[part].as_str().is_some_and(|version| !version.is_empty()), "{part}: {versions}");
        }
        let (byproducts, pinned) = (&provenance["runDetails"]["byproducts"], run.pinned()?);
        for (platform, manifest) in image::platforms(&pinned, &image::json(&pinned)?)? {
            let digest = named(byproducts, &format!("manifest {platform}"))?["digest"]["sha256"].clone();
            assert_eq!(digest.as_str(), manifest.split_once("@sha256:").map(|(_, hex)| hex), "{platform}");
        }
        Ok(())
    })
}

#[test]
fn provenance_names_the_stand_in_if_one_replaces_the_base_image() -> Result<()> {
    test(|| {
        let Shared { checkout, run, .. } = rehearsal()?;
        let provenance = provenance(checkout, run)?;
        let inputs = &provenance["buildDefinition"]["resolvedDependencies"];
        let used = Environment::from_process().get("TESTBED_BASE_STAND_IN")?.map(str::to_owned);
        match used {
            Some(stand_in) => {
                let input = named(inputs, "stand-in-image")?;
                assert_eq!(input["uri"], format!("docker-image://{stand_in}"));
                let pinned = input["annotations"]["standsInFor"].as_str().unwrap_or_default();
                assert!(pinned.starts_with("node:22-slim@sha256:"), "{input}");
            }
            None => assert!(named(inputs, "stand-in-image").is_err(), "there was no stand-in: {inputs}"),
        }
        Ok(())
    })
}

/// Name and version of the npm packages of an SBOM for which `chosen` holds.
fn packages(sbom: &Value, chosen: impl Fn(&Value) -> bool) -> Result<BTreeSet<String>> {
    let components = sbom["components"].as_array().context("the SBOM has no components")?;
    let is_npm = |component: &&Value| {
        component["purl"].as_str().is_some_and(|url| url.starts_with("pkg:npm/")) && chosen(component)
    };
    let name = |component: &Value| {
        let group = component["group"].as_str().map_or(String::new(), |group| format!("{group}/"));
        format!("{group}{} {}", component["name"].as_str().unwrap_or("?"), component["version"])
    };
    Ok(components.iter().filter(is_npm).map(name).collect())
}

fn is_below(component: &Value, directory: &str) -> bool {
    let places = component["evidence"]["occurrences"].as_array().into_iter().flatten();
    places.filter_map(|place| place["location"].as_str()).any(|place| place.starts_with(directory))
}

#[test]
fn the_sbom_lists_exactly_the_production_packages_of_the_lockfile() -> Result<()> {
    test(|| {
        let Shared { checkout, run, .. } = rehearsal()?;
        let lockfile: Value = serde_json::from_slice(&checkout.committed("service/package-lock.json")?)?;
        let entries = lockfile["packages"].as_object().context("the lockfile has no packages")?;
        let production = entries.iter().filter(|(path, entry)| !path.is_empty() && entry["dev"] != true);
        let expected: BTreeSet<_> = production
            .map(|(path, entry)| {
                let folder = path.rsplit("node_modules/").next().unwrap_or(path);
                format!("{} {}", entry["name"].as_str().unwrap_or(folder), entry["version"])
            })
            .collect();
        let sbom = predicate(checkout, run, 2)?;
        let own = |component: &Value| is_below(component, "/app/node_modules/");
        assert!(expected.len() > 10, "the service has dependencies: {expected:?}");
        assert_eq!(packages(&sbom, |component| own(component) && component["hashes"].is_array())?, expected);
        assert_eq!(packages(&sbom, own)?, expected, "each has the hash of its archive");
        assert_eq!(sbom["metadata"]["component"]["version"], "0.1.0");
        Ok(())
    })
}

#[test]
fn the_sbom_lists_the_packages_of_the_base_image() -> Result<()> {
    test(|| {
        let Shared { checkout, run, .. } = rehearsal()?;
        let sbom = predicate(checkout, run, 2)?;
        let npm = |component: &Value| is_below(component, "/usr/local/lib/node_modules/npm");
        assert!(packages(&sbom, npm)?.len() > 50, "npm comes with its own packages");
        let components = sbom["components"].as_array().context("the SBOM has no components")?;
        let of = |prefix: &str| {
            let is_of =
                |component: &&Value| component["purl"].as_str().is_some_and(|url| url.starts_with(prefix));
            components.iter().filter(is_of).collect::<Vec<_>>()
        };
        let [node] = of("pkg:generic/node@")[..] else { anyhow::bail!("node is not listed once") };
        assert!(
            node["cpe"].as_str().is_some_and(|cpe| cpe.starts_with("cpe:2.3:a:nodejs:node.js:22.")),
            "{node}"
        );
        let libc = of("pkg:deb/debian/libc6@");
        let platforms: BTreeSet<_> =
            libc.iter().map(|component| component["properties"].to_string()).collect();
        assert_eq!(platforms.len(), 2, "one for each platform: {libc:?}");
        Ok(())
    })
}

#[test]
fn a_second_rehearsal_of_a_commit_makes_the_same_sbom_byte_for_byte() -> Result<()> {
    test(|| {
        let shared = rehearsal()?;
        let checkout = Checkout::as_committed()?;
        let run = Xtask::new(&checkout, &["rehearse"]).run()?.success()?;
        // cosign serializes an attested document again, so its bytes differ from the file's. The provenance has the
        // digest of the file itself.
        let digest = |checkout: &Checkout, run: &Finished| -> Result<Value> {
            let byproducts = provenance(checkout, run)?["runDetails"]["byproducts"].take();
            Ok(named(&byproducts, "sbom.cdx.json")?["digest"].clone())
        };
        assert_eq!(digest(&checkout, &run)?, digest(&shared.checkout, &shared.run)?);
        Ok(())
    })
}
