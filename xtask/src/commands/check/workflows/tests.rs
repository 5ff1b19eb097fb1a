//! The rules for workflows, as tables.

use super::{Finding, RELEASE_WORKFLOW, Rule, read, shared_label};

const CI: &str = ".forgejo/workflows/ci.yml";

/// The rules that `text` breaks, each once.
fn rules(file: &str, text: &str) -> Vec<Rule> {
    let mut found = Vec::new();
    read(file, text, &mut found);
    let mut rules: Vec<_> =
        found.iter().filter(|finding: &&Finding| finding.is_error()).map(|finding| finding.rule).collect();
    rules.sort();
    rules.dedup();
    rules
}

fn job(rest: &str) -> String {
    format!("jobs:\n  x:\n    runs-on: docker\n    timeout-minutes: 5\n{rest}")
}

#[test]
fn what_runs_beside_secrets_must_be_pinned_in_every_yaml_spelling() {
    let commit = "a".repeat(40);
    let digest = format!("sha256:{}", "a".repeat(64));
    for good in [
        format!("    steps:\n      - uses: https://forge.example.org/a/b@{commit} # v4\n"),
        format!("    steps: [{{uses: 'a/b@{commit}'}}]\n"),
        format!("    steps:\n      - uses: docker://alpine@{digest}\n"),
        format!("    container: node:22@{digest}\n    steps: []\n"),
        format!("    services: {{db: {{image: 'postgres:17@{digest}'}}}}\n    steps: []\n"),
        "    steps:\n      - run: |\n          echo 'uses: a@main'\n".to_owned(),
        "    steps: []\n    # uses: a@main\n".to_owned(),
    ] {
        assert_eq!(rules(CI, &job(&good)), [], "{good}");
    }
    for (bad, rule) in [
        ("    steps:\n      - uses: a/b@v4\n", Rule::WorkflowActionPin),
        ("    steps:\n      - uses: a/b\n", Rule::WorkflowActionPin),
        ("    steps:\n      - uses: ./action\n", Rule::WorkflowActionPin),
        ("    steps:\n      - {uses: a@main}\n", Rule::WorkflowActionPin),
        ("    steps: [{uses: a@main}]\n", Rule::WorkflowActionPin),
        ("    steps:\n      - \"uses\": a@main\n", Rule::WorkflowActionPin),
        ("    steps:\n      - 'uses': a@main\n", Rule::WorkflowActionPin),
        ("    steps:\n      - \"\\x75ses\": a@main\n", Rule::WorkflowActionPin),
        ("    steps:\n      - uses : a@main\n", Rule::WorkflowActionPin),
        ("    steps:\n      - ? uses\n        : a@main\n", Rule::WorkflowActionPin),
        ("    steps:\n      - name: x\n        uses:\n          a@main\n", Rule::WorkflowActionPin),
        ("    steps:\n      - uses: >-\n          a@main\n", Rule::WorkflowActionPin),
        ("    steps:\n      - uses: [a]\n", Rule::WorkflowActionPin),
        ("    uses: a/b/.forgejo/workflows/x.yml@main\n", Rule::WorkflowActionPin),
        ("    steps:\n      - uses: docker://alpine:3\n", Rule::WorkflowActionPin),
        ("    container: node:22\n", Rule::WorkflowImageDigest),
        ("    container: {image: node:22}\n", Rule::WorkflowImageDigest),
        ("    container:\n      image: ${{ vars.IMAGE }}\n", Rule::WorkflowImageDigest),
        ("    container: node@sha256:12\n", Rule::WorkflowImageDigest),
        ("    services:\n      db:\n        image: postgres\n", Rule::WorkflowImageDigest),
        ("    \"services\": {db: {\"image\": postgres}}\n", Rule::WorkflowImageDigest),
        ("    steps: &s\n      - run: x\n", Rule::WorkflowUnreadable),
        ("    steps:\n      - !!map {uses: a}\n", Rule::WorkflowUnreadable),
        ("    steps: []\n    steps: [{uses: a}]\n", Rule::WorkflowUnreadable),
    ] {
        assert_eq!(rules(CI, &job(bad)), [rule], "{bad}");
    }
    assert_eq!(rules(CI, "jobs:\n  x:\n    steps: []\n"), [Rule::WorkflowTimeout]);
}

#[test]
fn an_action_in_the_repository_itself_is_refused_without_advice_to_pin_it() {
    for place in ["    steps: [{uses: './a'}]\n", "    uses: ./.forgejo/workflows/x.yml\n"] {
        let mut found = Vec::new();
        read(CI, &job(place), &mut found);
        let text = &found.iter().find(|finding| finding.rule == Rule::WorkflowActionPin).unwrap().text;
        assert!(text.ends_with("write its steps into the workflow") && !text.contains("40 digits"), "{text}");
    }
}

