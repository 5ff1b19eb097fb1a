//! The rule for the minimum age of what Renovate proposes.

use serde_json::{Value, json};

use super::{BLOCKS, FILE, is_word};
use crate::inputs::finding::{Finding, Rule};

/// The datasources whose updates must not be proposed on the day of publication, each with the managers that use it:
/// those of the image's contents, and of the crates of the program that gets the key.
const AGED: [(&str, &[&str]); 3] =
    [("npm", &["npm"]), ("docker", &["docker", "dockerfile"]), ("crate", &["cargo"])];

/// Blocks in which a minimum age has no effect on other updates: one proposes fixes at once, and in the other, npm and
/// cargo choose.
const AGELESS: [&str; 2] = ["lockFileMaintenance", "vulnerabilityAlerts"];

/// The key of the minimum age.
const AGE: &str = "minimumReleaseAge";

/// The findings in a file with these `packageRules`.
pub(super) fn findings(file: &Value, rules: &[Value]) -> Vec<Finding> {
    let mut found = Vec::new();
    for (datasource, managers) in AGED {
        let why = match age(file, rules, datasource, managers) {
            Age::Set => continue,
            Age::Missing => ";".to_owned(),
            Age::Lifted(place) => format!(", because {place} lifts the minimum age: remove that, or"),
        };
        let text = format!(
            "packages of `{datasource}` are proposed on the day they are published{why} write `\"{AGE}\": \"7 days\"` into a \
             rule at the end of `packageRules`, with `\"matchDatasources\": [\"{datasource}\"]` as its only condition"
        );
        found.push(Finding::error(Rule::RenovateMinimumAge, FILE, text));
    }
    found
}

/// The minimum age of the packages of a datasource.
enum Age {
    Set,
    Missing,
    /// Not in effect for all of them, because of the block or rule at this place.
    Lifted(String),
}

/// The minimum age that applies to all packages of a datasource. Renovate merges the blocks of managers and of kinds of
/// update into the top level, and then every rule that matches, in their order.
fn age(file: &Value, rules: &[Value], datasource: &str, managers: &[&str]) -> Age {
    let is_age = |value: &Value| value.as_str().is_some_and(|age| age.contains(|c| matches!(c, '1'..='9')));
    let lifts = |block: &Value| block.get(AGE).is_some_and(|value| !is_age(value));
    let blocks = BLOCKS.iter().filter(|name| !AGELESS.contains(name)).chain(managers);
    let mut age = if is_age(&file[AGE]) { Age::Set } else { Age::Missing };
    if let (Age::Set, Some(name)) = (&age, blocks.into_iter().find(|name| lifts(&file[**name]))) {
        age = Age::Lifted(format!("`{name}`"));
    }
    for (rule, number) in rules.iter().zip(1..) {
        if is_age(&rule[AGE]) && is_about_all(rule, datasource, managers) {
            age = Age::Set;
        } else if matches!(age, Age::Set) && lifts(rule) && is_about_many(rule, datasource, managers) {
            age = Age::Lifted(format!("number {number} of `packageRules`"));
        }
    }
    age
}

/// Whether a rule applies to all packages of a datasource: it names that, and has no condition that excludes some.
fn is_about_all(rule: &Value, datasource: &str, managers: &[&str]) -> bool {
    let names = |key: &str, known: &[&str]| {
        let mut list = rule[key].as_array().into_iter().flatten().filter_map(Value::as_str);
        list.any(|name| known.contains(&name))
    };
    let is_met = |(key, value): (&String, &Value)| match key.as_str() {
        "matchDatasources" => names(key, &[datasource]),
        "matchManagers" => names(key, managers),
        other => !(other.starts_with("match") || other.starts_with("exclude")) || value == &json!(["*"]),
    };
    rule.get("matchDatasources").is_some() && rule.as_object().into_iter().flatten().all(is_met)
}

