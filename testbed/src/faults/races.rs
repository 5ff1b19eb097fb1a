//! `cargo testbed races`: two releases at once, then each of them once more.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use xtask::process::Runner;
use xtask::process::environment::Environment;
use xtask::process::temp_dir::TempDir;

use super::choice::chance;
use super::document;
use super::lane::{Lane, Programs};
use super::state::{Made, State};
use super::trial::{left_of, verify};
use super::watch::Watch;
use crate::bench::figures::Spread;
use crate::bench::{build_xtask, of_testbed};
use crate::progress::Progress;
use crate::run::Finished;

/// A first version, the next one, and a higher one.
const TAGS: [&str; 3] = ["v0.1.0", "v0.1.1", "v0.2.0"];

/// How many races, and whether to write the result.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Number of races of each kind
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    count: u16,
    /// Repeat the timing of an earlier run
    #[arg(long)]
    seed: Option<u64>,
    /// Write the result into docs/reliability.md
    #[arg(long)]
    write: bool,
}

/// Which two tags are released at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pair {
    /// One tag, twice.
    Same,
    /// A version and the next one.
    Neighbours,
    /// A version of an older line and the highest one.
    Backport,
}

/// The result of a race.
#[derive(Clone, Debug)]
pub struct Race {
    /// Which two tags.
    pub pair: Pair,
    /// How long after the first release the second one started.
    pub offset: Duration,
    /// The exit codes of both.
    pub codes: [i32; 2],
    /// How long the race took, all checks included.
    pub seconds: f64,
    /// What was wrong.
    pub violations: Vec<String>,
}

/// Races on one project.
pub struct Races {
    lane: Lane,
    /// A second person's clone.
    second: PathBuf,
    made: Vec<Made>,
    took: Duration,
    _scratch: TempDir,
}

impl Pair {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Same, Self::Neighbours, Self::Backport];

    /// The tags in the order in which they start. The second is the higher one or, with some seeds, the lower one.
    fn tags(self, swapped: bool) -> [usize; 2] {
        match (self, swapped) {
            (Self::Same, _) => [0, 0],
            (Self::Neighbours, false) => [0, 1],
            (Self::Neighbours, true) => [1, 0],
            (Self::Backport, false) => [1, 2],
            (Self::Backport, true) => [2, 1],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Same => "the same tag",
            Self::Neighbours => "neighbouring tags",
            Self::Backport => "a release and a backport",
        }
    }
}

impl Races {
    /// Makes the project and releases each tag undisturbed.
    ///
    /// # Errors
    /// When a part of the testbed refuses, or an undisturbed release fails.
    pub fn set_up(environment: &Environment, xtask: &Path, testbed: &Path) -> Result<Self> {
        let scratch = TempDir::new()?;
        let programs = Programs::copy(scratch.path(), xtask, testbed)?;
        let lane = Lane::new(environment, scratch.path(), &programs, &TAGS)?;
        let second = scratch.path().join("second");
        lane.project.clone_to(&second)?;
        let mut made = Vec::new();
        let mut took = Duration::ZERO;
        for tag in TAGS {
            let began = Instant::now();
            made.push(lane.project.on_one_engine(|| lane.release(tag))?);
            took = began.elapsed();
        }
        Ok(Self { lane, second, made, took, _scratch: scratch })
    }

    /// One race; `seed` and `number` decide when the second release starts, and which is the second.
    ///
    /// # Errors
    /// When the race could not be held.
    pub fn hold(&self, pair: Pair, number: usize, seed: u64) -> Result<Race> {
        self.lane.project.on_one_engine(|| self.hold_on_engine(pair, number, seed))
    }

    fn hold_on_engine(&self, pair: Pair, number: usize, seed: u64) -> Result<Race> {
        let began = Instant::now();
        let project = &self.lane.project;
        project.reset()?;
        project.proxy.pass();
        let chance = chance(seed, &format!("{} {number}", pair.name()));
        let offset = self.took.mul_f64((chance % 1000) as f64 / 1000.0);
        let tags = pair.tags(chance >> 32 & 1 == 1);
        let watch = Watch::start(project)?;
        let (runs, mut violations) = self.both(tags, offset)?;
        let codes = runs.map(|run| run.code);

        let mut made: Vec<&Made> = tags.map(|tag| &self.made[tag]).to_vec();
        made.dedup_by(|one, other| one.tag == other.tag);
        for made in &made {
            violations.extend(self.once_more(made)?);
        }
        violations.extend(watch.stop(&made)?.1);
        let latest = tags.into_iter().max().map_or(made[0], |highest| &self.made[highest]);
        violations.extend(State::of(&project.repository)?.faults(&made, latest));
        for made in &made {
            violations.extend(verify(&self.lane, &made.tag)?);
        }
        Ok(Race { pair, offset, codes, seconds: began.elapsed().as_secs_f64(), violations })
    }

