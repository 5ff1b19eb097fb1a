//! The rules for Renovate's file. Only the file itself is read, not the presets that it extends.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::inputs::finding::{Finding, Rule};
use crate::process::file::if_any;

const FILE: &str = "renovate.json";

/// The findings in the file of the repository at `root`.
pub(super) fn findings(root: &Path) -> Vec<Finding> {
    let text = match if_any(fs::read(root.join(FILE))) {
        Ok(Some(bytes)) => return of_file(&bytes),
        Ok(None) => format!("there is no `{FILE}`; write it with `cargo xtask init .`"),
        Err(error) => format!("reading `{FILE}`: {error}"),
    };
    vec![Finding::error(Rule::RenovateInvalid, FILE, text)]
}

pub(super) fn of_file(bytes: &[u8]) -> Vec<Finding> {
    let file: Value = match serde_json::from_slice(bytes) {
        Ok(file) => file,
        Err(error) => {
            let text = format!("reading `{FILE}` as JSON: {error}");
            return vec![Finding::error(Rule::RenovateInvalid, FILE, text)];
        }
    };
    let rules = file["packageRules"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut found = Vec::new();
    let blocks = ["lockFileMaintenance", "npm", "dockerfile", "patch", "minor", "digest", "pin", "major"];
    let blocks = blocks.iter().map(|name| (format!("`{name}`"), &file[*name]));
    let reaching = rules.iter().zip(1..).filter(|(rule, _)| reaches_image(rule));
    let reaching = reaching.map(|(rule, number)| (format!("number {number} of `packageRules`"), rule));
    for (place, block) in blocks.chain(reaching).chain([("the top level".to_owned(), &file)]) {
        if block["automerge"] == Value::Bool(true) {
            let text =
                format!("{place} has `automerge` for what ends up in the signed image; set it to false");
            found.push(Finding::error(Rule::RenovateAutomerge, FILE, text));
        }
    }
    for datasource in ["npm", "docker"] {
        let names = |rule: &&Value| {
            let list = rule["matchDatasources"].as_array();
            list.is_some_and(|list| list.iter().any(|name| name == datasource))
        };
        let has_age = |block: &Value| block["minimumReleaseAge"].as_str().is_some_and(|age| !age.is_empty());
        let has_rule = rules.iter().filter(names).any(has_age);
        if !has_age(&file) && !has_rule {
            let text = format!(
                "packages of `{datasource}` are proposed on the day they are published; write `\"minimumReleaseAge\": \
                 \"7 days\"` into a rule with `\"matchDatasources\": [\"{datasource}\"]`"
            );
            found.push(Finding::error(Rule::RenovateMinimumAge, FILE, text));
        }
    }
    found
}

/// Whether a Renovate rule may apply to the base image or the service's packages. It does, unless it names only others.
fn reaches_image(rule: &Value) -> bool {
    let names_others = |key: &str| {
        let list = rule[key].as_array();
        list.is_some_and(|list| {
            !list.iter().any(|name| ["npm", "docker", "dockerfile"].iter().any(|image| name == image))
        })
    };
    !names_others("matchManagers") && !names_others("matchDatasources")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::of_file;
    use crate::inputs::finding::Rule;

    fn rules(file: &Value) -> Vec<Rule> {
        of_file(file.to_string().as_bytes()).iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn nothing_that_ends_up_in_the_image_merges_itself() {
        let aged = |more: Value| {
            let mut file = json!({"minimumReleaseAge": "7 days"});
            file.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            file
        };
        let rule = |rule: Value| aged(json!({"packageRules": [rule]}));
        for good in [
            aged(json!({})),
            rule(json!({"matchManagers": ["cargo"], "automerge": true})),
            rule(json!({"matchManagers": ["dockerfile"], "automerge": false})),
        ] {
            assert_eq!(rules(&good), [], "{good}");
        }
        for bad in [
            aged(json!({"automerge": true})),
            aged(json!({"lockFileMaintenance": {"automerge": true}})),
            rule(json!({"automerge": true})),
            rule(json!({"matchManagers": ["dockerfile"], "matchUpdateTypes": ["digest"], "automerge": true})),
            rule(json!({"matchDatasources": ["npm", "crate"], "automerge": true})),
        ] {
            assert_eq!(rules(&bad), [Rule::RenovateAutomerge], "{bad}");
        }
    }

    #[test]
    fn packages_and_images_have_a_minimum_age() {
        let age = |datasources: Value| json!({"packageRules": [{"matchDatasources": datasources, "minimumReleaseAge": "7 days"}]});
        assert_eq!(rules(&age(json!(["npm", "docker"]))), []);
        assert_eq!(rules(&age(json!(["npm"]))), [Rule::RenovateMinimumAge]);
        assert_eq!(rules(&json!({})), [Rule::RenovateMinimumAge, Rule::RenovateMinimumAge]);
        assert_eq!(of_file(b"{").len(), 1);
        assert_eq!(of_file(include_bytes!("../../../../renovate.json")), []);
    }
}
