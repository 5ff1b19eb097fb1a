//! The stages of a Dockerfile, and the images that they use.

use std::collections::BTreeSet;

use super::Findings;
use super::arguments;
use super::image::{BaseImage, BaseImages};
use super::npm;
use super::parse::Instruction;
use super::words::{self, MAX_VALUE_LEN, Values};
use crate::inputs::finding::Rule;
use crate::oci::platform::Platform;

/// A stage and the image on which it is based; `None` for `scratch`.
struct Stage {
    name: Option<String>,
    base: Option<BaseImage>,
    /// The numbers of the stages on which it is based: one for each platform if the platform is in the name.
    parents: Vec<usize>,
    /// Whether it runs on the platforms of the image.
    is_on_target: bool,
    /// The values of its own `ARG` and `ENV`.
    variables: Values,
    /// The values of its own `ENV`, which a stage based on it has even if an `ARG` here has overridden them
    /// (docs/facts.md, "Variables of a stage").
    environment: Values,
    /// Whether its environment makes npm leave out what only development needs, and whether its `ENV` alone does.
    is_production: bool,
    records_production: bool,
}

pub(super) struct Stages<'a> {
    platforms: &'a [Platform],
    /// The variables before the first `FROM`.
    arguments: Values,
    stages: Vec<Stage>,
    /// Images from which files are copied or mounted, and which are not stages.
    copied: Vec<BaseImage>,
}

impl<'a> Stages<'a> {
    pub(super) fn new(platforms: &'a [Platform]) -> Self {
        Self { platforms, arguments: arguments::automatic(), stages: Vec::new(), copied: Vec::new() }
    }

