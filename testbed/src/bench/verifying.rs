//! What verification costs: `xtask verify` against the cosign commands of the release page, and `verify --all` over
//! many releases.

use anyhow::{Context as _, Result, ensure};
use xtask::evidence::attached::PROVENANCE_PREDICATE;
use xtask::inputs::version::ReleaseTag;
use xtask::tool::cosign::{SBOM_TYPE, VerifyCommand};

use super::contestant::Contestant;
use super::figures::Spread;
use super::measure::Usage;
use super::report::spread;
use super::rounds::Bench;

/// The number of releases at which `verify --all` is first measured.
pub(super) const FEW: u16 = 10;

/// The most rounds of `verify --all`. Over many releases, each takes as long as a whole round of the others.
const MAX_ROUNDS: u16 = 3;

/// One release, verified both ways.
pub(super) struct Round {
    /// `xtask verify TAG`.
    ours: Usage,
    /// Each command of the page, in a process of its own.
    plain: Vec<Usage>,
}

/// `xtask verify --all` over this number of releases.
pub(super) struct All {
    releases: u16,
    runs: Vec<Usage>,
}

impl Round {
    /// The slowest command. Nobody who runs these commands can be faster.
    fn slowest(&self) -> f64 {
        self.plain.iter().map(|usage| usage.wall).fold(0.0, f64::max)
    }

    /// The commands one after the other, as a person runs them.
    fn one_by_one(&self) -> f64 {
        self.plain.iter().map(|usage| usage.wall).sum()
    }

    /// The time of `xtask verify`, divided by its target. Above 1, it takes too long.
    fn of_target(&self) -> f64 {
        self.ours.wall / (1.3 * self.slowest() + 0.15)
    }
}

impl Bench {
    /// Runs `verify` and the page's commands on the same release, in mixed order, without secrets.
    pub(super) fn verify(&mut self, rounds: u16) -> Result<Vec<Round>> {
        let (tag, mut done) = (self.last_tag(), Vec::new());
        let commands = commands(&self.ours, &tag)?;
        for ours_first in self.random.halves(rounds.into()) {
            let (mut ours, mut plain) = (None, Vec::new());
            for turn in [ours_first, !ours_first] {
                if turn {
                    ours = Some(self.check(&self.ours, &["verify", &tag])?);
                } else {
                    for command in &commands {
                        let words: Vec<_> = command.split(' ').collect();
                        let cosign = self.ours.look(&self.runner, &words, self.scratch.path());
                        plain.push(cosign.with_context(|| format!("running `{command}`"))?);
                    }
                }
            }
            let round = Round { ours: ours.context("both have their turn")?, plain };
            let (wall, slowest) = (round.ours.wall, round.slowest());
            self.progress.line("bench", &format!("verify {tag}: {wall:.2} s, slowest cosign {slowest:.2} s"));
            done.push(round);
        }
        Ok(done)
    }

    /// Releases one commit under many tags. Measures `verify --all` when there are [`FEW`] releases, and at the end.
    pub(super) fn verify_all(&self, releases: u16, rounds: u16) -> Result<Vec<All>> {
        let (many, mut done) = (&self.many, Vec::new());
        for number in 1..=releases {
            let tag = format!("v0.1.{number}");
            many.tag(&self.runner, &tag)?;
            let released = many.release(&self.runner, &tag, self.scratch.path());
            released.with_context(|| format!("releasing {tag} for `verify --all`"))?;
            if number == FEW || number == releases {
                let check = |_round| self.check(many, &["verify", "--all"]);
                let runs: Vec<_> = (0..rounds.min(MAX_ROUNDS)).map(check).collect::<Result<_>>()?;
                let first = runs.first().map_or(0.0, |usage| usage.wall);
                self.progress.line("bench", &format!("verify --all of {number} releases: {first:.2} s"));
                done.push(All { releases: number, runs });
            }
        }
        many.remove_images(&self.runner)?;
        Ok(done)
    }

    fn check(&self, contestant: &Contestant, arguments: &[&str]) -> Result<Usage> {
        let words: Vec<_> = [contestant.program()].into_iter().chain(arguments.iter().copied()).collect();
        let checked = contestant.look(&self.runner, &words, self.scratch.path());
        checked.with_context(|| format!("running `xtask {}`", arguments.join(" ")))
    }
}

