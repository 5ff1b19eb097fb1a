//! Checks the rules against every combination of facts, and the documentation against the rules.

use std::fmt::Write as _;

use super::{Action, Facts, Found, Plan};
use crate::release::step::Step;
use Found::{Differs, Matches, Missing, NotApplicable};

const FOUND: [Found; 4] = [NotApplicable, Missing, Matches, Differs];

const DOCUMENT: &str = include_str!("../../../../docs/releasing.md");

const MARKERS: [&str; 2] = ["<!-- begin: the plan -->\n", "<!-- end: the plan -->"];

fn is_finished(plan: &Plan) -> bool {
    plan.steps.iter().all(|(_, action)| *action == Action::Done)
}

/// Every combination of facts that can be found.
fn reachable() -> Vec<Facts> {
    let mut all = Vec::new();
    for index in 0..2 * 4_usize.pow(8) {
        let mut digits = (0..8).map(|place| FOUND[(index >> (1 + 2 * place)) & 3]);
        let mut next = || digits.next().unwrap();
        all.push(Facts {
            stable: index & 1 == 0,
            candidate: next(),
            version_tag: next(),
            signature: next(),
            provenance: next(),
            sbom: next(),
            page: next(),
            latest: next(),
            mark: next(),
        });
    }
    all.retain(is_reachable);
    all
}

fn is_reachable(facts: &Facts) -> bool {
    let image = [facts.signature, facts.provenance, facts.sbom];
    // What the version tag names is looked up only if the tag exists. Then each of these facts is known, unless
    // something else is known to be wrong.
    match facts.version_tag {
        NotApplicable => false,
        Missing => image == [NotApplicable; 3] && facts.latest != Matches && facts.page != Matches,
        Matches => {
            !image.contains(&NotApplicable) || image.iter().any(|found| matches!(found, Missing | Differs))
        }
        Differs => true,
    }
}

#[test]
fn every_combination_keeps_the_rules() {
    let all = reachable();
    assert!(all.len() > 1000, "{}", all.len());
    for facts in &all {
        let plan = Plan::of(facts);
        let ensure = |holds: bool, rule: &str| assert!(holds, "{rule}:\n{facts:?}\n{plan:?}");
        let does = |step| plan.does(step);
        let public = facts.version_tag != Missing;
        let proven = [facts.version_tag, facts.signature, facts.provenance, facts.sbom] == [Matches; 4];
        ensure(!(public && does(Step::Tag)), "a version tag that exists is never written");
        ensure(
            !(public && (does(Step::Build) || does(Step::Sign) || does(Step::Attest))),
            "nothing is added to a public image",
        );
        ensure(plan.is_conflict() == (public && !proven), "what is public is proven, or it is a conflict");
        ensure(
            !plan.is_conflict() || !plan.steps.iter().any(|(_, action)| *action == Action::Do),
            "a conflict changes nothing",
        );
        ensure(!plan.is_conflict() || !is_finished(&plan), "a conflict is not finished");
        ensure(
            public || (does(Step::Build) && does(Step::Sign) && does(Step::Attest) && does(Step::Tag)),
            "what is not public is made completely",
        );
        ensure(
            !does(Step::Page) || proven || does(Step::Tag),
            "a page is only for an image that is proven or will be",
        );
        ensure(
            !does(Step::Latest) || (facts.stable && (proven || does(Step::Tag))),
            "`latest` is only for a proven stable version",
        );
        ensure(facts.latest != Matches || !does(Step::Latest), "what is right is left alone");
        ensure(!(facts.page == Matches && does(Step::Page)), "what is right is left alone");
        let all_right = proven
            && facts.page == Matches
            && facts.mark != Differs
            && facts.mark != Missing
            && (!facts.stable || matches!(facts.latest, Matches | NotApplicable))
            && matches!(facts.candidate, Missing | NotApplicable);
        ensure(is_finished(&plan) == all_right, "a plan is finished exactly when everything is right");
    }
}

#[test]
fn a_plan_that_was_carried_out_leaves_nothing_to_do() {
    for facts in reachable() {
        let plan = Plan::of(&facts);
        if plan.is_conflict() {
            continue;
        }
        let after = |step, found| if plan.does(step) { Matches } else { found };
        let done = Facts {
            stable: facts.stable,
            candidate: if plan.does(Step::Close) { Missing } else { facts.candidate },
            version_tag: after(Step::Tag, facts.version_tag),
            signature: after(Step::Sign, facts.signature),
            provenance: after(Step::Attest, facts.provenance),
            sbom: after(Step::Attest, facts.sbom),
            page: after(Step::Page, facts.page),
            latest: after(Step::Latest, facts.latest),
            mark: after(Step::Mark, facts.mark),
        };
        assert!(is_finished(&Plan::of(&done)), "{facts:?}\n{done:?}");
    }
}

/// The rows of the table in docs/releasing.md.
fn situations() -> Vec<(&'static str, Facts)> {
    let nothing = Facts::nothing_public(true);
    let finished = Facts {
        stable: true,
        candidate: Missing,
        version_tag: Matches,
        signature: Matches,
        provenance: Matches,
        sbom: Matches,
        page: Matches,
        latest: Matches,
        mark: Matches,
    };
    vec![
        ("no version tag", nothing),
        ("no version tag, a candidate", Facts { candidate: Matches, ..nothing }),
        ("no version tag, a pre-release", Facts::nothing_public(false)),
        (
            "version tag, no page",
            Facts { candidate: Matches, page: Missing, latest: Differs, mark: Differs, ..finished },
        ),
        (
            "the same of a pre-release",
            Facts { stable: false, candidate: Matches, page: Missing, latest: NotApplicable, ..finished },
        ),
        (
            "the same of a backport",
            Facts { candidate: Matches, page: Missing, latest: NotApplicable, ..finished },
        ),
        (
            "page with other facts or files, a draft, or the wrong pre-release flag",
            Facts { page: Differs, ..finished },
        ),
        ("`latest` on another version", Facts { latest: Differs, ..finished }),
        ("the forge marks another page as its latest", Facts { mark: Differs, ..finished }),
        ("a candidate is left", Facts { candidate: Matches, ..finished }),
        ("everything", finished),
        ("version tag without a signature, or with another's", Facts { signature: Differs, ..finished }),
        (
            "version tag without an attestation, or with a wrong one",
            Facts { provenance: Missing, ..finished },
        ),
        (
            "version tag of another image, or a git tag elsewhere",
            Facts { version_tag: Differs, page: Missing, ..finished },
        ),
    ]
}

fn table() -> String {
    let mut table = "\n| found |".to_owned();
    let (_, any) = situations()[0];
    for (step, _) in Plan::of(&any).steps {
        write!(table, " {} |", step.name()).unwrap();
    }
    table.push_str("\n|---|---|---|---|---|---|---|---|---|\n");
    for (words, facts) in situations() {
        write!(table, "| {words} |").unwrap();
        for (_, action) in Plan::of(&facts).steps {
            let word = match action {
                Action::Done => "·",
                Action::Do => "do",
                Action::Conflict(_) => "conflict",
            };
            write!(table, " {word} |").unwrap();
        }
        table.push('\n');
    }
    table + "\n"
}

#[test]
fn the_documentation_says_what_the_rules_do() {
    let [begin, end] = MARKERS;
    let written =
        DOCUMENT.split_once(begin).and_then(|(_, rest)| rest.split_once(end)).map(|(block, _)| block);
    assert_eq!(
        written,
        Some(table().as_str()),
        "docs/releasing.md is behind: put this between `{}` and `{end}`:\n{}",
        begin.trim(),
        table()
    );
}
