//! What the notes of a long range cost: `xtask notes` against a bare `git log` that prints the same fields, and
//! against git-cliff where it is installed. The repositories are generated. Needs no testbed.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result};
use xshell::cmd;
use xtask::process::Runner;
use xtask::process::environment::Environment;
use xtask::process::temp_dir::TempDir;
use xtask::tool::git::log_format;

use super::figures::Random;
use super::measure::{self, Subject, Usage};
use super::profile;
use super::report::spread;
use crate::progress::Progress;
use crate::provision::text;

/// How many commits a range has.
const LENGTHS: [usize; 2] = [10_000, 100_000];

const RANGE: &str = "v1.0.0..v1.1.0";

/// Types and scopes of Conventional Commits. The commits cycle through them.
const TYPES: [&str; 10] =
    ["feat", "fix", "docs", "chore", "refactor", "perf", "test", "ci", "build", "style"];
const SCOPES: [&str; 5] = ["api", "db", "ui", "net", "core"];

/// git-cliff's configuration for such commits: groups by type, breaking changes marked.
const CLIFF: &str = r#"[changelog]
body = """
{% for group, commits in commits | group_by(attribute="group") %}
### {{ group }}
{% for commit in commits %}- {% if commit.breaking %}[breaking] {% endif %}{{ commit.message }} ({{ commit.id }})
{% endfor %}{% endfor %}"""
[git]
conventional_commits = true
filter_unconventional = false
commit_parsers = [
    { message = "^feat", group = "Features" },
    { message = "^fix", group = "Fixes" },
    { message = "^perf", group = "Performance" },
    { message = ".*", group = "Other" },
]
"#;

/// The interval at which the peak memory of `xtask` is read while it runs.
const INTERVAL: Duration = Duration::from_millis(2);

/// What the processes of one round used.
struct Round {
    log: Usage,
    ours: Usage,
    cliff: Option<Usage>,
}

/// The measurements of one range.
struct Range {
    commits: usize,
    rounds: Vec<Round>,
    /// Peak memory of `xtask` itself in KiB, without the git that it starts.
    own: Option<u64>,
}

/// Measures all ranges and returns the figures as Markdown.
pub(super) fn measure(environment: &Environment, xtask: &Path, rounds: u16, seed: u64) -> Result<String> {
    let (runner, scratch, mut random) = (Runner::new(environment), TempDir::new()?, Random::new(seed));
    let (shell, cliff) = (runner.shell()?, environment.find_program(Path::new("git-cliff"))?);
    let version = match &cliff {
        Some(cliff) => runner.call(cmd!(shell, "{cliff} --version")).read()?,
        None => "git-cliff is not installed".to_owned(),
    };
    let mut found = Vec::new();
    for commits in LENGTHS {
        let arena = Arena::make(&runner, scratch.path(), commits, xtask, cliff.clone())?;
        let order = random.halves(rounds.into());
        let rounds = order.into_iter().map(|ours_first| arena.round(ours_first)).collect::<Result<_>>()?;
        found.push(Range { commits, rounds, own: arena.own_peak()? });
    }
    Ok(render(&found, profile(xtask), &version))
}

/// A repository, and the programs that read it.
struct Arena<'a> {
    runner: &'a Runner,
    dir: PathBuf,
    scratch: &'a Path,
    xtask: &'a Path,
    cliff: Option<PathBuf>,
}

impl<'a> Arena<'a> {
    fn make(
        runner: &'a Runner,
        scratch: &'a Path,
        commits: usize,
        xtask: &'a Path,
        cliff: Option<PathBuf>,
    ) -> Result<Self> {
        let dir = scratch.join(commits.to_string());
        let shell = runner.shell()?;
        runner.call(cmd!(shell, "git init --quiet --initial-branch main {dir}")).run()?;
        let import = runner.call(cmd!(shell, "git -C {dir} fast-import --quiet"));
        import.stdin(stream(commits)).run().context("making a repository")?;
        fs::write(scratch.join("cliff.toml"), CLIFF).context("writing the configuration of git-cliff")?;
        Progress::start().line("bench", &format!("a repository with {commits} commits"));
        Ok(Self { runner, dir, scratch, xtask, cliff })
    }

    fn round(&self, ours_first: bool) -> Result<Round> {
        let xtask = text(self.xtask)?;
        let format = format!("--format={}", log_format());
        let log = ["git", "log", "--encoding=UTF-8", "-z", &format, RANGE];
        let (mut of_log, mut ours) = (None, None);
        for turn in [ours_first, !ours_first] {
            if turn {
                ours = Some(self.run(&[xtask, "notes", "v1.1.0"])?);
            } else {
                of_log = Some(self.run(&log)?);
            }
        }
        let config = self.scratch.join("cliff.toml");
        let cliff = match &self.cliff {
            Some(cliff) => Some(self.run(&[text(cliff)?, "--offline", "--config", text(&config)?, RANGE])?),
            None => None,
        };
        let have = "both have their turn";
        Ok(Round { log: of_log.context(have)?, ours: ours.context(have)?, cliff })
    }

    fn run(&self, words: &[&str]) -> Result<Usage> {
        let subject = Subject { words, dir: &self.dir, variables: &[], secrets: &[] };
        let (usage, _) = measure::run(self.runner, &subject, self.scratch)?;
        Ok(usage)
    }

