//! Options that a later run would ignore: the files that they are about have been written, and are the adopter's now.

use std::path::Path;

use anyhow::Result;

use super::{Options, existing, files, listed, tool};
use crate::evidence::provenance::RELEASE_WORKFLOW;
use crate::inputs::DOCKERFILE;
use crate::inputs::config::{Config, MANIFEST};
use crate::inputs::dockerfile::{BaseImage, existing};
use crate::process::failure::Misuse;

/// Refuses options that would be ignored. `known` is the existing configuration, if any.
///
/// # Errors
/// [`Misuse`] that says for each of them what to change instead; an error when a file cannot be read.
pub(super) fn check(options: &Options, root: &Path, known: Option<&Config>) -> Result<()> {
    let mut refused = known.map(|known| against_configuration(options, known)).unwrap_or_default();
    refused.extend(against_files(
        options,
        existing(root, files::PACKAGE)?.as_deref(),
        existing(root, DOCKERFILE)?.as_deref(),
        existing(root, RELEASE_WORKFLOW)?.as_deref(),
    ));
    if refused.is_empty() {
        return Ok(());
    }
    let lines = listed(&refused);
    Err(Misuse::new(format!("nothing was written, because these options would change nothing:{lines}"))
        .into())
}

fn against_configuration(options: &Options, known: &Config) -> Vec<String> {
    let http = known.smoke.http();
    let port = |port: u16| port.to_string();
    let compared = [
        ("--forge", "forge", options.forge.as_ref().map(ToString::to_string), Some(known.forge.to_string())),
        (
            "--repository",
            "repository",
            options.repository.as_ref().map(ToString::to_string),
            Some(known.repository.to_string()),
        ),
        ("--service", "service", options.service.clone(), Some(known.service.to_string())),
        ("--port", "smoke.port", options.port.map(port), http.as_ref().map(|http| port(http.port))),
        ("--health", "smoke.health", options.health.clone(), http.map(|http| http.health.to_owned())),
    ];
    let plain = |text: &str| text.trim_end_matches('/').to_owned();
    let differs = compared.into_iter().filter_map(|(flag, key, given, found)| {
        let given = given?;
        let is_same = found.as_ref().is_some_and(|found| plain(found) == plain(&given));
        let found = found.map_or("not set".to_owned(), |found| format!("`{found}`"));
        (!is_same).then(|| format!("`{flag} {given}`: in `{MANIFEST}`, `{key}` is {found}; change it there"))
    });
    differs.collect()
}

fn against_files(
    options: &Options,
    package: Option<&str>,
    dockerfile: Option<&str>,
    workflow: Option<&str>,
) -> Vec<String> {
    let mut refused = Vec::new();
    let line = tool::dependency(options);
    let names_tool = options.tool_url.is_some() || options.tool_rev.is_some();
    if names_tool && package.is_some_and(|text| !text.lines().any(|known| known == line)) {
        refused.push(format!(
            "`--tool-url` and `--tool-rev`: `{}` is there; write `{line}` in it, and run `cargo update --package xtask`",
            files::PACKAGE
        ));
    }
    if let Some(BaseImage { reference: base, .. }) = &options.base {
        let is_other = |text: &&str| existing::read(text).is_ours && !text.contains(base.as_str());
        if dockerfile.filter(is_other).is_some() {
            refused.push(format!("`--base {base}`: `{DOCKERFILE}` is there; change its `FROM` lines"));
        }
    }
    if let Some(label) = &options.runner {
        let runs_on = format!("runs-on: {label}");
        if workflow.is_some_and(|text| !text.lines().any(|line| line.trim() == runs_on)) {
            refused.push(format!("`--runner {label}`: write `{runs_on}` in `{RELEASE_WORKFLOW}`"));
        }
    }
    refused
}

#[cfg(test)]
mod tests {
    use super::{BaseImage, against_configuration, against_files};
    use crate::commands::init::Options;
    use crate::inputs::config::tests::example;
    use crate::tool::git::Commit;

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn an_option_that_the_configuration_overrides_is_refused() {
        let known = example();
        let http = known.smoke.http().unwrap();
        let same = Options {
            forge: Some(known.forge.clone()),
            port: Some(http.port),
            health: some(http.health),
            ..Options::default()
        };
        assert_eq!(against_configuration(&same, &known), [""; 0]);
        let other = Options {
            port: Some(http.port + 1),
            repository: Some("a/b".to_owned().try_into().unwrap()),
            ..same
        };
        let refused = against_configuration(&other, &known);
        assert_eq!(refused.len(), 2, "{refused:?}");
        assert!(
            refused[0].starts_with("`--repository a/b`: in `Cargo.toml`, `repository` is `"),
            "{refused:?}"
        );
    }

    #[test]
    fn an_option_that_contradicts_an_existing_file_is_refused() {
        let pinned = format!("node:22@sha256:{}", "1".repeat(64));
        let options = Options {
            tool_rev: Some(Commit::parse(&"a".repeat(40)).unwrap()),
            base: Some(BaseImage::parse("", &pinned).unwrap()),
            runner: some("release"),
            ..Options::default()
        };
        assert_eq!(against_files(&options, None, None, None), [""; 0]);
        let line = crate::commands::init::tool::dependency(&options);
        let ours = |base: &str| format!("FROM {base}\nCOPY --link --from=dependencies /out/ /\n");
        let dockerfile = ours(&pinned);
        assert_eq!(
            against_files(&options, Some(&line), Some(&dockerfile), Some("    runs-on: release\n")),
            [""; 0]
        );
        let refused = against_files(
            &options,
            Some("xtask = 1\n"),
            Some(&ours("node:20")),
            Some("    runs-on: docker\n"),
        );
        let [tool, base, runner] = &refused[..] else { panic!("{refused:?}") };
        assert!(tool.contains(&line) && tool.contains("cargo update --package xtask"), "{tool}");
        assert!(base.contains("`FROM` lines") && runner.contains("`runs-on: release`"), "{refused:?}");
        // A Dockerfile for another builder is replaced, so its base image may be named.
        assert_eq!(against_files(&options, Some(&line), Some("FROM node\n"), None), [""; 0]);
    }
}
