//! The files of an adopter's repository. Some stay this tool's, word for word; the others are the adopter's own once
//! they are written.

use std::collections::BTreeSet;
use std::iter;

use anyhow::Result;
use serde_json::json;

use super::survey::Survey;
use super::{Options, base, dockerfile, tool, verifying};
use crate::evidence::provenance::RELEASE_WORKFLOW;
use crate::inputs::DOCKERFILE;
use crate::inputs::config::{Config, MANIFEST};

/// This repository's own files. An adopter gets them unchanged, or nearly so.
const CI: &str = include_str!("../../../../.forgejo/workflows/ci.yml");
const RELEASE: &str = include_str!("../../../../.forgejo/workflows/release.yml");
const RENOVATE: &str = include_str!("../../../../renovate.json");
const TOOLCHAIN: &str = include_str!("../../../../rust-toolchain.toml");

/// The package with the pinned tool, from the top of the repository.
pub(super) const PACKAGE: &str = "xtask/Cargo.toml";

/// The label of the runner in this repository's workflows.
const RUNNER: &str = "docker";

/// A file to write.
pub(super) struct File {
    /// From the top of the repository.
    pub(super) path: String,
    pub(super) text: String,
}

/// The files that are the adopter's own. `config` is the existing configuration, or that of the manifest written here.
///
/// # Errors
/// When the configuration has no image name.
pub(super) fn own(survey: &Survey, options: &Options, config: &Config) -> Result<Vec<File>> {
    let file = |path: &str, text| File { path: path.to_owned(), text };
    Ok(vec![
        file(MANIFEST, manifest(survey)),
        file(PACKAGE, package(options)),
        file("xtask/src/main.rs", MAIN.to_owned()),
        file(DOCKERFILE, dockerfile::text(survey)),
        file(".dockerignore", dockerignore(survey)),
        file("compose.example.yml", compose(survey, config)?),
    ])
}

/// This repository's `renovate.json` without the part that looks into the tool's own sources.
fn renovate() -> String {
    let own = RENOVATE.split_once("  \"customManagers\": [").and_then(|(before, rest)| {
        let (_, after) = rest.split_once("\n  ],\n")?;
        Some(format!("{before}{after}"))
    });
    own.unwrap_or_else(|| RENOVATE.to_owned())
}

/// The files that stay this tool's, for a repository with this configuration. `runner` is the label of the runner that
/// releases.
///
/// # Errors
/// When the configuration has no image name.
pub(super) fn ours(config: &Config, runner: Option<&str>) -> Result<Vec<File>> {
    let file = |path: &str, text| File { path: path.to_owned(), text };
    let release = RELEASE.replace("--package xtask", "--package release");
    let runs_on = |label: &str| format!("runs-on: {label}\n");
    let release = release.replace(&runs_on(RUNNER), &runs_on(runner.unwrap_or(RUNNER)));
    Ok(vec![
        file(CARGO_CONFIG, ALIAS.to_owned()),
        file("rust-toolchain.toml", TOOLCHAIN.to_owned()),
        file(".forgejo/workflows/ci.yml", CI.to_owned()),
        file(RELEASE_WORKFLOW, release),
        file("renovate.json", renovate()),
        file(VERIFYING, verifying::page(config)?),
    ])
}

/// What the existing file at `path` needs for a release, in words after its name; empty if nothing is known.
pub(super) fn advice(path: &str, found: &str) -> &'static str {
    match path {
        CARGO_CONFIG if !found.lines().any(|line| line.trim_start().starts_with("xtask")) => {
            "; for `cargo xtask`, add `xtask = \"run --quiet --locked --package release --\"` to its `[alias]`"
        }
        VERIFYING => "; every release page links to it, so it has to say how to verify an image",
        _ => "",
    }
}

const MAIN: &str =
    "//! `cargo xtask` releases this repository's service, with the tool that `xtask/Cargo.toml` pins.

fn main() -> std::process::ExitCode {
    xtask::main()
}
";

const CARGO_CONFIG: &str = ".cargo/config.toml";
const VERIFYING: &str = "docs/verifying.md";

const ALIAS: &str = "[alias]
xtask = \"run --quiet --locked --package release --\"
";