    pub(super) const fn platforms(&self) -> &'a [Platform] {
        self.platforms
    }

    pub(super) fn read(&mut self, instruction: &Instruction, findings: &mut Findings) {
        if instruction.is("FROM") {
            let stage = self.stage(instruction, findings);
            self.stages.push(stage);
        } else if instruction.is("ARG") && self.stages.is_empty() {
            arguments::take_defaults(instruction, &mut self.arguments);
        } else if instruction.is("ARG") || instruction.is("ENV") {
            self.set(instruction);
        } else if instruction.is("COPY") {
            if let Some(from) = instruction.flag("from") {
                self.take(instruction, "COPY --from=", from, findings);
            }
        } else if instruction.is("RUN") {
            for mount in instruction.flags().filter_map(|flag| flag.strip_prefix("mount=")) {
                let parts = mount.split(',').filter_map(|part| part.trim_matches('"').split_once('='));
                for (_, from) in parts.filter(|(key, _)| key.eq_ignore_ascii_case("from")) {
                    self.take(instruction, "RUN --mount=from=", from, findings);
                }
            }
        }
    }

    /// Sets variables of the current stage.
    fn set(&mut self, instruction: &Instruction) {
        let Some((stage, before)) = self.stages.split_last_mut() else { return };
        let is_recorded = instruction.is("ENV");
        let mut known = vec![&stage.variables];
        let chain = || chain_of(before, stage);
        known.extend(chain().map(|stage| &stage.environment).chain(chain().map(|stage| &stage.variables)));
        let expand = |value: &str| words::expand(value, &known).ok();
        let assigned = arguments::of_stage(instruction, &self.arguments, expand);
        for (name, value) in &assigned {
            if let Some(is_production) = value.as_ref().and_then(|value| npm::default_of(name, value)) {
                stage.is_production = is_production;
                stage.records_production = if is_recorded { is_production } else { stage.records_production };
            }
        }
        if is_recorded {
            words::take(&mut stage.environment, assigned.clone());
        }
        words::take(&mut stage.variables, assigned);
    }

    /// Whether the current stage's environment makes npm leave out what only development needs.
    pub(super) fn is_production(&self) -> bool {
        self.stages.last().is_some_and(|stage| stage.is_production)
    }

    /// Whether the current stage runs on the platforms of the image instead of the building machine's.
    pub(super) fn is_on_target(&self) -> bool {
        self.stages.last().is_some_and(|stage| stage.is_on_target)
    }

    /// The numbers of the stages that become the image: the final one, those on which it is based, and so on.
    pub(super) fn published(&self) -> BTreeSet<usize> {
        let mut published = BTreeSet::from_iter(self.stages.len().checked_sub(1));
        for (number, stage) in self.stages.iter().enumerate().rev() {
            if published.contains(&number) {
                published.extend(&stage.parents);
            }
        }
        published
    }

    /// The base images; `None` if the final stage has none.
    pub(super) fn finish(mut self, findings: &mut Findings) -> Option<BaseImages> {
        let of_stages = self.stages.iter().filter(|stage| stage.is_on_target);
        let of_stages = of_stages.filter_map(|stage| stage.base.clone());
        let on_target = of_stages.chain(self.copied.iter().cloned()).collect();
        let Some(last) = self.stages.pop() else {
            findings.problem(Rule::DockerfileFrom, 1, "the Dockerfile has no `FROM`");
            return None;
        };
        let mut builders = Vec::new();
        for base in self.stages.into_iter().filter_map(|stage| stage.base).chain(self.copied) {
            if !builders.contains(&base) {
                builders.push(base);
            }
        }
        Some(BaseImages { builders, last: last.base?, on_target })
    }

    fn stage(&self, from: &Instruction, findings: &mut Findings) -> Stage {
        let name = from.stage_name();
        if name.is_none() && from.arguments().count() != 1 {
            let text = format!("`{}` is not of the form `FROM image AS name`", from.text);
            findings.problem(Rule::DockerfileFrom, from.line, text);
        }
        if let Some(name) = name.as_deref().filter(|name| self.named(name).is_some()) {
            let text = format!("`{}` begins a second stage `{name}`; give it a name of its own", from.text);
            findings.problem(Rule::DockerfileFrom, from.line, text);
        }
        let image = from.arguments().next();
        let parents = image.map_or_else(Vec::new, |image| self.parents(image));
        let is_on_target = self.begins_on_target(from, &parents);
        let base = image.and_then(|image| self.base(from, image, findings));
        let mut based_on = parents.iter().map(|parent| &self.stages[*parent]);
        let records_production = based_on.clone().any(|stage| stage.records_production);
        let is_production = records_production || based_on.any(|stage| stage.is_production);
        let (variables, environment) = <(Values, Values)>::default();
        Stage { name, base, parents, is_on_target, variables, environment, is_production, records_production }
    }

    /// Whether the stage of `from` runs on the platforms of the image. If it is based on another stage, `BuildKit`
    /// takes the platform from there, whatever the flag says.
    fn begins_on_target(&self, from: &Instruction, parents: &[usize]) -> bool {
        if !parents.is_empty() {
            return parents.iter().all(|parent| self.stages[*parent].is_on_target);
        }
        let Some(written) = from.flag("platform") else { return true };
        // A platform that is written by name is the image's if the image has no other.
        let is_only = |platform: Platform| self.platforms.iter().all(|wanted| *wanted == platform);
        ["TARGETPLATFORM", "TARGETARCH"].iter().any(|variable| written.contains(variable))
            || words::expand(written, &[&self.arguments])
                .is_ok_and(|written| Platform::of_builder(&written).is_ok_and(is_only))
    }

    /// The stages that `image` names, one for each platform if the platform is in the name.
    fn parents(&self, image: &str) -> Vec<usize> {
        if let Ok(reference) = words::expand(image, &[&self.arguments]) {
            return self.find(&reference).into_iter().collect();
        }
        let names = self.platforms.iter().map(|platform| self.expand_for(platform, image));
        names.flatten().filter_map(|reference| self.find(&reference)).collect()
    }

    /// The image in a `FROM` when `platform` is built.
    fn expand_for(&self, platform: &Platform, image: &str) -> Result<String, String> {
        words::expand(image, &[&arguments::of_platform(platform), &self.arguments])
    }

    fn base(&self, from: &Instruction, image: &str, findings: &mut Findings) -> Option<BaseImage> {
        if let Ok(reference) = words::expand(image, &[&self.arguments]) {
            return self.image_or_stage(from.line, "FROM ", &reference, findings);
        }
        // `FROM native-${TARGETARCH}`: one stage per platform.
        let mut base = None;
        for platform in self.platforms {
            match self.expand_for(platform, image) {
                Ok(reference) if self.find(&reference).is_some() => {
                    base = base.or_else(|| self.stages[self.find(&reference)?].base.clone());
                }
                Ok(reference) => findings.problem(
                    Rule::DockerfileFrom,
                    from.line,
                    format!("`{}` needs a stage `{reference}` for `{platform}`; write one", from.text),
                ),
                Err(name) => {
                    let why = if words::is_name(&name) {
                        format!(
                            "has no value, or one of more than {MAX_VALUE_LEN} bytes; write `ARG {name}=…` before the first `FROM`"
                        )
                    } else {
                        "cannot be read here; write `$NAME`, `${NAME}` or `${NAME:-default}`".to_owned()
                    };
                    let text = format!("`{}`: `{name}` {why}", from.text);
                    findings.problem(Rule::DockerfileVariable, from.line, text);
                    return None;
                }
            }
        }
        base
    }

    fn take(&mut self, instruction: &Instruction, written: &str, from: &str, findings: &mut Findings) {
        if from.contains('$') {
            let text =
                format!("`{written}{from}` has a variable, which the builder does not replace; name a stage");
            findings.problem(Rule::DockerfileVariable, instruction.line, text);
        } else {
            let image = self.image_or_stage(instruction.line, written, from, findings);
            let is_stage = self.find(from).is_some();
            self.copied.extend(image.filter(|_| !is_stage));
        }
    }

    fn image_or_stage(
        &self,
        line: usize,
        written: &str,
        reference: &str,
        findings: &mut Findings,
    ) -> Option<BaseImage> {
        if let Some(stage) = self.find(reference) {
            return self.stages[stage].base.clone();
        }
        if reference == "scratch" {
            return None;
        }
        let image = BaseImage::parse(written, reference);
        image.map_err(|error| findings.problem(Rule::DockerfileFromDigest, line, format!("{error:#}"))).ok()
    }

    /// The number of the stage with this name, or with this number from 0.
    fn find(&self, reference: &str) -> Option<usize> {
        let number = || reference.parse().ok().filter(|number| *number < self.stages.len());
        self.named(&reference.to_ascii_lowercase()).or_else(number)
    }

    /// `name` is in lower case.
    fn named(&self, name: &str) -> Option<usize> {
        self.stages.iter().position(|stage| stage.name.as_deref() == Some(name))
    }
}

/// The stages on which `stage` is based, the nearest first. If that differs between platforms, those of the first.
fn chain_of<'a>(before: &'a [Stage], stage: &Stage) -> impl Iterator<Item = &'a Stage> {
    let of = |stage: &Stage| stage.parents.first().map(|parent| &before[*parent]);
    std::iter::successors(of(stage), move |stage| of(stage))
}
