//! Which stages and tests a run has, and what must have run.

use super::{Extent, check_all_ran, parse_list, slowest};
use crate::process::environment::{INHERITED, PROXIES};

#[test]
fn the_variables_that_a_services_tests_inherit_are_documented() {
    let page = include_str!("../../../../docs/adopting.md");
    for name in INHERITED.iter().chain(&PROXIES[..4]) {
        assert!(page.contains(&format!("`{name}`")), "docs/adopting.md does not name `{name}`");
    }
}

#[test]
fn the_twenty_slowest_tests_are_listed_slowest_first() {
    let durations = (0..30).map(|number| (format!("test{number}"), f64::from(number))).collect();
    let lines = slowest(&durations);
    assert!(lines.starts_with("    29.0  test29\n    28.0  test28\n"), "{lines}");
    assert_eq!(lines.lines().count(), 20);
}

#[test]
fn a_test_that_did_not_run_fails_the_command() {
    let listed = parse_list("rehearsal::twice: test\nbad_input::tag: test\n2 tests, 0 benchmarks\n");
    assert_eq!(listed.len(), 2);
    let mut ran = listed.clone();
    assert!(check_all_ran(&listed, &ran).is_ok());
    ran.remove("bad_input::tag");
    let error = check_all_ran(&listed, &ran).unwrap_err().to_string();
    assert!(error.contains("bad_input::tag"), "{error}");
}

/// The timeout of the job in the workflow of this name, in minutes.
fn job_minutes(workflow: &str) -> u64 {
    let file = format!("{}/../.forgejo/workflows/{workflow}.yml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(file).unwrap();
    let minutes = text.lines().find_map(|line| line.trim().strip_prefix("timeout-minutes: "));
    minutes.unwrap().parse().unwrap()
}

#[test]
fn the_longest_release_ends_before_its_job_times_out() {
    let timeouts = crate::inputs::config::tests::example().timeouts;
    let release = (timeouts.ci() + timeouts.build() + timeouts.pull()).as_secs() / 60;
    let job = job_minutes("release");
    assert!(
        release + 20 <= job,
        "{release} of {job} minutes leave too little time to compile and for the smoke test"
    );
}

#[test]
fn a_stage_that_hangs_times_out_before_its_job_does() {
    for (workflow, all) in [("ci", false), ("nightly", true)] {
        let job = job_minutes(workflow);
        let stage = Extent { all, name: None }.patience().as_secs() / 60;
        assert!(
            stage + 30 <= job,
            "{workflow}: {stage} of {job} minutes leave too little time for other stages"
        );
    }
}
