//! What an independent scanner finds in each platform's image, held against the SBOM of the release, in both directions.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::worked::{Released, Worked};
use crate::harness::{call, export};

/// The kinds of packages that both list: the first word of a package URL.
const KINDS: [&str; 4] = ["npm", "deb", "apk", "generic"];

impl Released {
    /// For each platform, every package that syft finds is in the SBOM, and the other way round.
    pub(super) fn sbom_is_what_the_scanner_finds(&self, worked: &Worked) -> Result<()> {
        let sbom = self.sbom(worked)?;
        for (platform, image) in self.platforms()? {
            let (ours, theirs) = (listed(&sbom, &platform)?, found(&image)?);
            let only_ours: Vec<_> = ours.difference(&theirs).collect();
            let only_theirs: Vec<_> = theirs.difference(&ours).collect();
            ensure!(
                only_ours.is_empty() && only_theirs.is_empty(),
                "{platform}: only in the SBOM: {only_ours:#?}\nonly found by the scanner: {only_theirs:#?}"
            );
        }
        Ok(())
    }
}

/// What the SBOM says is in the image of `platform`.
fn listed(sbom: &Value, platform: &str) -> Result<BTreeSet<String>> {
    let components = sbom["components"].as_array().context("the SBOM has no components")?;
    let is_there = |component: &&Value| {
        let properties = component["properties"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut platforms =
            properties.iter().filter(|property| property["name"] == "xtask:platform").peekable();
        platforms.peek().is_none() || platforms.any(|property| property["value"] == platform)
    };
    let urls = components.iter().filter(is_there).filter_map(|component| component["purl"].as_str());
    Ok(urls.filter_map(package).collect())
}

/// What syft finds in an image.
fn found(image: &str) -> Result<BTreeSet<String>> {
    let scan = call(
        export("TESTBED_SYFT")?,
        &["scan", &format!("registry:{image}"), "--output", "syft-json", "--quiet"],
    )?;
    let scan = scan.env("SYFT_REGISTRY_INSECURE_USE_HTTP", "true").env("SYFT_CHECK_FOR_APP_UPDATE", "false");
    let document: Value =
        serde_json::from_slice(&scan.output()?.success()?.stdout).context("what syft printed")?;
    let artifacts = document["artifacts"].as_array().context("syft printed no artifacts")?;
    let urls = artifacts.iter().filter_map(|artifact| artifact["purl"].as_str());
    Ok(urls.filter_map(package).collect())
}

/// The package URL without its qualifiers, such as `pkg:npm/%40acme/greeting@1.0.0`; `None` for other kinds.
fn package(url: &str) -> Option<String> {
    let url = url.split(['?', '#']).next()?;
    let (kind, _) = url.strip_prefix("pkg:")?.split_once('/')?;
    KINDS.contains(&kind).then(|| url.to_owned())
}
