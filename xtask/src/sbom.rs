//! The SBOM: what npm says of the production dependencies, made deterministic (npm writes a random serial number and the
//! present time), and held against the lockfile in both directions. `CycloneDX` 1.5, <https://cyclonedx.org/docs/1.5/json/>.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::lockfile::{Lockfile, Package};
use crate::reference::Digest;
use crate::time::rfc3339;
use crate::tool::git::Commit;
use crate::version::ReleaseTag;

/// What identifies the release that an SBOM is of.
pub struct Subject<'a> {
    /// The image's title.
    pub title: &'a str,
    /// The released version.
    pub tag: &'a ReleaseTag,
    /// The commit that it is made from.
    pub commit: &'a Commit,
    /// The commit's time in seconds since 1970.
    pub time: u64,
}

/// Turns npm's SBOM into the release's: the same commit gives the same bytes.
///
/// # Errors
/// When it is not the expected JSON, or its components are not the lockfile's production set.
pub fn finish(npm: &str, subject: &Subject<'_>, lockfile: &Lockfile) -> Result<Vec<u8>> {
    let mut sbom: Value = serde_json::from_str(npm).context("reading the SBOM that `npm sbom` wrote")?;
    check_components(&sbom, lockfile)?;
    sbom["serialNumber"] = serial_number(subject).into();
    let metadata = sbom.get_mut("metadata").context("the SBOM has no `metadata`")?;
    metadata["timestamp"] = rfc3339(subject.time).into();
    // Machines have different versions of npm, and the version of a tool is no fact about the software.
    if let Some(tools) = metadata.get_mut("tools").and_then(Value::as_array_mut) {
        tools.iter_mut().filter_map(Value::as_object_mut).for_each(|tool| drop(tool.remove("version")));
    }
    name_component(&mut sbom, subject)?;
    sort(&mut sbom, "components", "bom-ref")?;
    sort(&mut sbom, "dependencies", "ref")?;
    render(&sbom)
}

/// Keys sorted, as `jq -S` prints it: the same SBOM is the same bytes, whoever wrote it in between.
fn render(sbom: &Value) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(sbom).context("writing the SBOM")?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The digest that a release's provenance has of its SBOM, which cosign renders anew when it attests it.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn digest(sbom: &Value) -> Result<Digest> {
    Ok(Digest::of(&render(sbom)?))
}

/// npm calls the package after its directory and its own version; what is released has a title and a tag.
fn name_component(sbom: &mut Value, subject: &Subject<'_>) -> Result<()> {
    let version = subject.tag.version().to_string();
    let reference = format!("{}@{version}", subject.title);
    let component = sbom.pointer_mut("/metadata/component").and_then(Value::as_object_mut);
    let component = component.context("the SBOM names no component that it is of")?;
    let old = component.insert("bom-ref".to_owned(), reference.clone().into());
    component.insert("name".to_owned(), subject.title.into());
    component.insert("version".to_owned(), version.into());
    component.remove("purl");
    let dependencies = sbom.get_mut("dependencies").and_then(Value::as_array_mut).into_iter().flatten();
    for dependency in dependencies.filter(|dependency| old.is_some() && dependency.get("ref") == old.as_ref())
    {
        dependency["ref"] = reference.clone().into();
    }
    Ok(())
}

/// The packages that the SBOM lists.
///
/// # Errors
/// When `components` is missing or one has no name or version.
pub fn components(sbom: &Value) -> Result<BTreeSet<Package>> {
    let components =
        sbom.get("components").and_then(Value::as_array).context("the SBOM has no `components`")?;
    let package = |component: &Value| {
        let text = |key: &str| component.get(key).and_then(Value::as_str).map(str::to_owned);
        let name = match (text("group"), text("name")) {
            (Some(group), Some(name)) if !group.is_empty() => Some(format!("{group}/{name}")),
            (_, name) => name,
        };
        match (name, text("version")) {
            (Some(name), Some(version)) => Ok(Package { name, version }),
            _ => bail!("a component of the SBOM has no name or no version: {component}"),
        }
    };
    components.iter().map(package).collect()
}

