//! The predicate of made-up facts, field by field.

use super::super::Tried;
use super::{Facts, Invocation, Provenance, ToolSource};
use crate::inputs::config::Config;
use crate::inputs::dockerfile::{self, BaseImages, NetworkedStep};
use crate::inputs::stand_in::StandIn;
use crate::oci::reference::Digest;
use crate::tool::git::Commit;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn config() -> Config {
    serde_json::from_value(json!({
        "forge": "https://forge.example.org", "repository": "acme/carol", "title": "carol",
        "description": "a service", "licenses": "MIT", "platforms": ["linux/amd64", "linux/arm64"],
        "branches": ["main"], "smoke": {"port": 3000, "health": "/healthz", "version": "/version"},
        "native": [
            {"package": "a", "platform": "linux/amd64", "url": "https://example.org/a", "sha256": "1".repeat(64)},
            {"package": "b", "script": "unneeded"},
        ],
    }))
    .unwrap()
}

fn base() -> BaseImages {
    let digest = Digest::of(b"base");
    dockerfile::read(&format!("FROM node:22-slim@{digest} AS build\nFROM node:22-slim@{digest}\n"), &[])
        .unwrap()
        .base
}

fn predicate(invocation: &Invocation, stand_ins: &[(String, StandIn)]) -> Value {
    predicate_of(&config(), invocation, stand_ins)
}

fn predicate_of(config: &Config, invocation: &Invocation, stand_ins: &[(String, StandIn)]) -> Value {
    let provenance = Provenance::new(&Facts {
        config,
        tag: &"v1.0.0".parse().unwrap(),
        commit: &Commit::parse(&"7".repeat(40)).unwrap(),
        invocation,
        files: &[("service/package-lock.json".to_owned(), Digest::of(b"lock"))],
        base: &base(),
        networked: &[NetworkedStep { line: 12, words: "RUN npm ci".to_owned() }],
        stand_ins,
        versions: BTreeMap::from([("buildkit".to_owned(), "v0.13.2".to_owned())]),
        tool: &ToolSource {
            url: "https://forge.example.org/acme/carol".to_owned(),
            commit: Commit::parse(&"8".repeat(40)).unwrap(),
            is_modified: true,
        },
        smoked: &[("linux/amd64".to_owned(), Tried::Native), ("linux/arm64".to_owned(), Tried::NotRun)]
            .into_iter()
            .collect(),
        started: 0,
        finished: 60,
        byproducts: vec![(
            "sbom.cdx.json".to_owned(),
            "application/vnd.cyclonedx+json".to_owned(),
            Digest::of(b"sbom"),
        )],
    });
    let value = serde_json::to_value(&provenance).unwrap();
    assert_eq!(
        serde_json::from_value::<Provenance>(value.clone()).unwrap(),
        provenance,
        "it reads back as written"
    );
    value
}

fn local() -> Invocation {
    Invocation::Local { command: "cargo xtask rehearse".to_owned(), nonce: "0".repeat(32) }
}

#[test]
fn a_workflow_run_is_named_by_its_number_and_attempt() {
    let run = |key: &str| key.to_owned();
    let predicate = predicate(
        &Invocation::Workflow {
            path: run(".forgejo/workflows/release.yml"),
            event: run("push"),
            run_id: run("117195"),
            run_number: run("42"),
            attempt: run("2"),
        },
        &[],
    );
    assert_eq!(
        predicate["buildDefinition"]["externalParameters"],
        json!({
            "workflow": {
                "repository": "https://forge.example.org/acme/carol",
                "ref": "refs/tags/v1.0.0",
                "path": ".forgejo/workflows/release.yml",
            },
            "dockerfile": "Dockerfile",
            "platforms": ["linux/amd64", "linux/arm64"],
        })
    );
    assert_eq!(
        predicate["runDetails"]["metadata"]["invocationId"],
        "https://forge.example.org/acme/carol/actions/runs/42/attempts/2"
    );
}

