//! `release --plan` and `release --json`: the output for programs before, during and after a release.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use xtask::oci::registry::Removal;

use super::project::Project;
use super::snapshot::Snapshot;
use crate::bad_input::REFUSED;
use crate::harness::run::Xtask;
use crate::harness::test;

const TAG: &str = "v0.1.0";

/// The plan as someone without secrets gets it. It must not change anything.
fn plan(project: &Project, code: i32) -> Result<Value> {
    let before = Snapshot::of(project)?;
    let run = Xtask::new(&project.checkout, &["release", TAG, "--plan", "--json"]).run()?;
    ensure!(run.code == code, "exit code {}, expected {code}:\n{}{}", run.code, run.stdout, run.stderr);
    ensure!(Snapshot::of(project)? == before, "a plan changed something");
    let plan: Value = serde_json::from_str(&run.stdout).with_context(|| run.stdout.clone())?;
    ensure!(plan["schema"] == "xtask-plan/3" && plan["tag"] == TAG, "{plan}");
    Ok(plan)
}

fn actions(plan: &Value) -> Vec<&str> {
    let steps = plan["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
    steps.iter().filter_map(|step| step["action"].as_str()).collect()
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn a_plan_says_what_is_done_and_what_is_not_and_needs_no_secret() -> Result<()> {
    test(|| {
        let project = Project::ready()?;
        project.push_tag(TAG)?;
        let before = plan(&project, 0)?;
        assert_eq!(actions(&before), ["do"; 8], "{before:#}");
        assert_eq!((&before["digest"], &before["problems"]), (&Value::Null, &json!([])));

        let released = project.laptop(&["release", TAG, "--json"]).run()?.success()?;
        let events = released.stdout.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
        ensure!(events.iter().all(|event| event["schema"] == "xtask-release/1"), "{events:#?}");
        let steps = |kind: &str| {
            let mut names: Vec<_> = events
                .iter()
                .filter(|event| event["event"] == kind)
                .map(|event| event["step"].to_string())
                .collect();
            names.sort();
            names
        };
        assert_eq!(steps("begun"), steps("finished"), "{events:#?}");
        let last = events.last().context("no event")?;
        assert_eq!((&last["event"], &last["finished_before"]), (&json!("released"), &json!(false)));
        assert_eq!(last["digest"], project.digest(TAG)?);

        let after = plan(&project, 0)?;
        assert_eq!(actions(&after), ["done"; 8], "{after:#}");
        assert_eq!(after["digest"], last["digest"]);

        // Without our signature, one step is a conflict, and the plan does no other step.
        let digest = project.digest(TAG)?.replace(':', "-");
        let removal = project.repository.registry().remove_tag(&format!("{digest}.sig").parse()?)?;
        ensure!(removal == Removal::Gone, "no signature");
        let conflict = plan(&project, REFUSED)?;
        assert_eq!(conflict["facts"]["signature"], "missing", "{conflict:#}");
        assert_eq!(conflict["steps"][1]["action"], "conflict", "{conflict:#}");
        assert!(!actions(&conflict).contains(&"do"), "{conflict:#}");
        let failed = project.laptop(&["release", TAG, "--json"]).run()?;
        let last: Value = serde_json::from_str(failed.stdout.lines().last().context("no event")?)?;
        assert_eq!(
            (&last["event"], &last["exit"], failed.code),
            (&json!("failed"), &json!(REFUSED), REFUSED)
        );
        Ok(())
    })
}