/// Holds the components against the lockfile's production set, in both directions.
///
/// # Errors
/// Names what is missing and what is in excess.
pub fn check_components(sbom: &Value, lockfile: &Lockfile) -> Result<()> {
    let listed = components(sbom)?;
    let show = |packages: Vec<&Package>| {
        packages
            .iter()
            .map(|package| format!("`{}` {}", package.name, package.version))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let missing: Vec<_> = lockfile.production.difference(&listed).collect();
    let extra: Vec<_> = listed.difference(&lockfile.production).collect();
    if missing.is_empty() && extra.is_empty() {
        return Ok(());
    }
    bail!(
        "the SBOM is not the lockfile's production set: missing {}; in excess {}",
        if missing.is_empty() { "nothing".to_owned() } else { show(missing) },
        if extra.is_empty() { "nothing".to_owned() } else { show(extra) }
    )
}

fn sort(sbom: &mut Value, list: &str, key: &str) -> Result<()> {
    let items = sbom
        .get_mut(list)
        .and_then(Value::as_array_mut)
        .with_context(|| format!("the SBOM has no `{list}`"))?;
    items.sort_by(|a, b| a[key].as_str().cmp(&b[key].as_str()));
    Ok(())
}

/// A UUID made of what the SBOM is of (RFC 9562 §5.8, version 8), in place of a random one.
fn serial_number(subject: &Subject<'_>) -> String {
    let digest = Digest::of(format!("{} {}", subject.tag, subject.commit).as_bytes());
    let hex = digest.hex();
    format!("urn:uuid:{}-{}-8{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

#[cfg(test)]
mod tests {
    use super::{Subject, finish};
    use crate::lockfile::{Lockfile, Package};
    use crate::tool::git::Commit;
    use serde_json::{Value, json};

    fn npm(serial: &str, time: &str) -> Value {
        json!({
            "bomFormat": "CycloneDX", "specVersion": "1.5", "serialNumber": serial,
            "metadata": {
                "timestamp": time, "tools": [{"name": "cli", "version": time}],
                "component": {"bom-ref": "service@0.0.0", "name": "service", "version": "0.0.0", "purl": "pkg:npm/x@0"},
            },
            "components": [
                {"bom-ref": "b@2.0.0", "name": "b", "version": "2.0.0"},
                {"bom-ref": "@s/a@1.0.0", "group": "@s", "name": "a", "version": "1.0.0"},
            ],
            "dependencies": [{"ref": "service@0.0.0", "dependsOn": ["b@2.0.0"]}, {"ref": "b@2.0.0"}, {"ref": "@s/a@1.0.0"}],
        })
    }

    fn run(npm: &Value, production: &[(&str, &str)]) -> anyhow::Result<Value> {
        let package =
            |(name, version): &(&str, &str)| Package { name: (*name).into(), version: (*version).into() };
        let lockfile = Lockfile::of_production(production.iter().map(package).collect());
        let (tag, commit) = ("v1.2.3".parse().unwrap(), Commit::parse(&"a".repeat(40)).unwrap());
        let subject = Subject { title: "carol", tag: &tag, commit: &commit, time: 86_400 };
        Ok(serde_json::from_slice(&finish(&npm.to_string(), &subject, &lockfile)?)?)
    }

    const PRODUCTION: [(&str, &str); 2] = [("@s/a", "1.0.0"), ("b", "2.0.0")];

    #[test]
    fn two_runs_of_npm_give_the_same_bytes() {
        let first = run(&npm("urn:uuid:1", "2026-01-01T00:00:00Z"), &PRODUCTION).unwrap();
        let second = run(&npm("urn:uuid:2", "2026-02-02T00:00:00Z"), &PRODUCTION).unwrap();
        assert_eq!(first, second);
        assert_eq!(first["metadata"]["timestamp"], "1970-01-02T00:00:00Z");
        assert_eq!(
            first["metadata"]["component"],
            json!({"bom-ref": "carol@1.2.3", "name": "carol", "version": "1.2.3"})
        );
        assert_eq!(first["dependencies"][2]["ref"], "carol@1.2.3");
        assert_eq!(first["components"][0]["name"], "a");
        assert_eq!(first["serialNumber"].as_str().unwrap().len(), "urn:uuid:".len() + 36);
    }

    #[test]
    fn a_component_too_few_too_many_or_of_another_version_is_refused() {
        let sbom = npm("urn:uuid:1", "2026-01-01T00:00:00Z");
        let cases: [(&[(&str, &str)], &str); 3] = [
            (&[("@s/a", "1.0.0"), ("b", "2.0.0"), ("c", "3.0.0")], "missing `c` 3.0.0"),
            (&[("b", "2.0.0")], "in excess `@s/a` 1.0.0"),
            (&[("@s/a", "1.0.0"), ("b", "2.0.1")], "missing `b` 2.0.1; in excess `b` 2.0.0"),
        ];
        for (production, expected) in cases {
            let error = format!("{:#}", run(&sbom, production).unwrap_err());
            assert!(error.contains(expected), "expected `{expected}` in: {error}");
        }
    }
}