/// The manifest with the configuration.
pub(super) fn manifest(survey: &Survey) -> String {
    format!(
        "# The workspace of `cargo xtask`, which releases the service. The service itself is not part of it.\n\
         [workspace]\nresolver = \"3\"\n{MEMBERS}\n\n{}",
        tables(survey)
    )
}

/// The line of the manifest that makes the tool's package part of the workspace.
pub(super) const MEMBERS: &str = "members = [\"xtask\"]";

/// The tables of the manifest: the configuration and the profiles.
pub(super) fn tables(survey: &Survey) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let package = &survey.package;
    let description = if package.description.is_empty() { survey.title() } else { &package.description };
    format!(
        "# What is released, and where. This page describes every key:\n\
         # {}/configuration.md\n\
         [workspace.metadata.release]\n\
         forge = {}\nrepository = {}\ntitle = {}\ndescription = {}\nlicenses = {}\n\
         platforms = [\"linux/amd64\", \"linux/arm64\"]\nbranches = [{}]\nservice = {}\n\n\
         # How each platform's image is tested before it is signed.\n\
         [workspace.metadata.release.smoke]\nport = {}\nhealth = {}\n\n\
         # Short builds matter more than a debugger here; backtraces keep their line numbers. Overflow is checked, and\n\
         # no other debug assertion: that is a tenth of the time.\n\
         [profile.dev]\ndebug = \"line-tables-only\"\ndebug-assertions = false\noverflow-checks = true\n\n[profile.dev.package.\"*\"]\ndebug = false\n\n\
         # Layers are unpacked, hashed and stored as JSON: in unoptimized code, that takes tens of times as long.\n{}",
        tool::documents(),
        quoted(&survey.forge),
        quoted(&survey.repository),
        quoted(survey.title()),
        quoted(description),
        quoted(&package.license()),
        quoted(&survey.branch),
        quoted(&survey.folder),
        survey.port,
        quoted(&survey.health),
        ["sha2", "flate2", "zlib-rs", "serde_json", "base64"]
            .map(|name| format!("[profile.dev.package.{name}]\nopt-level = 3\n"))
            .join("\n"),
    )
}

fn package(options: &Options) -> String {
    format!(
        "[package]\nname = \"release\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n\
         [[bin]]\nname = \"xtask\"\npath = \"src/main.rs\"\n\n[dependencies]\n{}\n",
        tool::dependency(options)
    )
}

/// The build context is the whole exported commit, and the image needs only the service.
pub(super) fn dockerignore(survey: &Survey) -> String {
    let prefix = survey.prefix();
    let npmrc = survey.has_npmrc.then_some(".npmrc");
    let built = survey.shipped.build_files.iter().filter(|_| survey.builds).map(String::as_str);
    let names = ["package.json", "package-lock.json"].into_iter().chain(npmrc).chain(built);
    let names = names.chain(survey.shipped.all()).chain(survey.local.ignored(&survey.shipped));
    let lines: String = names.map(|name| format!("!{prefix}{name}\n")).collect();
    format!("# The build context is the whole exported commit. The image needs only the service.\n*\n{lines}")
}

pub(super) fn compose(survey: &Survey, config: &Config) -> Result<String> {
    let (title, port) = (survey.title(), survey.port);
    let ask = format!(
        "fetch('http://127.0.0.1:{port}{}').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))",
        survey.health
    );
    let volumes = named_volumes(survey.volumes());
    let mounts = volumes.iter().map(|(name, path)| format!("      - {}\n", json!(format!("{name}:{path}"))));
    let mounts: String = mounts.collect();
    let names: BTreeSet<_> = volumes.iter().map(|(name, _)| name).collect();
    let named: String = names.into_iter().map(|name| format!("  {name}:\n")).collect();
    let section = |text: String, key: &str| if text.is_empty() { text } else { format!("{key}:\n{text}") };
    Ok(format!(
        "# For self-hosters: copy this file as `compose.yaml`, set the version, and run `docker compose up -d`.\n\
         services:\n  {title}:\n    \
         # A tag can be moved, a digest cannot. The digest is on the release page.\n    \
         image: {}:{}\n    restart: unless-stopped\n    \
         # Only this machine can reach the service; put a reverse proxy in front to let others in.\n    \
         ports:\n      - \"127.0.0.1:{port}:{port}\"\n    \
         read_only: true\n    cap_drop: [ALL]\n    security_opt: [\"no-new-privileges:true\"]\n    \
         healthcheck:\n      test: {}\n      interval: 30s\n      timeout: 3s\n      start_period: 10s\n{}{}",
        config.image()?,
        survey.first_tag,
        json!(["CMD", base::node(&survey.base), "-e", ask]),
        section(mounts, "    volumes"),
        section(named, "volumes"),
    ))
}

