//! The rules that a Dockerfile must follow so that the same commit gives the same digest (docs/reproducible.md), and
//! its pins. Broken rules are reported early and all at once. What the image really consists of is read from the image.

mod arguments;
mod chain;
pub mod copied;
mod dates;
pub mod existing;
mod final_stage;
mod heredoc;
pub mod ignored;
mod image;
mod install;
mod network;
mod npm;
mod own;
mod parse;
pub mod runtime;
mod shell;
mod stages;
#[cfg(test)]
mod tests;
mod unclear;
mod words;

use anyhow::{Result, bail};

use crate::inputs::DOCKERFILE;
use crate::inputs::finding::{self, Finding, Rule};
use crate::inputs::lockfile::Libc;
use crate::inputs::pin::document;
use crate::oci::platform::Platform;
use crate::oci::reference::Digest;
use crate::process::failure::Refusal;
use parse::Instruction;
use stages::Stages;

pub use image::{BaseImage, BaseImages, says_musl};
pub use install::NPM_CPU;
pub use network::NetworkedStep;
pub use own::Own;
pub(crate) use words::is_name as is_variable;

/// The largest Dockerfile, in bytes. Each line is checked against the stages before it, so a file of a megabyte would
/// take minutes.
const MAX_SIZE: usize = 64 << 10;

/// A Dockerfile's pins, and its findings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// The base images of all its stages.
    pub base: BaseImages,
    /// The files that it fetches with `ADD --checksum`.
    pub downloads: Vec<Download>,
    /// Every step that has access to a network.
    pub networked: Vec<NetworkedStep>,
    /// What it adds to its base image.
    pub own: Own,
    /// The C library for the image's packages: from the `--libc` of its `npm ci`, else from the name of the base image.
    pub libc: Libc,
    /// The first line before the final stage that runs on the image's platform instead of the building machine's.
    pub runs_on_target: Option<usize>,
    /// Broken rules and notes, in the order of the lines.
    pub findings: Vec<Finding>,
}

/// A file that the builder fetches and checks against a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download {
    /// The line in the Dockerfile, from 1.
    pub line: usize,
    /// The address, as written.
    pub url: String,
    /// The digest of the file.
    pub digest: Digest,
}

/// Findings, in the order in which they were made.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn problem(&mut self, rule: Rule, line: usize, text: impl Into<String>) {
        self.0.push(Finding::error(rule, DOCKERFILE, text).at(line));
    }

    fn note(&mut self, rule: Rule, line: usize, text: impl Into<String>) {
        self.0.push(Finding::note(rule, DOCKERFILE, text).at(line));
    }

    fn in_order(self) -> Vec<Finding> {
        let mut findings = self.0;
        findings.sort_by(|a, b| (a.line, &a.text).cmp(&(b.line, &b.text)));
        findings
    }
}

/// The findings in a Dockerfile, even if it is unclear what the image consists of.
#[must_use]
pub fn findings(text: &str, platforms: &[Platform]) -> Vec<Finding> {
    look(text, platforms).1
}

/// Reads the Dockerfile of an image for `platforms`, and checks it against the rules.
///
/// # Errors
/// A [`Refusal`] that lists every broken rule, if one of them makes it unclear what the image consists of.
pub fn read(text: &str, platforms: &[Platform]) -> Result<Recipe> {
    match look(text, platforms) {
        (Some(recipe), _) => Ok(recipe),
        (None, findings) if findings.iter().any(Finding::is_error) => {
            let errors: Vec<_> = findings.into_iter().filter(Finding::is_error).collect();
            Err(Refusal::new(finding::joined(&errors)).into())
        }
        (None, _) => bail!(
            "the Dockerfile has no `FROM` with an image for its final stage, and `scratch` has no node; base that stage on \
             an image with node, such as a distroless one ({})",
            document!("services.md#distroless")
        ),
    }
}

fn look(text: &str, platforms: &[Platform]) -> (Option<Recipe>, Vec<Finding>) {
    let mut findings = Findings::default();
    if text.len() > MAX_SIZE {
        let text = format!("the Dockerfile has {} bytes: expected {MAX_SIZE} at most", text.len());
        findings.problem(Rule::DockerfileFrom, 1, text);
        return (None, findings.in_order());
    }
    if let Some((line, value)) = parse::syntax(text) {
        findings.problem(
            Rule::DockerfileSyntax,
            line,
            format!("`syntax={value}` has the builder pull a frontend, an image that the provenance does not list; remove the line"),
        );
    }
    let instructions = parse::instructions(text);
    let mut stages = Stages::new(platforms);
    let mut downloads = Vec::new();
    let mut on_target = Vec::new();
    let networked = network::steps(text);
    let lines = networked.iter().map(|step| step.line).collect();
    for instruction in &instructions {
        stages.read(instruction, &mut findings);
        downloads.extend(download(instruction, &mut findings));
        network::check(instruction, &lines, &mut findings);
        install::check(instruction, &stages, &mut findings);
        on_target.extend((instruction.is("RUN") && stages.is_on_target()).then_some(instruction.line));
    }
    unclear::check(text, &instructions, &mut findings);
    dates::check(&instructions, &mut findings);
    final_stage::check(&instructions, &stages, &mut findings);
    let own = own::of(&instructions, &stages);
    let base = stages.finish(&mut findings);
    let libc = match &base {
        Some(base) => install::libc(&instructions, &base.last, &mut findings),
        None => Libc::Glibc,
    };
    let final_stage = instructions.iter().rfind(|instruction| instruction.is("FROM")).map(|from| from.line);
    let runs_on_target = on_target.into_iter().find(|line| Some(*line) < final_stage);
    if let Some(line) = runs_on_target {
        findings.note(
            Rule::DockerfileOnTarget,
            line,
            "runs on the platform of the image: the builder needs a native node for each, or emulation; \
             `FROM --platform=$BUILDPLATFORM` needs neither",
        );
    }
    let findings = findings.in_order();
    let recipe = base.map(|base| Recipe {
        base,
        downloads,
        networked,
        own,
        libc,
        runs_on_target,
        findings: findings.clone(),
    });
    (recipe, findings)
}

/// The file that an `ADD` downloads, if it downloads one.
fn download(instruction: &Instruction, findings: &mut Findings) -> Option<Download> {
    let is_remote = |word: &&str| word.contains("://") || word.starts_with("git@");
    let remote: Vec<_> = instruction.arguments().filter(is_remote).collect();
    if !instruction.is("ADD") || remote.is_empty() {
        return None;
    }
    let line = instruction.line;
    let url = remote[0];
    let checksum = instruction.flag("checksum").map(str::parse);
    match checksum {
        Some(Ok(digest)) if remote.len() == 1 && !url.contains('$') && url.starts_with("http") => {
            Some(Download { line, url: url.to_owned(), digest })
        }
        Some(Err(error)) => {
            findings.problem(Rule::DockerfileAdd, line, format!("`--checksum` of `{url}`: {error:#}"));
            None
        }
        _ => {
            findings.problem(
                Rule::DockerfileAdd,
                line,
                format!(
                    "`{}` downloads what nothing pins; commit the file, or write `ADD --checksum=sha256:… https://… …` with \
                     one address and no variable, and name it in `[[workspace.metadata.release.native]]` ({})",
                    instruction.text,
                    document!("services.md")
                ),
            );
            None
        }
    }
}
