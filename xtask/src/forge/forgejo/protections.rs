//! What the forge's own protections leave open to everybody with write access. `doctor` names what is missing and the
//! API call that creates it; `doctor --fix` makes that call.

mod pattern;

use anyhow::{Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Forgejo;
use crate::forge::{Protections, Rule};
use crate::http::{Method, Request};
use crate::inputs::config::{CiStatus, Config, TagSigners};
use crate::process::problem::Problem;

use pattern::matches;

/// The command that creates what is missing. It does not use `cargo`, which would keep the token in its environment.
const FIX: &str = "`target/debug/xtask doctor --fix ACCOUNT`, with the accounts that may push release tags";

/// A rule that covers these tags counts as covering every release.
const TAGS: [&str; 3] = ["v0.1.0", "v10.20.30", "v1.2.3-rc.1"];
/// The same for the second person's tags.
const APPROVALS: [&str; 3] = ["approved/v0.1.0", "approved/v10.20.30", "approved/v1.2.3-rc.1"];

/// `GET /repos/{o}/{r}/tag_protections`
#[derive(Deserialize)]
pub(super) struct TagRule {
    name_pattern: String,
}

/// `GET /repos/{o}/{r}/branch_protections`
#[derive(Deserialize)]
pub(super) struct BranchRule {
    rule_name: String,
    enable_push: bool,
    enable_push_whitelist: bool,
}

impl Forgejo {
    /// Queries the rules and judges them.
    pub(super) fn read_protections(&self) -> Result<Protections> {
        let tags: Option<Vec<TagRule>> = self.rules("tag_protections")?;
        let branches: Option<Vec<BranchRule>> = self.rules("branch_protections")?;
        let (Some(tags), Some(branches)) = (tags, branches) else {
            let why = if self.token.is_some() { "the token may not read them" } else { "not asked" };
            let text =
                format!("{why}: this needs a `FORGEJO_TOKEN` of somebody who administers the repository");
            return Ok(said(text));
        };
        let address = self.url("");
        let mut all = vec![of_tags(&Rule::Tags, &tags, &self.config, &address)];
        if self.config.tag_signers == TagSigners::Two {
            all.push(of_tags(&Rule::Approvals, &tags, &self.config, &address));
        }
        let branch = |name: &String| of_branch(name, &branches, &self.config, &address);
        all.extend(self.config.branches.iter().map(branch));
        let mut found = Protections { were_told: true, ..Protections::default() };
        for Protections { said, problems, missing, .. } in all {
            found.said.extend(said);
            found.problems.extend(problems);
            found.missing.extend(missing);
        }
        found.said.extend(self.writers()?);
        Ok(found)
    }

    /// Creates `rule`; `maintainers` may then push release tags.
    pub(super) fn make_rule(&self, rule: &Rule, maintainers: &[String]) -> Result<()> {
        let response =
            self.send(self.request(Method::Post, path(rule), &body(rule, &self.config, maintainers)))?;
        ensure!(response.status == 201, response.unexpected());
        Ok(())
    }

    /// `None` if the token may not read them, or if there is no token.
    pub(super) fn rules<T: serde::de::DeserializeOwned>(&self, rest: &str) -> Result<Option<Vec<T>>> {
        if self.token.is_none() {
            return Ok(None);
        }
        let response = self.send(Request::new(Method::Get, self.url(rest)))?;
        match response.status {
            200 => response.json().map(Some),
            401 | 403 | 404 => Ok(None),
            _ => Err(response.unexpected()),
        }
    }
}

/// Whether every tag of the kind of `wanted` is protected.
fn of_tags(wanted: &Rule, rules: &[TagRule], config: &Config, address: &str) -> Protections {
    let (kind, tags, found) = match wanted {
        Rule::Approvals => (
            "approvals",
            APPROVALS,
            "everybody who may write to the repository may push a tag such as `approved/v1.2.3`, and so replace a signed one",
        ),
        _ => (
            "tags",
            TAGS,
            "everybody who may write to the repository may push a tag such as `v1.2.3`, and so release",
        ),
    };
    // In a rule for tags, unlike one for branches, `*` is any text (docs/facts.md#tag-rules).
    let pattern = |rule: &TagRule| rule.name_pattern.replace('*', "**");
    let covers = |rule: &&TagRule| tags.iter().all(|tag| matches(&pattern(rule), tag));
    if let Some(rule) = rules.iter().find(covers) {
        return said(format!("{kind} by `{}`", rule.name_pattern.escape_debug()));
    }
    // `/…/` is a regular expression, which this code does not interpret.
    if let Some(rule) = rules.iter().find(|rule| rule.name_pattern.starts_with('/')) {
        return said(format!(
            "{kind} by the regular expression `{}`, which is not interpreted here",
            rule.name_pattern.escape_debug()
        ));
    }
    let call = call(address, wanted, &body(wanted, config, &["NAME".to_owned()]));
    missing(wanted.clone(), found, &format!("{call}, with the names of those who may push it"))
}

/// Whether commits reach the released branch only through merges, not through a push by anybody.
fn of_branch(name: &str, rules: &[BranchRule], config: &Config, address: &str) -> Protections {
    // A rule with exactly this name takes precedence over a pattern.
    let exact = rules.iter().find(|rule| rule.rule_name == name);
    let rule = exact.or_else(|| rules.iter().find(|rule| matches(&rule.rule_name, name)));
    match rule {
        None => {
            let rule = Rule::Branch(name.to_owned());
            let remedy = call(address, &rule, &body(&rule, config, &[]));
            let found = format!(
                "everybody who may write to the repository may push to `{name}`, and so decide what is released"
            );
            missing(rule, &found, &remedy)
        }
        // Somebody made that rule, so only they should change it.
        Some(rule) if rule.enable_push && !rule.enable_push_whitelist => problem(
            &format!(
                "the rule `{}` lets everybody who may write push to `{name}`",
                rule.rule_name.escape_debug()
            ),
            "name those who may push, or forbid it, in the repository's settings, Branches",
        ),
        Some(rule) => said(format!("`{name}` by `{}`", rule.rule_name.escape_debug())),
    }
}

fn said(text: String) -> Protections {
    Protections { said: vec![text], ..Protections::default() }
}

fn missing(rule: Rule, found: &str, remedy: &str) -> Protections {
    Protections { missing: vec![rule], ..problem(found, &format!("{remedy}; or run {FIX}")) }
}

fn problem(found: &str, remedy: &str) -> Protections {
    let problem = Problem::new("protections", format!("{found}; {remedy}"));
    Protections { problems: vec![problem], ..Protections::default() }
}

/// The API path, below the repository's address, at which rules of this kind are created.
fn path(rule: &Rule) -> &'static str {
    match rule {
        Rule::Tags | Rule::Approvals => "tag_protections",
        Rule::Branch(_) => "branch_protections",
    }
}