/// Each path of a volume with the volume's name: the words of the path. Two paths never share a volume. A name begins
/// with a letter, because YAML reads `1` as a number.
fn named_volumes(paths: BTreeSet<String>) -> Vec<(String, String)> {
    let mut named: Vec<(String, String)> = Vec::new();
    for path in paths {
        let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        let words = words.collect::<Vec<_>>().join("-");
        let begun = if words.is_empty() { "volume" } else { "volume-" };
        let is_name = words.starts_with(|c: char| c.is_ascii_alphabetic());
        let name = if is_name { words } else { format!("{begun}{words}") };
        let others = (2..).map(|number| format!("{name}-{number}"));
        let is_free = |name: &String| named.iter().all(|(other, _)| other != name);
        let free = iter::once(name.clone()).chain(others).find(is_free);
        named.extend(free.map(|name| (name, path)));
    }
    named
}

/// `text` without the one setting that an adopter may change in a workflow: the runner's label.
pub(super) fn comparable(text: &str) -> String {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("runs-on:"))
        .map(|line| format!("{line}\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{ALIAS, CARGO_CONFIG, RELEASE_WORKFLOW, VERIFYING, advice, compose, ours};
    use crate::commands::init::survey::Survey;
    use crate::commands::init::survey::tests::example as surveyed;
    use crate::inputs::config::tests::example;
    use crate::inputs::dockerfile::existing;

    #[test]
    fn the_releases_runner_is_named_only_in_the_release_workflow() {
        for (runner, expected) in [(None, "runs-on: docker"), (Some("release"), "runs-on: release")] {
            for file in ours(&example(), runner).unwrap() {
                let label = file.text.lines().map(str::trim).find(|line| line.starts_with("runs-on:"));
                let expected = if file.path == RELEASE_WORKFLOW { expected } else { "runs-on: docker" };
                assert!(label.is_none_or(|label| label == expected), "{}: {label:?}", file.path);
            }
        }
    }

    #[test]
    fn an_existing_file_that_a_release_needs_in_another_form_gets_advice() {
        assert!(advice(CARGO_CONFIG, "[alias]\nb = \"build\"\n").contains("add `xtask = "));
        assert_eq!(advice(CARGO_CONFIG, "[alias]\nxtask = \"run\"\n"), "");
        assert!(advice(VERIFYING, "# Mine\n").contains("has to say how to verify"));
        assert!(advice("renovate.json", "{}").is_empty());
        assert!(advice(CARGO_CONFIG, "").contains(ALIAS.lines().nth(1).unwrap()));
    }

    #[test]
    fn the_compose_example_names_the_file_that_compose_looks_for() {
        let text = compose(&surveyed(String::new()), &example()).unwrap();
        assert!(
            text.starts_with("# For self-hosters: copy this file as `compose.yaml`, set the version"),
            "{text}"
        );
    }

    #[test]
    fn each_path_of_the_compose_example_has_a_volume_of_its_own() {
        let old = "FROM node\nVOLUME /a/b /a-b /a-b-2 /1 /\u{e4}\n";
        let survey = Survey { dockerfile: Some(existing::read(old)), ..surveyed(String::new()) };
        let text = compose(&survey, &example()).unwrap();
        let (_, volumes) = text.split_once("    volumes:\n").unwrap();
        assert_eq!(
            volumes,
            "      - \"volume-1:/1\"\n      - \"a-b:/a-b\"\n      - \"a-b-2:/a-b-2\"\n      - \"a-b-3:/a/b\"\n      \
             - \"volume:/\u{e4}\"\nvolumes:\n  a-b:\n  a-b-2:\n  a-b-3:\n  volume:\n  volume-1:\n"
        );
    }

    #[test]
    fn an_adopters_renovate_file_has_no_custom_managers_for_this_tools_sources() {
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let mut own = read(super::RENOVATE);
        assert!(own.as_object_mut().unwrap().remove("customManagers").is_some());
        assert_eq!(read(&super::renovate()), own);
    }
}