    /// The high-water mark that the kernel keeps for `xtask` itself (proc(5), `VmHWM`), from a run that is not
    /// timed. getrusage(2) gives the largest of all processes, which is git.
    fn own_peak(&self) -> Result<Option<u64>> {
        let (shell, xtask) = (self.runner.shell()?, self.xtask);
        let log = self.scratch.join("own-peak");
        let call = self.runner.call(cmd!(shell, "{xtask} notes v1.1.0")).dir(&self.dir);
        let status = format!("/proc/{}/status", call.detach(&log)?);
        let mut peak = None;
        // A process that has ended no longer has this line.
        while let Some(now) = fs::read_to_string(&status).ok().as_deref().and_then(high_water) {
            peak = Some(now);
            sleep(INTERVAL);
        }
        Ok(peak)
    }
}

/// KiB, from `/proc/PID/status`.
fn high_water(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// The input of `git fast-import`: a commit tagged `v1.0.0`, then `commits` more, the last one tagged `v1.1.0`.
fn stream(commits: usize) -> String {
    let mut stream = String::new();
    for number in 0..=commits {
        let message = message(number);
        let person = number % 200;
        let signature =
            format!("Person {person} <person-{person}@example.org> {} +0000", 1_700_000_000 + 60 * number);
        stream += &format!("commit refs/heads/main\nauthor {signature}\ncommitter {signature}\n");
        stream += &format!("data {}\n{message}\n", message.len());
        stream += &format!("M 100644 inline {}\ndata 0\n\n", number % 100);
        if number == 0 {
            stream += "reset refs/tags/v1.0.0\nfrom refs/heads/main\n\n";
        }
    }
    stream + "reset refs/tags/v1.1.0\nfrom refs/heads/main\n\n"
}

fn message(number: usize) -> String {
    let (kind, scope) = (TYPES[number % TYPES.len()], SCOPES[number % SCOPES.len()]);
    let mut message = format!("{kind}({scope}): change number {number} of the service\n");
    if number.is_multiple_of(7) {
        message += "\nA body that says why the change was made,\nand what it does for those who run it.\n";
    }
    if number.is_multiple_of(11) {
        let person = number % 300;
        message += &format!("\nCo-authored-by: Person {person} <person-{person}@example.org>\n");
    }
    if number.is_multiple_of(97) {
        message += &format!("\nBREAKING CHANGE: the port is {number}\n");
    }
    message
}

fn render(ranges: &[Range], profile: &str, cliff: &str) -> String {
    let mut text = format!(
        "`xtask notes` in the {profile} profile, beside `git log` with the same fields and {cliff}; rounds {}.\n\n\
         | commits | least / **median** / greatest | | target |\n|---|---|---|---|\n",
        ranges.first().map_or(0, |range| range.rounds.len())
    );
    for Range { commits, rounds, own } in ranges {
        let mut row = |name: &str, figures: Vec<f64>, target: &str| {
            text += &format!("| {commits} | {name} | {} | {target} |\n", spread(figures, 2));
        };
        let of = |figure: fn(&Round) -> f64| rounds.iter().map(figure).collect::<Vec<_>>();
        let cliffs = |figure: fn(&Round, Usage) -> f64| -> Vec<_> {
            rounds.iter().filter_map(|round| Some(figure(round, round.cliff?))).collect()
        };
        row("`git log`, s", of(|round| round.log.wall), "");
        row("ours, s", of(|round| round.ours.wall), "");
        row("ours ÷ `git log`", of(|round| round.ours.wall / round.log.wall), "median ≤ 1.30");
        row("processor time, ours ÷ `git log`", of(|round| round.ours.cpu / round.log.cpu), "");
        row("git-cliff, s", cliffs(|_, cliff| cliff.wall), "");
        row("git-cliff ÷ ours", cliffs(|round, cliff| cliff.wall / round.ours.wall), "median ≥ 10");
        let mib = |kib: u64| kib as f64 / 1024.0;
        row("peak of `xtask`, MiB", own.iter().map(|own| mib(*own)).collect(), "≤ 64");
        row("peak of `git log`, MiB", of(|round| round.log.peak as f64 / 1024.0), "");
        row("peak of git-cliff, MiB", cliffs(|_, cliff| cliff.peak as f64 / 1024.0), "");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Range, Round, high_water, message, render, stream};
    use crate::bench::measure::Usage;

    #[test]
    fn a_repository_has_the_requested_number_of_commits_after_its_first_tag() {
        let stream = stream(20);
        assert_eq!(stream.matches("commit refs/heads/main\n").count(), 21);
        let (before, _) = stream.split_once("reset refs/tags/v1.0.0").unwrap();
        assert_eq!(before.matches("commit refs/heads/main\n").count(), 1);
        assert_eq!(message(1), "fix(db): change number 1 of the service\n");
        assert!(message(77).ends_with("\n\nCo-authored-by: Person 77 <person-77@example.org>\n"));
    }

    #[test]
    fn ratios_are_computed_per_round_and_a_missing_program_has_no_figures() {
        let usage = |wall: f64| Usage { wall, cpu: wall, peak: 2048 };
        let rounds = vec![Round { log: usage(2.0), ours: usage(3.0), cliff: None }];
        let text = render(&[Range { commits: 10, rounds, own: Some(1024) }], "dev", "nobody");
        assert!(
            text.contains("| 10 | ours ÷ `git log` | 1.50 / **1.50** / 1.50 | median ≤ 1.30 |\n"),
            "{text}"
        );
        assert!(text.contains("| 10 | git-cliff ÷ ours | – | median ≥ 10 |\n"), "{text}");
        assert!(text.contains("| 10 | peak of `xtask`, MiB | 1.00 / **1.00** / 1.00 | ≤ 64 |\n"), "{text}");
    }

    #[test]
    fn the_high_water_mark_is_read_and_missing_for_a_zombie() {
        assert_eq!(high_water("Name:\tx\nVmHWM:\t   58200 kB\n"), Some(58200));
        assert_eq!(high_water("Name:\tx\nState:\tZ (zombie)\n"), None);
    }
}