/// Whether a rule may apply to packages of a datasource that it does not name in full. Those that it names are a
/// person's decision.
fn is_about_many(rule: &Value, datasource: &str, managers: &[&str]) -> bool {
    let names_only = |key: &str, is_other: &dyn Fn(&str) -> bool| {
        let all = |list: &Vec<Value>| list.iter().all(|name| name.as_str().is_some_and(is_other));
        rule[key].as_array().is_some_and(all)
    };
    let is_full = |name: &str| !name.starts_with(['/', '!']) && !name.contains('*');
    !names_only("matchDatasources", &|name| is_word(name) && name != datasource)
        && !names_only("matchManagers", &|name| is_word(name) && !managers.contains(&name))
        && !names_only("matchPackageNames", &is_full)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::of_file;
    use crate::inputs::finding::Rule;

    fn rules(file: &Value) -> Vec<Rule> {
        of_file(file.to_string().as_bytes()).iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn packages_images_and_crates_need_a_minimum_release_age() {
        let age = |datasources: Value| json!({"packageRules": [{"matchDatasources": datasources, "minimumReleaseAge": "7 days"}]});
        assert_eq!(rules(&age(json!(["npm", "docker", "crate"]))), []);
        assert_eq!(rules(&age(json!(["npm", "docker"]))), [Rule::RenovateMinimumAge]);
        assert_eq!(rules(&json!({})), [Rule::RenovateMinimumAge; 3]);
        assert_eq!(rules(&json!({"minimumReleaseAge": "0 days"})), [Rule::RenovateMinimumAge; 3]);
        assert_eq!(of_file(b"{").len(), 1);
        assert_eq!(of_file(include_bytes!("../../../../../renovate.json")), []);
    }

    #[test]
    fn an_age_counts_for_all_packages_until_a_later_rule_lifts_it() {
        let all = json!({"matchDatasources": ["npm", "docker", "crate"], "minimumReleaseAge": "7 days"});
        let and = |more: Value| {
            let mut rule = all.clone();
            rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            rule
        };
        let of_rules = |list: Value| rules(&json!({"packageRules": list}));
        for good in [
            json!([and(json!({"matchManagers": ["npm", "dockerfile", "cargo"]}))]),
            json!([and(json!({"matchPackageNames": ["*"]}))]),
            json!([{"matchDatasources": ["npm"], "minimumReleaseAge": null}, all]),
            json!([all, {"matchPackageNames": ["@acme/clock"], "minimumReleaseAge": null}]),
            json!([all, {"matchManagers": ["docker-compose"], "minimumReleaseAge": null}]),
            json!([all, {"matchDatasources": ["pypi"], "minimumReleaseAge": "0 days"}]),
            json!([all, {"matchUpdateTypes": ["major"], "minimumReleaseAge": "1 month"}]),
        ] {
            assert_eq!(of_rules(good.clone()), [], "{good}");
        }
        for bad in [
            json!([and(json!({"minimumReleaseAge": "0 days"}))]),
            json!([and(json!({"minimumReleaseAge": "no"}))]),
            json!([and(json!({"matchPackageNames": ["left-pad"]}))]),
            json!([and(json!({"matchUpdateTypes": ["major"]}))]),
            json!([and(json!({"excludePackageNames": ["left-pad"]}))]),
            json!([and(json!({"matchManagers": ["docker-compose"]}))]),
            json!([all, and(json!({"minimumReleaseAge": null}))]),
            json!([all, {"minimumReleaseAge": ""}]),
            json!([all, {"matchUpdateTypes": ["patch"], "minimumReleaseAge": "0 days"}]),
            json!([all, {"matchPackageNames": ["*"], "minimumReleaseAge": null}]),
            json!([all, {"matchPackageNames": ["/^n/"], "minimumReleaseAge": null}]),
            json!([all, {"matchDatasources": ["!pypi"], "minimumReleaseAge": null}]),
        ] {
            assert_eq!(of_rules(bad.clone()), [Rule::RenovateMinimumAge; 3], "{bad}");
        }
        let lifted = json!([all, {"matchManagers": ["npm"], "minimumReleaseAge": null}]);
        let found = of_file(json!({"packageRules": lifted}).to_string().as_bytes());
        let [finding] = found.as_slice() else { panic!("{found:?}") };
        assert!(finding.text.contains("number 2 of `packageRules`"), "{}", finding.text);
        let block = |name: &str| json!({"minimumReleaseAge": "7 days", name: {"minimumReleaseAge": null}});
        assert_eq!(rules(&block("patch")), [Rule::RenovateMinimumAge; 3]);
        assert_eq!(rules(&block("dockerfile")), [Rule::RenovateMinimumAge]);
        assert_eq!(rules(&block("github-actions")), []);
        assert_eq!(rules(&block("vulnerabilityAlerts")), []);
    }
}
