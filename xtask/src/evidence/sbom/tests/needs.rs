//! Which component of an SBOM needs which.

use serde_json::{Value, json};

use super::super::in_form_of;
use super::{amd64, arm64, package, sbom_of, small};
use crate::inputs::config::Dependencies;

/// What each component needs, by `bom-ref`.
pub(super) fn needs(sbom: &Value) -> Vec<(&str, Vec<&str>)> {
    let all = sbom["dependencies"].as_array().unwrap().iter();
    all.map(|one| (one["ref"].as_str().unwrap(), references(&one["dependsOn"]))).collect()
}

fn references(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect()
}

#[test]
fn what_a_component_needs_follows_from_the_lockfile() {
    let sbom = sbom_of(&[amd64(), arm64()], Dependencies::Installed);
    let expected = [
        (
            "carol@1.2.3",
            vec![
                "pkg:generic/node@22.1.0",
                "pkg:npm/%40acme/core@1.0.0#local",
                "pkg:npm/a@1.2.0#unhashed",
                "pkg:npm/o@1.0.0#unhashed",
                "pkg:npm/real@4.0.0#unhashed",
            ],
        ),
        ("pkg:npm/%40acme/core@1.0.0#local", vec![]),
        ("pkg:npm/%40s/b@3.0.0#unhashed", vec![]),
        ("pkg:npm/a@1.2.0#unhashed", vec!["pkg:npm/%40s/b@3.0.0#unhashed"]),
        ("pkg:npm/o@1.0.0#unhashed", vec![]),
        ("pkg:npm/real@4.0.0#unhashed", vec![]),
    ];
    assert_eq!(needs(&sbom), expected, "of the base image's packages nothing is known");
    let mut packaged = amd64();
    packaged.system.push(package("nodejs", "22.1.0", "amd64", None));
    let bundled = sbom_of(&[packaged], Dependencies::Installed);
    assert_eq!(needs(&bundled)[0].1[0], "pkg:deb/debian/nodejs@22.1.0?arch=amd64&distro=debian-12");
    let bundled = sbom_of(&[small::contents(&[])], Dependencies::Bundled);
    assert!(needs(&bundled).contains(&("pkg:npm/a@1.2.0", vec!["pkg:npm/%40s/b@3.0.0"])), "{bundled:#}");
}

#[test]
fn an_sbom_of_the_first_form_says_nothing_about_what_needs_what() {
    let sbom = sbom_of(&[amd64()], Dependencies::Installed);
    assert_eq!(*in_form_of(&sbom, &sbom), sbom);
    let mut first = sbom.clone();
    first.as_object_mut().unwrap().remove("dependencies");
    assert_eq!(*in_form_of(&first, &sbom), first);
    first["dependencies"] = json!([]);
    assert_eq!(*in_form_of(&first, &sbom), sbom, "an empty list is not the first form");
}
