//! What an independent scanner finds in each platform's image, compared with the SBOM of the release in both
//! directions.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::worked::{Released, Worked};
use crate::harness::{call, export, test};

/// The kinds of packages that both list: the type in a package URL.
const KINDS: [&str; 4] = ["npm", "deb", "apk", "generic"];

impl Released {
    /// For each platform, checks that every package that syft finds is in the SBOM, and the other way round.
    /// docs/verification-tests.md lists the permitted differences, rule by rule.
    pub(super) fn sbom_is_what_the_scanner_finds(&self, worked: &Worked) -> Result<()> {
        let sbom = self.sbom(worked)?;
        for (platform, image) in self.platforms()? {
            let (ours, theirs) = (listed(&sbom, &platform)?, found(&image)?);
            ensure!(
                ours.iter().any(|url| url.starts_with("pkg:npm/")),
                "{platform}: no npm package is listed"
            );
            ensure!(
                ours.iter().any(|url| url.starts_with("pkg:generic/node@")),
                "{platform}: no node is listed"
            );
            let only_ours: Vec<_> = ours.iter().filter(|url| !theirs.contains_key(*url)).collect();
            let only_theirs = theirs.iter().filter(|(url, _)| !ours.contains(*url));
            let service = worked.package_name()?;
            let unexplained: Vec<_> =
                only_theirs.filter(|(url, paths)| !is_explained(url, paths, &ours, &service)).collect();
            ensure!(
                only_ours.is_empty() && unexplained.is_empty(),
                "{platform}: only in the SBOM: {only_ours:#?}\nonly found by the scanner: {unexplained:#?}"
            );
        }
        Ok(())
    }
}

/// What the SBOM lists for the image of `platform`, without what a bundler has put into other files.
fn listed(sbom: &Value, platform: &str) -> Result<BTreeSet<String>> {
    let components = sbom["components"].as_array().context("the SBOM has no components")?;
    let is_there = |component: &&Value| {
        let properties = component["properties"].as_array().map(Vec::as_slice).unwrap_or_default();
        let named = |name: &'static str| properties.iter().filter(move |property| property["name"] == name);
        let mut platforms = named("xtask:platform").peekable();
        let is_here = platforms.peek().is_none() || platforms.any(|property| property["value"] == platform);
        is_here && named("xtask:bundled").next().is_none()
    };
    // A workspace has no package URL, because no registry has it. Its reference is made in the same form.
    let url =
        |component: &Value| component["purl"].as_str().or(component["bom-ref"].as_str()).and_then(package);
    Ok(components.iter().filter(is_there).filter_map(url).collect())
}

/// What syft finds in an image, with the files in which it found it.
fn found(image: &str) -> Result<BTreeMap<String, Vec<String>>> {
    let (syft, image) = (export("TESTBED_SYFT")?, format!("registry:{image}"));
    let scan = call(syft, &["scan", &image, "--output", "syft-json", "--quiet"])?;
    // Plain HTTP on loopback. The second variable keeps syft from asking for a newer version.
    let scan = scan.env("SYFT_REGISTRY_INSECURE_USE_HTTP", "true").env("SYFT_CHECK_FOR_APP_UPDATE", "false");
    let printed = scan.output()?.success()?.stdout;
    let document: Value = serde_json::from_slice(&printed).context("reading what syft printed")?;
    let artifacts = document["artifacts"].as_array().context("syft printed no artifacts")?;
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for artifact in artifacts {
        let Some(url) = artifact["purl"].as_str().and_then(package) else { continue };
        let locations = artifact["locations"].as_array().map(Vec::as_slice).unwrap_or_default();
        let paths = locations.iter().filter_map(|location| location["path"].as_str());
        found.entry(url).or_default().extend(paths.map(str::to_owned));
    }
    Ok(found)
}

/// Whether a rule explains why the scanner finds what the SBOM does not list.
fn is_explained(url: &str, paths: &[String], ours: &BTreeSet<String>, service: &str) -> bool {
    let Some((kind, rest)) = url.strip_prefix("pkg:").and_then(|url| url.split_once('/')) else {
        return false;
    };
    let Some((name, version)) = rest.rsplit_once('@') else { return false };
    match kind {
        // A program that it recognises by its bytes, from an operating-system package that is listed.
        "generic" => ours.iter().any(|ours| {
            let package = ours.strip_prefix("pkg:deb/debian/").or(ours.strip_prefix("pkg:apk/alpine/"));
            let package = package.and_then(|package| package.split_once('@'));
            package.is_some_and(|(owner, packaged)| owner == name && packaged.contains(version))
        }),
        // The service itself, or a `package.json` in a subfolder of an installed package, which installs nothing.
        "npm" => paths.iter().all(|path| {
            let is_service = service == name && !path.contains("/node_modules/");
            is_service || (path.contains("/node_modules/") && !is_installed(path))
        }),
        _ => false,
    }
}

/// Whether a `package.json` is where npm installs a package: `node_modules/name/` or `node_modules/@scope/name/`.
fn is_installed(path: &str) -> bool {
    let Some((_, rest)) = path.rsplit_once("/node_modules/") else { return false };
    let depth = if rest.starts_with('@') { 2 } else { 1 };
    rest.matches('/').count() == depth
}

/// The package URL without its qualifiers, such as `pkg:npm/@acme/greeting@1.0.0`; `None` for other kinds. It is
/// decoded, because the scanner encodes the colon of an epoch, which the specification leaves as it is.
fn package(url: &str) -> Option<String> {
    let url = url.split(['?', '#']).next()?;
    let (kind, _) = url.strip_prefix("pkg:")?.split_once('/')?;
    let decoded = url.replace("%40", "@").replace("%2B", "+").replace("%3A", ":").replace("%2F", "/");
    KINDS.contains(&kind).then_some(decoded)
}

#[test]
fn a_finding_of_the_scanner_alone_is_accepted_only_if_a_rule_explains_it() -> Result<()> {
    test(|| {
        let ours = BTreeSet::from(["pkg:deb/debian/bash@5.2.15-2+b13".to_owned()]);
        let is_explained = |url, path: &str| is_explained(url, &[path.to_owned()], &ours, "own");
        assert!(is_explained("pkg:generic/bash@5.2.15", "/usr/bin/bash"));
        assert!(!is_explained("pkg:generic/bash@5.3", "/usr/bin/bash"));
        assert!(!is_explained("pkg:generic/redis@7", "/usr/bin/redis"));
        assert!(is_explained("pkg:npm/own@1.0.0", "/app/package.json"));
        assert!(!is_explained("pkg:npm/other@1.0.0", "/app/package.json"));
        assert!(is_explained("pkg:npm/fixture@1.0.0", "/app/node_modules/@s/a/test/package.json"));
        assert!(!is_explained("pkg:npm/@s/a@1.0.0", "/app/node_modules/@s/a/package.json"));
        assert!(!is_explained("pkg:npm/b@1.0.0", "/app/node_modules/a/node_modules/b/package.json"));
        assert!(!is_explained("pkg:deb/debian/sed@4.9", "/var/lib/dpkg/status"));
        assert_eq!(package("pkg:npm/%40s/a@1.0.0?x=y"), Some("pkg:npm/@s/a@1.0.0".to_owned()));
        assert_eq!(package("pkg:golang/a@1"), None);
        Ok(())
    })
}
