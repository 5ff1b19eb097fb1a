//! The rules that a Dockerfile must keep so that the same commit gives the same digest (docs/reproducible.md), and the
//! base images that it pins.

use anyhow::{Context as _, Result, bail};

use crate::reference::{Digest, Tag};
use crate::refuse;

/// Instructions that each `BuildKit` version writes into the history in its own way, and the config's digest with it.
const NOT_IN_THE_FINAL_STAGE: [&str; 3] = ["ARG", "EXPOSE", "HEALTHCHECK"];

/// A base image as a `FROM` line pins it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseImage {
    /// As the Dockerfile writes it: `node:22-slim@sha256:…`.
    pub reference: String,
    /// Without tag and digest: `node`.
    pub name: String,
    /// The tag beside the digest: what Renovate follows.
    pub tag: Tag,
    /// What is built on.
    pub digest: Digest,
}

impl BaseImage {
    fn parse(reference: &str) -> Result<Self> {
        let Some((tagged, digest)) = reference.split_once('@') else {
            refuse!(
                "`FROM {reference}` names no digest, so what it builds on can change; \
                 write `FROM {reference}@sha256:…` with the digest from `docker buildx imagetools inspect {reference}`"
            );
        };
        let (name, tag) = match tagged.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, tag),
            _ => refuse!(
                "`FROM {reference}` names no tag; write one before the digest, so that updates can be found"
            ),
        };
        let digest = digest.parse().with_context(|| format!("reading `FROM {reference}`"))?;
        let tag = tag.parse().with_context(|| format!("reading `FROM {reference}`"))?;
        Ok(Self { reference: reference.to_owned(), name: name.to_owned(), tag, digest })
    }

    /// The name with the registry and path that docker adds: `docker.io/library/node:22-slim`.
    #[must_use]
    pub fn full_name(&self) -> String {
        match (self.has_registry(), self.name.contains('/')) {
            (true, _) => format!("{}:{}", self.name, self.tag),
            (false, true) => format!("docker.io/{}:{}", self.name, self.tag),
            (false, false) => format!("docker.io/library/{}:{}", self.name, self.tag),
        }
    }

    /// The package URL (`pkg:docker/…`) of the purl specification, type `docker`: names without a registry are Docker
    /// Hub's.
    #[must_use]
    pub fn package_url(&self) -> String {
        match self.name.split_once('/') {
            Some((registry, path)) if self.has_registry() => {
                format!("pkg:docker/{path}@{}?repository_url={registry}", self.tag)
            }
            _ => format!("pkg:docker/{}@{}", self.name, self.tag),
        }
    }

    fn has_registry(&self) -> bool {
        let first = self.name.split('/').next().unwrap_or_default();
        self.name.contains('/') && (first.contains(['.', ':']) || first == "localhost")
    }
}

/// The base images of a Dockerfile that keeps the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseImages {
    /// What the other stages build in, each once; the first is the first stage's.
    pub builders: Vec<BaseImage>,
    /// What the final stage, the published image, is made of.
    pub last: BaseImage,
}

impl BaseImages {
    /// All of them, each once.
    pub fn distinct(&self) -> impl Iterator<Item = &BaseImage> {
        std::iter::once(&self.last).chain(self.builders.iter().filter(|base| **base != self.last))
    }

    /// Each with the name that provenance gives it: `builder-image`, `builder-image-2` …, `base-image`.
    #[must_use]
    pub fn named(&self) -> Vec<(String, &BaseImage)> {
        let builder = |(base, number): (_, u32)| match number {
            1 => ("builder-image".to_owned(), base),
            _ => (format!("builder-image-{number}"), base),
        };
        self.builders.iter().zip(1..).map(builder).chain([("base-image".to_owned(), &self.last)]).collect()
    }
}

/// Reads the Dockerfile and holds it against the rules.
///
/// # Errors
/// A [`crate::failure::Refusal`] for the first broken rule.
pub fn check(text: &str) -> Result<BaseImages> {
    for line in text.lines().take_while(|line| line.starts_with('#')) {
        let directive = line.trim_start_matches('#').trim();
        if directive.starts_with("syntax") && directive.contains('=') {
            refuse!(
                "the Dockerfile has `{line}`: it would pull a frontend image that nothing pins; remove the line"
            );
        }
    }
    let mut stages: Vec<Stage> = Vec::new();
    let instructions = instructions(text);
    for instruction in &instructions {
        if is(instruction, "FROM") {
            stages.push(Stage::parse(instruction, &stages)?);
        } else if is(instruction, "ADD") && instruction.contains("://") {
            refuse!(
                "`{instruction}` downloads what nothing pins; commit the file, or fetch it with a checked digest"
            );
        }
    }
    check_final_stage(&instructions)?;
    let last = stages.pop().and_then(|stage| stage.base);
    let last = last.context("the Dockerfile has no `FROM` with an image for its final stage")?;
    let mut builders = Vec::new();
    for base in stages.into_iter().filter_map(|stage| stage.base) {
        if !builders.contains(&base) {
            builders.push(base);
        }
    }
    Ok(BaseImages { builders, last })
}

/// A stage and the image that it goes back to; none for `scratch`.
struct Stage {
    name: Option<String>,
    base: Option<BaseImage>,
}