    /// Releases both at once. Either may fail, but not because of a wrong command line, and it may not refuse without a
    /// reason.
    fn both(&self, tags: [usize; 2], offset: Duration) -> Result<([Finished; 2], Vec<String>)> {
        let [one, two] = [self.lane.files()?, self.lane.files()?];
        // Both use the lane's shims, which disturb nothing.
        self.lane.plan(&one, false, None)?;
        let arguments = tags.map(|tag| ["release", TAGS[tag]]);
        let mut second = self.lane.command(&arguments[1], &two);
        second.dir = &self.second;
        let first = self.lane.command(&arguments[0], &one).start()?;
        thread::sleep(offset);
        let second = second.start()?;
        let runs = [first.wait()?, second.wait()?];
        let mut violations = Vec::new();
        for run in &runs {
            let has_reason = run.stderr.contains("xtask: ");
            let is_allowed = matches!(run.code, 0 | 1 | 75) || (run.code == 3 && has_reason);
            if !is_allowed {
                violations.push(format!("one of the two: {}", run.last_words()));
            }
        }
        for files in [one, two] {
            violations.extend(left_of(&files)?);
            fs::remove_dir_all(&files).with_context(|| format!("removing `{}`", files.display()))?;
        }
        Ok((runs, violations))
    }

    /// Releases the tag of `made` again, undisturbed.
    fn once_more(&self, made: &Made) -> Result<Vec<String>> {
        let files = self.lane.files()?;
        self.lane.plan(&files, false, None)?;
        let run = self.lane.command(&["release", &made.tag], &files).run()?;
        let mut violations = left_of(&files)?;
        if let Err(error) = run.released(&made.digest) {
            violations.push(format!("{} once more: {error:#}", made.tag));
        }
        fs::remove_dir_all(&files).with_context(|| format!("removing `{}`", files.display()))?;
        Ok(violations)
    }

    /// Removes what the races left in the engine.
    ///
    /// # Errors
    /// When docker fails.
    pub fn clean_up(&self) -> Result<()> {
        self.lane.clean_up()
    }
}

/// Holds the races and prints the results; a violation is an error.
#[expect(clippy::print_stdout, reason = "this is the command's data")]
pub(crate) fn run(environment: &Environment, options: &Options) -> Result<()> {
    let environment = &of_testbed(environment)?;
    let progress = Progress::start();
    let seed = super::seed(options.seed)?;
    let machine = options.write.then(|| document::machine(environment)).transpose()?;
    let (xtask, _target) = build_xtask(&Runner::new(environment))?;
    let own = std::env::current_exe().context("finding this program's own file")?;
    let races = Races::set_up(environment, &xtask, &own)?;
    progress.line("races", &format!("seed {seed}"));
    let mut held = Vec::new();
    for number in 0..usize::from(options.count) {
        for pair in Pair::ALL {
            let race = races.hold(pair, number, seed)?;
            let Race { offset, codes: [one, two], seconds, violations, .. } = &race;
            let how = if violations.is_empty() { "ok" } else { "VIOLATION" };
            let offset = offset.as_secs_f64();
            let text = format!(
                "{} {number} {how}, {seconds:.1} s: second after {offset:.2} s, exits {one} and {two}",
                pair.name()
            );
            progress.line("races", &text);
            for violation in violations {
                eprintln!("    {violation}");
            }
            held.push(race);
        }
    }
    let table = table(&held);
    println!("{table}");
    if let Some(machine) = &machine {
        document::write(machine, "races", &format!("Seed {seed}.\n\n{table}"))?;
    }
    races.clean_up()?;
    match held.iter().filter(|race| !race.violations.is_empty()).count() {
        0 => Ok(()),
        violated => bail!("{violated} of {} races left something wrong", held.len()),
    }
}

/// Counts by pair, as a Markdown table.
fn table(races: &[Race]) -> String {
    let mut text =
        "| two at once | races | both exit 0 | one exits 0 | neither | violations | seconds, median |\n\
        |---|---|---|---|---|---|---|\n"
            .to_owned();
    for pair in Pair::ALL {
        let of: Vec<_> = races.iter().filter(|race| race.pair == pair).collect();
        let done = |count: usize| {
            of.iter().filter(|race| race.codes.iter().filter(|code| **code == 0).count() == count).count()
        };
        let violated = of.iter().filter(|race| !race.violations.is_empty()).count();
        let median = Spread::of(of.iter().map(|race| race.seconds)).map_or(0.0, |spread| spread.median);
        let (name, count) = (pair.name(), of.len());
        let (both, one, none) = (done(2), done(1), done(0));
        text += &format!("| {name} | {count} | {both} | {one} | {none} | {violated} | {median:.1} |\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Pair, Race, table};
    use std::time::Duration;

    #[test]
    fn races_are_counted_by_pair_and_by_the_exit_codes_of_both() {
        let race = |pair, codes, violations: &[&str]| Race {
            pair,
            offset: Duration::ZERO,
            codes,
            seconds: 3.0,
            violations: violations.iter().map(|text| (*text).to_owned()).collect(),
        };
        let races = [
            race(Pair::Same, [0, 0], &[]),
            race(Pair::Same, [1, 0], &["two pages"]),
            race(Pair::Backport, [1, 3], &[]),
        ];
        let table = table(&races);
        assert!(table.contains("| the same tag | 2 | 1 | 1 | 0 | 1 | 3.0 |"), "{table}");
        assert!(table.contains("| a release and a backport | 1 | 0 | 0 | 1 | 0 | 3.0 |"), "{table}");
    }
}