#[test]
fn only_the_release_workflow_may_read_secrets() {
    let step =
        |value: &str| job(&format!("    steps:\n      - run: x\n        env:\n          K: {value}\n"));
    for good in [
        "${{ github.token }}",
        "${{ secrets.GITHUB_TOKEN }}",
        "${{ vars.secrets_of }}",
        "my secrets.md",
        "'${{ nosecrets.x }}'",
    ] {
        assert_eq!(rules(CI, &step(good)), [], "{good}");
    }
    for bad in [
        "${{ secrets.COSIGN_PRIVATE_KEY }}",
        "${{secrets.KEY}}",
        "${{ SECRETS.KEY }}",
        "\"${{ secrets['KEY'] }}\"",
        "${{ toJSON(secrets) }}",
        "${{ github.token }} ${{ secrets.KEY }}",
        "\"${{ \\x73ecrets.KEY }}\"",
        "${{ secrets.GITHUB_TOKEN_2 }}",
        "${{ secrets . KEY }}",
    ] {
        assert_eq!(rules(CI, &step(bad)), [Rule::WorkflowSecretPlace], "{bad}");
        assert!(!rules(RELEASE_WORKFLOW, &step(bad)).contains(&Rule::WorkflowSecretPlace), "{bad}");
    }
    assert_eq!(rules(CI, &job("    secrets: inherit\n")), [Rule::WorkflowSecretPlace]);
}

#[test]
fn a_step_with_secrets_must_not_run_cargo() {
    let key = "KEY: ${{ secrets.KEY }}\n";
    let cargo = |file: &str, text: &str| rules(file, text).contains(&Rule::WorkflowSecretCargo);
    let step = |run: &str| job(&format!("    steps:\n      - run: {run}\n        env:\n          {key}"));
    assert!(!cargo(RELEASE_WORKFLOW, &step("exec target/debug/xtask release")));
    for bad in ["cargo xtask release", "|\n          cargo build\n          target/debug/xtask release"] {
        assert!(cargo(RELEASE_WORKFLOW, &step(bad)), "{bad}");
    }
    for (run, expected) in [
        ("|\n          \"$HOME/.cargo/bin/cargo\" xtask release", true),
        ("|\n          (cargo build)", true),
        ("|\n          x=$(~/.cargo/bin/cargo metadata)", true),
        ("|\n          true;'cargo' build", true),
        ("|\n          exec target/debug/xtask release --cargo", false),
        ("|\n          . \"$HOME/.cargo/env\"", false),
    ] {
        assert_eq!(cargo(RELEASE_WORKFLOW, &step(run)), expected, "{run}");
    }
    for (container, expected) in [
        ("env: {KEY: '${{ secrets.KEY }}'}", true),
        ("options: '--env=KEY=${{ secrets.KEY }}'", true),
        // The runner pulls the image with these, and no step can read them.
        ("credentials: {username: x, password: '${{ secrets.KEY }}'}", false),
    ] {
        let text = job(&format!(
            "    container:\n      image: x\n      {container}\n    steps: [{{run: cargo build}}]\n"
        ));
        assert_eq!(cargo(RELEASE_WORKFLOW, &text), expected, "{container}");
    }
    let of_job = job(&format!("    env:\n      {key}    steps:\n      - run: cargo build\n"));
    assert!(cargo(RELEASE_WORKFLOW, &of_job));
    assert!(cargo(RELEASE_WORKFLOW, &format!("env:\n  {key}{}", job("    steps: [{run: cargo build}]\n"))));
}

#[test]
fn the_release_workflow_must_have_the_concurrency_that_never_cancels_a_run() {
    let group = "concurrency:\n  group: 'release-${{ github.ref }}'\n  cancel-in-progress: false\n";
    assert_eq!(rules(RELEASE_WORKFLOW, &format!("{group}{}", job(""))), []);
    for bad in
        ["", "concurrency: release\n", &group.replace("false", "true"), &group.replace(" }}", "_name }}")]
    {
        assert_eq!(
            rules(RELEASE_WORKFLOW, &format!("{bad}{}", job(""))),
            [Rule::WorkflowConcurrency],
            "{bad}"
        );
    }
}

#[test]
fn a_shared_runner_and_an_unused_token_are_notes() {
    let mut found = Vec::new();
    let ci = read(CI, &job("    steps: [{run: x}]\n"), &mut found).unwrap();
    assert_eq!(
        found.iter().map(|note| (note.rule, note.is_error())).collect::<Vec<_>>(),
        [(Rule::WorkflowAutomaticToken, false)]
    );
    let release =
        |label: &str| read(RELEASE_WORKFLOW, &job("").replace("docker", label), &mut Vec::new()).unwrap();
    let shared = |label: &str| {
        shared_label(&[(CI.to_owned(), ci.clone()), (RELEASE_WORKFLOW.to_owned(), release(label))])
    };
    assert_eq!(shared("release"), []);
    for label in ["docker", "[self-hosted, docker]"] {
        assert_eq!(shared(label)[0].rule, Rule::WorkflowRunnerLabel, "{label}");
    }
}
