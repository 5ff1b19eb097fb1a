//! Steps with their times, as each contestant prints them on standard error.

use std::collections::HashMap;

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    /// Its name.
    pub(crate) name: String,
    /// Seconds from the first step's start.
    pub(crate) start: f64,
    /// Seconds.
    pub(crate) took: f64,
}

impl Step {
    fn end(&self) -> f64 {
        self.start + self.took
    }
}

/// Reads the output of `xtask`: a line as each step starts (`   1.23s  name  detail`), then a table
/// (`  name  1.23s`).
pub(crate) fn of_xtask(text: &str) -> Vec<Step> {
    let mut starts = HashMap::new();
    let mut steps = Vec::new();
    for line in text.lines() {
        if let Some((name, took)) =
            line.trim().rsplit_once(' ').and_then(|(name, time)| Some((name.trim(), seconds(time)?)))
            && seconds(name.split(' ').next().unwrap_or_default()).is_none()
        {
            if let Some(start) = starts.get(name) {
                steps.push(Step { name: name.to_owned(), start: *start, took });
            }
        } else if let Some((time, rest)) = line.trim_start().split_once(' ')
            && let Some(start) = seconds(time)
        {
            // Names are padded, and two spaces follow.
            let name = rest.trim_start().split("  ").next().unwrap_or_default();
            starts.entry(name.trim().to_owned()).or_insert(start);
        }
    }
    steps.sort_by(|one, other| one.start.total_cmp(&other.start));
    steps
}

fn seconds(word: &str) -> Option<f64> {
    number(word.strip_suffix('s')?)
}

fn number(word: &str) -> Option<f64> {
    let Ok(number) = word.parse() else { return None };
    Some(number)
}

/// Reads the output of the script: `<seconds since 1970> name` as each step starts, `end` last. Other lines come
/// from its tools.
pub(super) fn of_script(text: &str) -> Vec<Step> {
    let marks: Vec<(f64, &str)> = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(time, _)| time.split_once('.').is_some_and(|(_, micros)| micros.len() == 6))
        .filter_map(|(time, name)| Some((number(time)?, name)))
        .collect();
    let Some((zero, _)) = marks.first() else { return Vec::new() };
    let step = |pair: &[(f64, &str)]| Step {
        name: pair[0].1.to_owned(),
        start: pair[0].0 - zero,
        took: pair[1].0 - pair[0].0,
    };
    marks.windows(2).map(step).collect()
}

/// Seconds in which only the step `name` ran: the run would be that much shorter without it. Parts of the step,
/// such as `smoke-arm64` of `smoke`, do not count as other steps.
pub(super) fn alone(steps: &[Step], name: &str) -> f64 {
    let Some(step) = steps.iter().find(|step| step.name == name) else { return 0.0 };
    let is_part = |other: &Step| other.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'));
    let mut others: Vec<_> = steps.iter().filter(|other| other.name != name && !is_part(other)).collect();
    others.sort_by(|one, other| one.start.total_cmp(&other.start));
    let (mut at, mut alone) = (step.start, 0.0);
    for other in others {
        alone += (other.start.min(step.end()) - at).max(0.0);
        at = at.max(other.end());
    }
    alone + (step.end() - at).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::{Step, alone, of_script, of_xtask};

    #[test]
    fn xtask_prints_starts_in_its_step_lines_and_durations_in_its_table() {
        let text = "   0.01s  release       v0.1.0 at abc\n   0.02s  build         linux/amd64 in 3s\n\
            \x20  0.03s  attest sbom   \n  12.50s  close         \n\n\
            \x20 attest sbom     0.47s\n  build           0.91s\n  close           0.10s\n  total          12.60s\n";
        let step = |name: &str, start, took| Step { name: name.to_owned(), start, took };
        let expected = [step("build", 0.02, 0.91), step("attest sbom", 0.03, 0.47), step("close", 12.5, 0.1)];
        assert_eq!(of_xtask(text), expected);
        assert!(of_xtask("error: no\n").is_empty());
    }

    #[test]
    fn the_marks_of_the_script_give_starts_and_durations() {
        let text = "1700000000.250000 build\n#1 0.123 x\n1.5 y\n1700000001.000000 attest sbom\n1700000001.500000 end\n";
        let steps = of_script(text);
        assert_eq!(steps.len(), 2);
        assert_eq!((&*steps[0].name, steps[0].took), ("build", 0.75));
        assert_eq!((&*steps[1].name, steps[1].start, steps[1].took), ("attest sbom", 0.75, 0.5));
        assert!(of_script("").is_empty());
    }

    #[test]
    fn a_step_costs_only_the_time_in_which_nothing_else_ran() {
        let step = |name: &str, start, took| Step { name: name.to_owned(), start, took };
        let serial = [step("build", 0.0, 1.0), step("smoke", 1.0, 2.0), step("sign", 3.0, 1.0)];
        assert_eq!(alone(&serial, "smoke"), 2.0);
        let beside = [step("sbom", 0.0, 1.5), step("smoke", 1.0, 2.0), step("sign", 2.5, 1.0)];
        assert_eq!(alone(&beside, "smoke"), 1.0);
        let within = [step("sign", 0.0, 4.0), step("smoke", 1.0, 2.0)];
        assert_eq!(alone(&within, "smoke"), 0.0);
        assert_eq!(alone(&serial, "none"), 0.0);
        let parts = [step("smoke", 1.0, 4.0), step("smoke-arm64", 2.0, 3.0), step("contents", 1.0, 0.5)];
        assert_eq!(alone(&parts, "smoke"), 3.5);
    }
}
