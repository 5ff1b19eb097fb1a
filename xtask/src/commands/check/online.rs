//! `cargo xtask check --online`: what registries say today about what the work tree pins. A release does not depend on
//! it: otherwise the same commit could be released today and refused tomorrow.

pub(super) mod advisories;
pub(super) mod base;
mod npm;
pub(super) mod signatures;

use std::path::Path;

use anyhow::Result;

use super::file;
use crate::inputs::config::{Config, MANIFEST};
use crate::inputs::exceptions::{self, Exception};
use crate::inputs::finding::{Finding, Rule};
use crate::inputs::stand_in::StandIn;
use crate::inputs::{DOCKERFILE, Inputs, PACKAGE_LOCK};
use crate::process::Runner;
use crate::process::environment::Environment;
use crate::process::time::now;

/// The work tree, and what it takes to query registries about it.
struct Asker<'a> {
    environment: &'a Environment,
    runner: &'a Runner,
    root: &'a Path,
    config: &'a Config,
    inputs: &'a Inputs,
    stand_ins: Vec<StandIn>,
}

/// The findings for the work tree at `root`. Files that cannot be read are reported by the other checks; no registry
/// is queried then.
pub(super) fn findings(environment: &Environment, runner: &Runner, root: &Path) -> Vec<Finding> {
    let Ok(config) = Config::of_work_tree(root) else { return unread("the configuration") };
    let read = |paths: &[String]| paths.iter().map(|path| file(root, path)).collect();
    let Ok(inputs) = Inputs::read(&config, &read) else { return unread("what it pins") };
    let stand_ins = match StandIn::of_environment(environment) {
        Ok(stand_ins) => stand_ins,
        Err(error) => return vec![unanswered(DOCKERFILE, "the base images", &error)],
    };
    let asker = Asker { environment, runner, root, config: &config, inputs: &inputs, stand_ins };
    let mut found = asker.base_images();
    found.extend(asker.packages());
    found
}

impl Asker<'_> {
    fn base_images(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        for image in self.inputs.base.distinct() {
            match self.base_image(image) {
                Ok(of_image) => found.extend(of_image),
                Err(error) => {
                    found.push(unanswered(DOCKERFILE, &format!("`{}`", image.reference), &error));
                }
            }
        }
        found
    }

    fn packages(&self) -> Vec<Finding> {
        let lock = self.config.service.join(PACKAGE_LOCK);
        let answers = match self.ask_npm() {
            Ok(answers) => answers,
            Err(error) => return vec![unanswered(&lock, "npm in the base image", &error)],
        };
        let advisories = answers.advisories.and_then(|answer| self.advisories(&lock, &answer));
        let signatures = answers.signatures.and_then(|answer| signatures::findings(&lock, &answer));
        [("`npm audit`", advisories), ("`npm audit signatures`", signatures)]
            .into_iter()
            .flat_map(|(what, found)| found.unwrap_or_else(|error| vec![unanswered(&lock, what, &error)]))
            .collect()
    }

    /// Compares the answer of `npm audit` with the exceptions. A file of exceptions that cannot be read counts as empty
    /// here; another check reports it.
    fn advisories(&self, lock: &str, answer: &[u8]) -> Result<Vec<Finding>> {
        let reported = advisories::read(answer, &self.inputs.lockfile)?;
        let exceptions: Vec<Exception> = match file(self.root, exceptions::FILE)? {
            Some(bytes) => exceptions::read(&bytes).unwrap_or_default(),
            None => Vec::new(),
        };
        Ok(advisories::judge(lock, &self.config.service, &reported, &exceptions, now()?))
    }
}

/// The findings about the file of exceptions itself. They need no network and do not depend on the date.
pub(super) fn exceptions(root: &Path) -> Vec<Finding> {
    let read = file(root, exceptions::FILE)
        .and_then(|bytes| bytes.map_or_else(|| Ok(Vec::new()), |bytes| exceptions::read(&bytes)));
    let wrong = read
        .err()
        .map(|error| Finding::error(Rule::ExceptionInvalid, exceptions::FILE, format!("{error:#}")));
    wrong.into_iter().collect()
}

fn unread(what: &str) -> Vec<Finding> {
    let text = format!("no registry was asked, because {what} cannot be read; the other findings say why");
    vec![Finding::error(Rule::OnlineUnanswered, MANIFEST, text)]
}

/// The finding for a query that failed.
fn unanswered(file: &str, what: &str, error: &anyhow::Error) -> Finding {
    let text = format!(
        "{what} could not be asked: {error:#}; run `cargo xtask check --online` again where the registry can be reached and \
         answers that question"
    );
    Finding::error(Rule::OnlineUnanswered, file, text)
}