/// The request body that creates `rule`; `maintainers` may push release tags.
fn body(rule: &Rule, config: &Config, maintainers: &[String]) -> Value {
    let tags = |pattern: &str| json!({ "name_pattern": pattern, "whitelist_usernames": maintainers });
    let name = match rule {
        Rule::Tags => return tags("v*"),
        Rule::Approvals => return tags("approved/*"),
        Rule::Branch(name) => name,
    };
    let requires = config.ci_status == CiStatus::Required;
    let mut body = json!({ "rule_name": name, "enable_push": false, "enable_status_check": requires });
    if requires && !config.ci_contexts.is_empty() {
        let contexts: Vec<_> = config.ci_contexts.iter().map(|context| of_any_event(context)).collect();
        body["status_check_contexts"] = json!(contexts);
    }
    body
}

/// The pattern for `context` of any event. A release waits for the context of the push. A pull request from a fork
/// does not have it, so if a branch that only merges can reach required it, no fork could contribute
/// (docs/facts.md#status-contexts).
fn of_any_event(context: &str) -> String {
    context.strip_suffix(" (push)").map_or_else(|| context.to_owned(), |job| format!("{job} (*)"))
}

/// The shell command that creates a rule. The token is on no command line.
fn call(address: &str, rule: &Rule, body: &Value) -> String {
    // Escapes every `'`, which could end the shell's string; in JSON it stays the same character.
    let body = body.to_string().replace('\'', "\\u0027");
    format!(
        "`printf 'Authorization: token %s' \"$FORGEJO_TOKEN\" | curl --fail --header @- \
         --header 'Content-Type: application/json' --data '{body}' {address}/{}`",
        path(rule)
    )
}

