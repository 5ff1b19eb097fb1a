//! The rules for Renovate's file. Only the file itself is read, not the presets that it extends.

mod age;

use std::path::Path;

use serde_json::Value;

use crate::inputs::finding::{Finding, Rule};
use crate::inputs::in_work_tree;

const FILE: &str = "renovate.json";

/// Managers and datasources of the image, of the program that gets the key, and of actions beside it. Each manager may
/// also have a block at the top level.
const OURS: [&str; 19] = [
    "npm",
    "docker",
    "dockerfile",
    "cargo",
    "crate",
    "rust-toolchain",
    "rust-version",
    "github-actions",
    "github-tags",
    "github-releases",
    "github-digest",
    "gitea-tags",
    "gitea-releases",
    "forgejo-tags",
    "forgejo-releases",
    "git-tags",
    "git-refs",
    "custom.regex",
    "custom.jsonata",
];

/// Blocks at the top level for kinds of update, whatever they update.
const BLOCKS: [&str; 10] = [
    "lockFileMaintenance",
    "vulnerabilityAlerts",
    "major",
    "minor",
    "patch",
    "digest",
    "pin",
    "pinDigest",
    "replacement",
    "rollback",
];

/// Presets that do not merge, although their names begin like those that do.
const HARMLESS_PRESETS: [&str; 2] = ["automergeDisabled", "automergeRequireAllStatusChecks"];

/// The findings in the file of the repository at `root`.
pub(super) fn findings(root: &Path) -> Vec<Finding> {
    let text = match in_work_tree(root, FILE) {
        Ok(Some(bytes)) => return of_file(&bytes),
        Ok(None) => format!("there is no `{FILE}`; write it with `cargo xtask init .`"),
        Err(error) => format!("{error:#}"),
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
    let of_rules = rules.iter().zip(1..).filter(|(rule, _)| reaches_release(rule));
    let of_rules = of_rules.map(|(rule, number)| (format!("number {number} of `packageRules`"), rule));
    let of_top = BLOCKS.iter().chain(&OURS).map(|name| (format!("`{name}`"), &file[*name]));
    let top = ("the top level".to_owned(), &file);
    let places: Vec<_> = of_top.chain(of_rules).collect();
    let merging = places.iter().filter(|(_, block)| merges_within(block));
    let merging = merging.chain(Some(&top).filter(|(_, block)| merges_itself(block)));
    for (place, _) in merging {
        let text = format!(
            "{place} has `automerge` for what ends up in the signed image, or runs beside the key that signs it; set it to \
             false"
        );
        found.push(Finding::error(Rule::RenovateAutomerge, FILE, text));
    }
    found.extend(age::findings(&file, rules));
    found
}

/// Whether a block enables automerge, or extends a preset that does.
fn merges_itself(block: &Value) -> bool {
    let extended = block["extends"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut presets = extended.map(|name| name.rsplit(':').next().unwrap_or_default());
    block["automerge"] == Value::Bool(true)
        || presets.any(|name| name.starts_with("automerge") && !HARMLESS_PRESETS.contains(&name))
}

/// As [`merges_itself`], for a block and all blocks in it: `npm` may have a block `minor`.
fn merges_within(block: &Value) -> bool {
    match block {
        Value::Object(entries) => merges_itself(block) || entries.values().any(merges_within),
        Value::Array(items) => items.iter().any(merges_within),
        _ => false,
    }
}

/// Whether a Renovate rule may apply to the base image, the service's packages, or what runs where the key is. It
/// may, unless it names only others. A pattern, such as `!npm` or `*`, may name anything.
fn reaches_release(rule: &Value) -> bool {
    let is_other = |name: &Value| name.as_str().is_some_and(|name| is_word(name) && !OURS.contains(&name));
    let names_others = |key: &str| rule[key].as_array().is_some_and(|list| list.iter().all(is_other));
    !names_others("matchManagers") && !names_others("matchDatasources")
}

/// Whether a name of a rule is no pattern.
fn is_word(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
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
    fn automerge_is_refused_for_what_is_in_the_image_or_runs_beside_the_key() {
        let aged = |more: Value| {
            let mut file = json!({"minimumReleaseAge": "7 days"});
            file.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            file
        };
        let rule = |rule: Value| aged(json!({"packageRules": [rule]}));
        for good in [
            aged(json!({})),
            aged(json!({"extends": ["config:recommended", ":automergeDisabled"]})),
            rule(json!({"matchManagers": ["docker-compose"], "automerge": true})),
            rule(json!({"matchManagers": ["docker-compose"], "minor": {"automerge": true}})),
            rule(json!({"matchManagers": ["dockerfile"], "automerge": false})),
            aged(json!({"docker-compose": {"automerge": true}})),
        ] {
            assert_eq!(rules(&good), [], "{good}");
        }
        for bad in [
            aged(json!({"automerge": true})),
            aged(json!({"lockFileMaintenance": {"automerge": true}})),
            rule(json!({"automerge": true})),
            rule(json!({"matchManagers": ["dockerfile"], "matchUpdateTypes": ["digest"], "automerge": true})),
            rule(json!({"matchDatasources": ["npm", "pypi"], "automerge": true})),
            rule(json!({"matchManagers": ["cargo"], "automerge": true})),
            rule(
                json!({"matchManagers": ["github-actions"], "matchUpdateTypes": ["digest"], "automerge": true}),
            ),
            rule(json!({"matchManagers": ["!cargo"], "automerge": true})),
            rule(json!({"matchManagers": ["*"], "automerge": true})),
            rule(json!({"matchDatasources": ["/^n/"], "automerge": true})),
            rule(json!({"matchManagers": ["npm"], "patch": {"automerge": true}})),
            rule(json!({"matchManagers": ["npm"], "extends": [":automergeMinor"]})),
            aged(json!({"npm": {"minor": {"automerge": true}}})),
            aged(json!({"vulnerabilityAlerts": {"automerge": true}})),
            aged(json!({"extends": ["config:recommended", ":automergeAll"]})),
            aged(json!({"extends": ["default:automergeDigest"]})),
        ] {
            assert_eq!(rules(&bad), [Rule::RenovateAutomerge], "{bad}");
        }
    }
}
