//! Cases: one call or request of a release, and what happens to it. A case has a name that finds the same call or request
//! in another run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, Error, Result, bail};
use sha2::{Digest as _, Sha256};

use super::plan::Action;
use crate::proxy;

/// What is disturbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A program that `xtask` starts.
    Call,
    /// A request to the forge, by whatever program.
    Request,
}

/// One call or request of a release.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// Which of both.
    pub kind: Kind,
    /// What it is, without what chance makes.
    pub label: String,
    /// Which one of that label, from 1.
    pub occurrence: usize,
}

/// What happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Injury {
    /// `xtask` is killed, the tool is not run.
    KillBefore,
    /// `xtask` and the tool are killed while it runs; by some seeds the tool goes on alone.
    KillMiddle,
    /// `xtask` is killed when the tool has ended, before it sees that.
    KillAfter,
    /// The tool exits with 1 and does nothing.
    Fail,
    /// The tool or the forge does not answer.
    Hang,
    /// Answered without the forge: too many requests.
    Status429,
    /// Answered without the forge: an internal error.
    Status500,
    /// Answered without the forge: a page of a proxy.
    Status502,
    /// The connection is closed, and the forge has not seen the request.
    CutBefore,
    /// The connection is closed, and the forge has done what was asked.
    CutAfter,
    /// Half of the answer comes.
    Truncated,
}

/// One disturbed release.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Case {
    /// What is disturbed.
    pub target: Target,
    /// How.
    pub injury: Injury,
}

use Injury::{
    CutAfter, CutBefore, Fail, Hang, KillAfter, KillBefore, KillMiddle, Status429, Status500, Status502,
    Truncated,
};

/// What can happen to a call; the first three are the matrix.
const OF_CALLS: [Injury; 5] = [KillBefore, KillMiddle, KillAfter, Fail, Hang];

/// What can happen to a request.
const OF_REQUESTS: [Injury; 7] = [Status429, Status500, Status502, CutBefore, CutAfter, Truncated, Hang];

impl Injury {
    fn name(self) -> &'static str {
        match self {
            KillBefore => "kill-before",
            KillMiddle => "kill-middle",
            KillAfter => "kill-after",
            Fail => "fail",
            Hang => "hang",
            Status429 => "429",
            Status500 => "500",
            Status502 => "502",
            CutBefore => "cut-before",
            CutAfter => "cut-after",
            Truncated => "truncated",
        }
    }

    /// What can happen to a target of that kind.
    #[must_use]
    pub fn of(kind: Kind) -> &'static [Self] {
        match kind {
            Kind::Call => &OF_CALLS,
            Kind::Request => &OF_REQUESTS,
        }
    }

    /// What happens to every target of that kind in the whole matrix.
    #[must_use]
    pub fn matrix(kind: Kind) -> &'static [Self] {
        match kind {
            Kind::Call => &OF_CALLS[..3],
            Kind::Request => &OF_REQUESTS,
        }
    }

    /// Whether `xtask` does not survive it.
    pub(super) fn kills(self) -> bool {
        matches!(self, KillBefore | KillMiddle | KillAfter)
    }

    /// For the proxy; everything else passes there.
    pub(super) fn of_request(self) -> proxy::Fault {
        match self {
            Status429 => proxy::Fault::too_many_requests(),
            Status500 => proxy::Fault::internal_error(),
            Status502 => proxy::Fault::bad_gateway(),
            CutBefore => proxy::Fault::CutBefore,
            CutAfter => proxy::Fault::CutAfter,
            Truncated => proxy::Fault::Truncate,
            Hang => proxy::Fault::Hang,
            KillBefore | KillMiddle | KillAfter | Fail => proxy::Fault::Pass,
        }
    }
}

impl Target {
    /// Whether it ends within seconds: what hangs does so by a timeout of the configuration, which is short here. The other
    /// tools have a whole minute; such a case is tried by name alone.
    fn is_bounded(&self, injury: Injury) -> bool {
        let is_configured = self.label.starts_with("curl ") || self.label.starts_with("cosign ");
        self.kind == Kind::Request || injury != Hang || is_configured
    }
}

impl Case {
    /// For the shims: `micros` is what the call takes undisturbed. `None` for what only a request can suffer.
    pub(super) fn action(&self, seed: u64, micros: u64) -> Option<Action> {
        Some(match self.injury {
            KillBefore => Action::KillBefore,
            KillMiddle => {
                let chance = chance(seed, &self.to_string());
                // Between a tenth and nine tenths of the time.
                let micros = micros / 10 + (micros * 8 / 10) * (chance % 1000) / 1000;
                Action::KillMiddle { micros, alone: chance >> 32 & 1 == 1 }
            }
            KillAfter => Action::KillAfter,
            Fail => Action::Fail,
            Hang => Action::Hang,
            _ => return None,
        })
    }

    /// The same case at another call or request of the same label.
    #[must_use]
    pub fn elsewhere(&self) -> Self {
        let mut other = self.clone();
        let occurrence = self.target.occurrence;
        other.target.occurrence = if occurrence > 1 { occurrence - 1 } else { occurrence + 1 };
        other
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Call => "call",
            Self::Request => "request",
        })
    }
}

impl fmt::Display for Injury {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// `call kill-before 1 git rev-parse …`, which [`FromStr`] reads back.
impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Target { kind, label, occurrence } = &self.target;
        write!(f, "{kind} {} {occurrence} {label}", self.injury)
    }
}