#[cfg(test)]
mod tests {
    use super::{BranchRule, TagRule, of_branch, of_tags};
    use crate::forge::{Protections, Rule};
    use crate::inputs::config::tests::{example, example_with};

    const ADDRESS: &str = "https://forge.example.org/api/v1/repos/acme/carol";

    fn text(found: &Protections) -> String {
        let problems = found.problems.iter().map(|problem| format!("problem: {}", problem.text));
        found.said.iter().cloned().chain(problems).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn tags_count_as_protected_only_if_one_rule_covers_all_of_them() {
        for (patterns, expected) in [
            (&["v*"][..], "tags by `v*`"),
            (&["x", "*"], "tags by `*`"),
            (&["/^v[0-9]/"], "tags by the regular expression"),
            (&[], "problem: everybody who may write"),
            (&["v1.*"], "problem: everybody who may write"),
            (&["v*.*.3"], "problem: everybody who may write"),
        ] {
            let rules: Vec<_> =
                patterns.iter().map(|pattern| TagRule { name_pattern: (*pattern).to_owned() }).collect();
            let found = text(&of_tags(&Rule::Tags, &rules, &example(), ADDRESS));
            assert!(found.starts_with(expected), "{patterns:?}: {found}");
        }
        let found = text(&of_tags(&Rule::Tags, &[], &example(), ADDRESS));
        assert!(found.contains("--data '{\"name_pattern\":\"v*\""), "{found}");
    }

    #[test]
    fn approvals_count_as_protected_only_if_one_rule_covers_all_of_them() {
        for (pattern, expected) in [
            ("approved/*", "approvals by `approved/*`"),
            ("*", "approvals by `*`"),
            ("/^approved/", "approvals by the regular expression"),
            ("v*", "problem: everybody who may write"),
            ("approved/v1.*", "problem: everybody who may write"),
        ] {
            let rules = [TagRule { name_pattern: pattern.to_owned() }];
            let found = text(&of_tags(&Rule::Approvals, &rules, &example(), ADDRESS));
            assert!(found.starts_with(expected), "{pattern}: {found}");
        }
        let found = text(&of_tags(&Rule::Approvals, &[], &example(), ADDRESS));
        assert!(found.contains("--data '{\"name_pattern\":\"approved/*\""), "{found}");
    }

    #[test]
    fn a_branch_is_protected_unless_everybody_may_push() {
        let rule = |name: &str, push, listed| BranchRule {
            rule_name: name.to_owned(),
            enable_push: push,
            enable_push_whitelist: listed,
        };
        for (rules, expected) in [
            (vec![rule("main", false, false)], "`main` by `main`"),
            (vec![rule("m*", true, true)], "`main` by `m*`"),
            (vec![rule("*", true, false), rule("main", false, false)], "`main` by `main`"),
            (vec![rule("*", true, false)], "problem: the rule `*` lets everybody"),
            (vec![rule("other", false, false)], "problem: everybody who may write"),
            (vec![], "problem: everybody who may write"),
        ] {
            let found = text(&of_branch("main", &rules, &example(), ADDRESS));
            assert!(found.starts_with(expected), "{found}");
        }
        for (context, expected) in [
            // A pull request from a fork has no context of a push.
            ("ci / test (push)", "ci / test (*)"),
            ("it's (push)", "it\\u0027s (*)"),
            ("ci / test (pull_request)", "ci / test (pull_request)"),
            ("lint (push) all", "lint (push) all"),
            ("jenkins", "jenkins"),
        ] {
            let contexts = example_with(&format!("ci-contexts = [\"{context}\"]"));
            let found = text(&of_branch("main", &[], &contexts, ADDRESS));
            let expected = format!("\"status_check_contexts\":[\"{expected}\"]");
            assert!(found.contains(&expected), "{found}");
        }
    }
}