#[test]
fn a_local_run_is_recorded_as_one() {
    let predicate = predicate(&local(), &[]);
    let parameters = &predicate["buildDefinition"]["externalParameters"];
    assert_eq!(parameters["localRun"]["command"], "cargo xtask rehearse");
    assert!(parameters.get("workflow").is_none());
    assert!(
        predicate["runDetails"]["builder"]["id"].as_str().unwrap().ends_with("docs/builder.md#local-run")
    );
}

#[test]
fn every_input_has_its_digest_and_a_stand_in_is_recorded() {
    let reference = format!("127.0.0.1:5000/library/node@{}", Digest::of(b"stand-in"));
    let stand_in = StandIn::parse(&reference, Some("node:22-slim")).unwrap();
    let predicate = predicate(&local(), &[("node:22-slim@sha256:…".to_owned(), stand_in)]);
    let resources = predicate["buildDefinition"]["resolvedDependencies"].as_array().unwrap();
    let names: Vec<_> = resources.iter().map(|resource| resource["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "source",
            "package-lock.json",
            "builder-image",
            "base-image",
            "native a linux/amd64",
            "stand-in-image"
        ]
    );
    assert_eq!(resources[4]["uri"], "https://example.org/a");
    assert_eq!(resources[4]["digest"]["sha256"], "1".repeat(64));
    assert!(resources.iter().all(|resource| !resource["digest"].as_object().unwrap().is_empty()));
    assert_eq!(resources[5]["uri"], format!("docker-image://{reference}"));
    assert_eq!(resources[5]["digest"]["sha256"], Digest::of(b"stand-in").hex());
    assert_eq!(resources[5]["annotations"]["standsInFor"], "node:22-slim@sha256:…");
}

#[test]
fn the_origin_of_the_tool_is_recorded_apart_from_the_released_source() {
    let predicate = predicate(&local(), &[]);
    assert_eq!(
        predicate["runDetails"]["builder"]["builderDependencies"],
        json!([{
            "name": "xtask",
            "uri": format!("git+https://forge.example.org/acme/carol@{}#xtask", "8".repeat(40)),
            "digest": {"gitCommit": "8".repeat(40)},
            "annotations": {"modified": "true"},
        }])
    );
}

#[test]
fn every_run_records_its_smoke_tests_and_the_steps_that_had_a_network() {
    let predicate = predicate(&local(), &[]);
    let parameters = &predicate["buildDefinition"]["internalParameters"];
    let smoke = json!({"linux/amd64": "native", "linux/arm64": "not run"});
    assert_eq!(parameters, &json!({"smoke": smoke, "network": {"Dockerfile:12": "RUN npm ci"}}));
}

#[test]
fn an_unknown_parameter_is_refused_when_read_back() {
    let mut predicate = predicate(&local(), &[]);
    predicate["buildDefinition"]["externalParameters"]["extra"] = "x".into();
    assert!(serde_json::from_value::<Provenance>(predicate).is_err());
}

#[test]
fn build_secrets_are_recorded_by_name_and_origin_only() {
    let named =
        |predicate: &Value| predicate["buildDefinition"]["internalParameters"].get("buildSecrets").cloned();
    assert_eq!(named(&predicate(&local(), &[])), None);
    let mut config = config();
    config.build_secrets = vec!["NPM_TOKEN".to_owned().try_into().unwrap()];
    let predicate = predicate_of(&config, &local(), &[]);
    assert_eq!(named(&predicate), Some(json!({"NPM_TOKEN": "environment"})));
}

#[test]
fn a_work_tree_is_recorded_as_one() {
    let source = |command: &str| {
        let invocation = Invocation::Local { command: command.to_owned(), nonce: "0".repeat(32) };
        predicate(&invocation, &[])["buildDefinition"]["resolvedDependencies"][0].clone()
    };
    assert_eq!(source("cargo xtask rehearse --work-tree")["annotations"], json!({"workTree": "true"}));
    assert_eq!(source("cargo xtask rehearse").get("annotations"), None);
}