impl FromStr for Case {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut words = text.splitn(4, ' ');
        let (Some(kind), Some(injury), Some(occurrence), Some(label)) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            bail!("`{text}` is not the name of a case: kind, fault, number and what it is are expected");
        };
        let kind = match kind {
            "call" => Kind::Call,
            "request" => Kind::Request,
            other => bail!("`{other}` is neither `call` nor `request`"),
        };
        let injury = Injury::of(kind).iter().copied().find(|known| known.name() == injury);
        let injury = injury.with_context(|| format!("`{text}`: no such fault of a {kind}"))?;
        let occurrence = occurrence.parse().with_context(|| format!("`{text}`: no number"))?;
        Ok(Self { target: Target { kind, label: label.to_owned(), occurrence }, injury })
    }
}

/// Targets in the order in which they came, each with its number among those of its label.
pub(super) fn numbered(kind: Kind, labels: impl IntoIterator<Item = String>) -> Vec<Target> {
    let mut seen = BTreeMap::<String, usize>::new();
    let number = |label: String| {
        let occurrence = seen.entry(label.clone()).and_modify(|count| *count += 1).or_insert(1);
        Target { kind, occurrence: *occurrence, label }
    };
    labels.into_iter().map(number).collect()
}

/// `count` cases by chance, as evenly over `(step, target)` groups as there are enough: every step of the release gets one
/// before any has two.
pub(super) fn sample(targets: &[(String, Target)], count: usize, seed: u64) -> Vec<Case> {
    let mut groups = BTreeMap::<(&str, Kind), Vec<(u64, Case)>>::new();
    for (step, target) in targets {
        for injury in Injury::of(target.kind).iter().filter(|injury| target.is_bounded(**injury)) {
            let case = Case { target: target.clone(), injury: *injury };
            let chance = chance(seed, &format!("sample {case}"));
            groups.entry((step, target.kind)).or_default().push((chance, case));
        }
    }
    for cases in groups.values_mut() {
        cases.sort();
    }
    let mut chosen = Vec::new();
    let mut row = 0;
    while chosen.len() < count && groups.values().any(|cases| row < cases.len()) {
        chosen.extend(groups.values().filter_map(|cases| cases.get(row)).map(|(_, case)| case.clone()));
        row += 1;
    }
    // One row of all steps is never cut: `count` is the least.
    let first_row = groups.len();
    chosen.truncate(count.max(first_row));
    chosen
}

/// All cases of the matrix, in the order of the release.
pub(super) fn matrix(targets: &[(String, Target)]) -> Vec<Case> {
    let cases = targets.iter().flat_map(|(_, target)| {
        Injury::matrix(target.kind).iter().map(|injury| Case { target: target.clone(), injury: *injury })
    });
    let mut seen = BTreeSet::new();
    cases.filter(|case| seen.insert(case.clone())).collect()
}

/// A number that only the seed and the text decide.
pub(super) fn chance(seed: u64, text: &str) -> u64 {
    let digest = Sha256::digest(format!("{seed} {text}"));
    digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::{Action, Case, Injury, Kind, Target, matrix, numbered, sample};
    use std::collections::BTreeSet;

    fn targets() -> Vec<(String, Target)> {
        let calls = numbered(Kind::Call, ["git a", "git b", "git a"].map(str::to_owned));
        let requests = numbered(Kind::Request, ["GET /v2/"; 20].map(str::to_owned));
        let step = |index: usize| if index == 1 { "look" } else { "build" }.to_owned();
        calls.into_iter().chain(requests).enumerate().map(|(index, target)| (step(index), target)).collect()
    }

    #[test]
    fn a_case_is_read_back_from_its_name() {
        for (_, target) in targets() {
            for injury in Injury::of(target.kind) {
                let case = Case { target: target.clone(), injury: *injury };
                assert_eq!(case.to_string().parse::<Case>().unwrap(), case);
            }
        }
        assert_eq!(targets()[2].1.occurrence, 2);
        for bad in ["", "call 429 1 git", "request 429 x GET", "call fail 1", "thing fail 1 git"] {
            assert!(bad.parse::<Case>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_sample_has_every_step_and_repeats_with_its_seed() {
        let all = targets();
        for seed in 0..20 {
            let cases = sample(&all, 6, seed);
            assert_eq!(cases, sample(&all, 6, seed));
            assert_eq!(cases.len(), 6);
            assert!(cases.iter().any(|case| case.target.label == "git b"), "the step with one call");
            assert_eq!(cases.iter().collect::<BTreeSet<_>>().len(), 6);
        }
        assert_ne!(sample(&all, 6, 1), sample(&all, 6, 2));
        assert_eq!(sample(&all, 1000, 1).len(), 3 * 4 + 20 * 7, "a tool that hangs for a minute is left out");
        assert_eq!(matrix(&all).len(), 3 * 3 + 20 * 7);
    }

    #[test]
    fn a_call_is_killed_within_its_time_by_the_seed() {
        let case = Case { target: targets().remove(0).1, injury: Injury::KillMiddle };
        let mut seen = BTreeSet::new();
        for seed in 0..50 {
            let Some(Action::KillMiddle { micros, alone }) = case.action(seed, 1000) else {
                panic!("{seed}")
            };
            assert!((100..900).contains(&micros), "{micros}");
            seen.insert(alone);
        }
        assert_eq!(seen.len(), 2, "the tool goes on by some seeds");
    }
}