impl Stage {
    fn parse(from: &str, earlier: &[Self]) -> Result<Self> {
        let words: Vec<_> =
            from.split_whitespace().skip(1).skip_while(|word| word.starts_with("--")).collect();
        let reference = words.first().with_context(|| format!("`{from}` names no image"))?;
        let name = match words[1..] {
            [keyword, name] if keyword.eq_ignore_ascii_case("as") => Some(name.to_ascii_lowercase()),
            [] => None,
            _ => bail!("`{from}` is not of the form `FROM image AS name`"),
        };
        let same = |stage: &&Self| stage.name.as_deref() == Some(reference.to_ascii_lowercase().as_str());
        let base = match earlier.iter().find(same) {
            Some(stage) => stage.base.clone(),
            None if *reference == "scratch" => None,
            None => Some(BaseImage::parse(reference)?),
        };
        Ok(Self { name, base })
    }
}

fn is(instruction: &str, keyword: &str) -> bool {
    instruction.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case(keyword))
}

fn check_final_stage(instructions: &[String]) -> Result<()> {
    let from_last = instructions.iter().rev().take_while(|instruction| !is(instruction, "FROM"));
    for instruction in from_last {
        if let Some(keyword) = NOT_IN_THE_FINAL_STAGE.iter().find(|keyword| is(instruction, keyword)) {
            refuse!(
                "`{instruction}` in the final stage: builders of different versions record `{keyword}` differently, \
                 and the digest with it; remove it (docs/reproducible.md says where it goes instead)"
            );
        }
    }
    Ok(())
}

/// Logical lines: continuations joined, comments and blank lines left out.
fn instructions(text: &str) -> Vec<String> {
    let mut instructions = Vec::new();
    let mut current = String::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_suffix('\\') {
            Some(part) => current.push_str(part),
            None => {
                current.push_str(line);
                instructions.push(std::mem::take(&mut current));
            }
        }
    }
    if !current.is_empty() {
        instructions.push(current);
    }
    instructions
}

#[cfg(test)]
mod tests {
    use super::check;

    const PIN: &str = "node:22-slim@sha256:83f487e0a63425e5b4d146fb5e5be574bcbe1b7b843d3ebafdd95eaf7767a7e5";

    #[test]
    fn base_images_are_read_with_flags_stages_and_continuations() {
        let text = format!(
            "FROM --platform=$BUILDPLATFORM {PIN} AS build\nARG VERSION\nRUN a \\\n # comment\n  b\nFROM {PIN}\nCOPY --from=build /out/ /\n"
        );
        let base = check(&text).unwrap();
        assert_eq!((base.builders[0].name.as_str(), base.builders[0].tag.as_str()), ("node", "22-slim"));
        assert_eq!(base.last.full_name(), "docker.io/library/node:22-slim");
        assert_eq!(base.distinct().count(), 1);
    }

    #[test]
    fn a_stage_is_no_base_image() {
        let other = PIN.replace("22-slim", "24-slim");
        let base = check(&format!("FROM {PIN} AS build\nFROM {other} AS test\nFROM BUILD\n")).unwrap();
        assert_eq!(base.builders[0], base.last, "the final stage goes back to the first");
        let names: Vec<_> =
            base.named().into_iter().map(|(name, base)| format!("{name} {}", base.tag)).collect();
        assert_eq!(names, ["builder-image 22-slim", "builder-image-2 24-slim", "base-image 22-slim"]);
    }

    #[test]
    fn full_names_follow_docker() {
        let digest = PIN.split_once('@').unwrap().1;
        for (name, full) in [
            ("acme/base:1", "docker.io/acme/base:1"),
            ("forge.example.org/acme/base:1", "forge.example.org/acme/base:1"),
            ("localhost:5000/base:1", "localhost:5000/base:1"),
        ] {
            assert_eq!(check(&format!("FROM {name}@{digest}")).unwrap().last.full_name(), full);
        }
    }

    #[test]
    fn each_broken_rule_is_refused_by_the_line_that_breaks_it() {
        for (text, expected) in [
            ("FROM node:22-slim\n".to_owned(), "FROM node:22-slim"),
            (format!("FROM {PIN}\nFROM debian:12\n"), "FROM debian:12"),
            (PIN.replace("node:22-slim", "FROM node"), "names no tag"),
            ("FROM node:22-slim@sha256:123\n".to_owned(), "sha256:123"),
            (format!("# syntax=docker/dockerfile:1\nFROM {PIN}\n"), "frontend"),
            (format!("FROM {PIN}\nEXPOSE 3000\n"), "EXPOSE 3000"),
            (format!("FROM {PIN} AS build\nFROM {PIN}\narg VERSION\n"), "arg VERSION"),
            (format!("FROM {PIN}\nHEALTHCHECK CMD true\n"), "HEALTHCHECK"),
            (format!("FROM {PIN}\nADD https://example.org/x /x\n"), "ADD https://example.org/x"),
            ("RUN true\n".to_owned(), "no `FROM`"),
        ] {
            let error = format!("{:#}", check(&text).unwrap_err());
            assert!(error.contains(expected), "expected `{expected}` in: {error}");
        }
    }
}