/// The three commands on the page of `tag`. No word in them needs quotes.
fn commands(contestant: &Contestant, tag: &str) -> Result<[String; 3]> {
    let (image, digest) = contestant.image_of(tag)?;
    let tag: ReleaseTag = tag.parse()?;
    let commands = [
        VerifyCommand::signature("cosign.pub", tag.version(), &image, &[&digest]),
        VerifyCommand::attestation("cosign.pub", PROVENANCE_PREDICATE, &image, &digest),
        VerifyCommand::attestation("cosign.pub", SBOM_TYPE, &image, &digest),
    ];
    let commands = commands.map(|command| command.to_string());
    ensure!(!commands.iter().any(|command| command.contains(['\'', '"', '\\'])), "quotes in {commands:?}");
    Ok(commands)
}

/// The figures as Markdown.
pub(super) fn render(rounds: &[Round], all: &[All]) -> String {
    let count = rounds.len();
    let mut text = format!(
        "\n### Verify: rounds {count}\n\n| | least / **median** / greatest | target |\n|---|---|---|\n"
    );
    let mut row = |name: &str, figure: &dyn Fn(&Round) -> f64, target: &str| {
        text += &format!("| {name} | {} | {target} |\n", spread(rounds.iter().map(figure), 2));
    };
    row("`verify TAG`, s", &|round| round.ours.wall, "");
    row("the slowest of the page's cosign commands, s", &Round::slowest, "");
    row("`verify TAG` ÷ (1.3 × the slowest + 0.15 s)", &Round::of_target, "median ≤ 1.00");
    row("the page's cosign commands one after the other, s", &Round::one_by_one, "");
    row("`verify TAG`, processor time, s", &|round| round.ours.cpu, "");
    row("the commands' processor time, s", &|round| round.plain.iter().map(|usage| usage.cpu).sum(), "");
    if all.is_empty() {
        return text;
    }
    text += "\n### Verify all\n\n| least / **median** / greatest | wall, s | wall ÷ releases, s | processor time ÷ wall |\n|---|---|---|---|\n";
    for All { releases, runs } in all {
        let wall = || runs.iter().map(|usage| usage.wall);
        text += &format!(
            "| `verify --all`, {releases} releases | {} | {} | {} |\n",
            spread(wall(), 2),
            spread(wall().map(|wall| wall / f64::from(*releases)), 3),
            spread(runs.iter().map(|usage| usage.cpu / usage.wall), 2),
        );
    }
    text + &growth(all).unwrap_or_default()
}

/// How the median time grows with the number of releases.
fn growth(all: &[All]) -> Option<String> {
    let ([few, ..], [.., many]) = (all, all) else { return None };
    let median = |all: &All| Spread::of(all.runs.iter().map(|usage| usage.wall)).map(|spread| spread.median);
    let factor = median(many)? / median(few)?;
    let times = f64::from(many.releases) / f64::from(few.releases);
    let (few, many) = (few.releases, many.releases);
    Some(format!(
        "\nFrom {few} to {many} releases: {times:.1} times as many, {factor:.1} times the wall time.\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::{All, Round, render};
    use crate::bench::measure::Usage;

    fn usage(wall: f64) -> Usage {
        Usage { wall, cpu: wall * 1.5, peak: 0 }
    }

    #[test]
    fn the_target_depends_on_the_slowest_command_of_the_same_round() {
        let round = |wall, plain: [f64; 3]| Round {
            ours: usage(wall),
            plain: plain.map(usage).into_iter().collect(),
        };
        let text = render(&[round(0.41, [0.05, 0.2, 0.1])], &[]);
        assert!(
            text.contains("÷ (1.3 × the slowest + 0.15 s) | 1.00 / **1.00** / 1.00 | median ≤ 1.00"),
            "{text}"
        );
        assert!(text.contains("one after the other, s | 0.35 / **0.35** / 0.35 |"), "{text}");
        assert!(!text.contains("--all"), "{text}");
    }

    #[test]
    fn verify_all_has_a_row_for_each_number_of_releases() {
        let all = [(10, 2.0), (50, 8.0)].map(|(releases, wall)| All { releases, runs: vec![usage(wall)] });
        let text = render(&[], &all);
        let row = "| `verify --all`, 50 releases | 8.00 / **8.00** / 8.00 | 0.160 / **0.160** / 0.160 | 1.50 / **1.50** / 1.50 |";
        assert!(text.contains(row), "{text}");
        assert!(
            text.contains("From 10 to 50 releases: 5.0 times as many, 4.0 times the wall time."),
            "{text}"
        );
    }
}
