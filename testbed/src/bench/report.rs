//! The figures as Markdown.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::figures::Spread;
use super::measure::Usage;
use super::steps::{Step, alone};
use crate::proxy::Log;

/// One run of one contestant.
pub(super) struct Run {
    /// What its processes used.
    pub(super) usage: Usage,
    /// What it sent to the forge.
    pub(super) traffic: Log,
    /// Its steps.
    pub(super) steps: Vec<Step>,
}

impl Run {
    /// Seconds, minus those in which only the smoke test ran.
    fn without_smoke(&self) -> f64 {
        self.usage.wall - alone(&self.steps, "smoke")
    }
}

/// The runs of one kind, in the order of the rounds.
#[derive(Default)]
pub(super) struct Runs {
    /// `xtask release` of a new tag.
    pub(super) ours: Vec<Run>,
    /// The script, with a new tag.
    pub(super) script: Vec<Run>,
    /// The script that builds without the cache, with a new tag.
    pub(super) uncached: Vec<Run>,
    /// `xtask release` of a tag that is already released.
    pub(super) again: Vec<Run>,
}

impl Runs {
    fn columns(&self) -> [(&'static str, &[Run]); 4] {
        [
            ("ours", &self.ours),
            ("script", &self.script),
            ("script, no cache", &self.uncached),
            ("ours, nothing to do", &self.again),
        ]
    }

    /// The table of figures: least / median / greatest.
    pub(super) fn table(&self) -> String {
        let present: Vec<_> = self.columns().into_iter().filter(|(_, runs)| !runs.is_empty()).collect();
        let names: Vec<_> = present.iter().map(|(name, _)| format!(" {name} |")).collect();
        let mut text = format!("| least / **median** / greatest |{}\n|---|", names.concat());
        text += &"---|".repeat(present.len());
        let mut row = |name: &str, decimals: usize, figure: &dyn Fn(&Run) -> f64| {
            let cells: Vec<_> = present
                .iter()
                .map(|(_, runs)| format!(" {} |", spread(runs.iter().map(figure), decimals)))
                .collect();
            text += &format!("\n| {name} |{}", cells.concat());
        };
        row("wall, s", 2, &|run| run.usage.wall);
        row("wall without the smoke test, s", 2, &Run::without_smoke);
        row("processor time, s", 2, &|run| run.usage.cpu);
        row("largest process, MiB", 0, &|run| run.usage.peak as f64 / 1024.0);
        row("bytes pushed, KiB", 1, &|run| run.traffic.pushed() as f64 / 1024.0);
        row("connections", 0, &|run| run.traffic.connections as f64);
        row("requests", 0, &|run| run.traffic.exchanges.len() as f64);
        let runs = present.iter().flat_map(|(_, runs)| *runs);
        let methods = runs.flat_map(|run| run.traffic.methods().into_keys());
        for method in methods.collect::<BTreeSet<_>>() {
            let of = |run: &Run| *run.traffic.methods().get(&method).unwrap_or(&0) as f64;
            row(&format!("— {method}"), 0, &of);
        }
        text + "\n"
    }

    /// Ratios of runs of the same round, and their targets.
    pub(super) fn ratios(&self, cold: bool) -> String {
        let mut text =
            "| ratio, round by round | least / **median** / greatest | target |\n|---|---|---|\n".to_owned();
        let mut row = |name: &str, runs: [&[Run]; 2], figure: &dyn Fn(&Run) -> f64, target: &str| {
            let [ours, theirs] = runs;
            let pairs = ours.iter().zip(theirs).map(|(ours, theirs)| figure(ours) / theirs.usage.wall);
            let spread = spread(pairs, 2);
            text += &format!("| {name} | {spread} | {target} |\n");
        };
        let target = if cold { "median ≤ 1.10" } else { "median ≤ 1.00" };
        let (ours, script) = (&*self.ours, &*self.script);
        row("ours ÷ script, without the smoke test", [ours, script], &Run::without_smoke, target);
        row("ours ÷ script, with it", [ours, script], &|run| run.usage.wall, "");
        if !self.uncached.is_empty() {
            let name = "ours ÷ script that builds without the cache, without the smoke test";
            row(name, [ours, &self.uncached], &Run::without_smoke, "");
        }
        if !self.again.is_empty() {
            row("nothing to do ÷ script", [&self.again, script], &|run| run.usage.wall, "median ≤ 0.20");
        }
        text
    }

    /// Median start and duration of each step.
    pub(super) fn steps(&self) -> String {
        let mut text = String::new();
        for (name, runs) in self.columns() {
            let Some(first) = runs.first() else { continue };
            text += &format!("\n| {name} | starts at, s | takes, s |\n|---|---|---|\n");
            for step in &first.steps {
                let same = || runs.iter().flat_map(|run| &run.steps).filter(|other| other.name == step.name);
                let median =
                    |figure: &dyn Fn(&Step) -> f64| Spread::of(same().map(figure)).map_or(0.0, |s| s.median);
                let (start, took) = (median(&|step| step.start), median(&|step| step.took));
                // Writing to a string cannot fail.
                writeln!(text, "| {} | {start:.2} | {took:.2} |", step.name).unwrap_or_default();
            }
        }
        text
    }
}

/// `least / **median** / greatest`
pub(super) fn spread(numbers: impl IntoIterator<Item = f64>, decimals: usize) -> String {
    let Some(Spread { least, median, greatest }) = Spread::of(numbers) else { return "–".to_owned() };
    format!("{least:.decimals$} / **{median:.decimals$}** / {greatest:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::{Run, Runs, spread};
    use crate::bench::measure::Usage;
    use crate::bench::steps::Step;
    use crate::proxy::{Exchange, Log, ObservedRequest};

    fn run(wall: f64, smoke: f64) -> Run {
        let request = ObservedRequest { n: 1, method: "GET".to_owned(), path: "/".to_owned() };
        let at = std::time::SystemTime::now();
        let answered = Some((at, 200));
        let exchange = Exchange { request, at, answered, status: Some(200), pushed: 512, fault: "" };
        let traffic = Log { exchanges: vec![exchange; 4], connections: 3 };
        let steps = vec![Step { name: "smoke".to_owned(), start: 1.0, took: smoke }];
        Run { usage: Usage { wall, cpu: 0.5, peak: 1024 }, traffic, steps }
    }

    #[test]
    fn ratios_compare_runs_of_one_round_without_and_with_the_smoke_test() {
        let runs = Runs {
            ours: vec![run(3.0, 1.0), run(6.0, 2.0), run(2.0, 1.0)],
            script: vec![run(2.0, 0.0), run(2.0, 0.0), run(4.0, 0.0)],
            uncached: vec![run(4.0, 0.0), run(4.0, 0.0), run(4.0, 0.0)],
            again: Vec::new(),
        };
        let ratios = runs.ratios(false);
        let uncached = "the cache, without the smoke test | 0.25 / **0.50** / 1.00 |";
        assert!(ratios.contains(uncached), "{ratios}");
        assert!(
            ratios.contains("| ours ÷ script, without the smoke test | 0.25 / **1.00** / 2.00 |"),
            "{ratios}"
        );
        assert!(ratios.contains("| ours ÷ script, with it | 0.50 / **1.50** / 3.00 |"), "{ratios}");
        assert!(!ratios.contains("nothing to do"), "{ratios}");
    }

    #[test]
    fn the_table_has_a_row_per_figure_and_a_column_per_contestant_that_ran() {
        let runs = Runs { ours: vec![run(3.0, 1.0)], script: vec![run(2.0, 0.0)], ..Runs::default() };
        let table = runs.table();
        assert!(
            table.starts_with("| least / **median** / greatest | ours | script |\n|---|---|---|\n"),
            "{table}"
        );
        assert!(table.contains("| bytes pushed, KiB | 2.0 / **2.0** / 2.0 |"), "{table}");
        assert!(table.contains("| — GET | 4 / **4** / 4 |"), "{table}");
        assert!(runs.steps().contains("| smoke | 1.00 | 1.00 |"));
        assert_eq!(spread([], 1), "–");
    }
}
