//! Cases: one call or request of a release, and the fault that hits it. The name of a case finds the same call or
//! request in another run.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, Error, Result, bail};

use super::choice::chance;
use super::plan::Action;
use crate::proxy;

/// What is disturbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A program that `xtask` starts.
    Call,
    /// A request to the forge, by any program.
    Request,
}

/// One call or request of a release.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// Whether it is a call or a request.
    pub kind: Kind,
    /// What it is, without its random parts.
    pub label: String,
    /// Which one with that label, counted from 1.
    pub occurrence: usize,
}

/// What happens to a call or request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Injury {
    /// `xtask` is killed and the tool is not run.
    KillBefore,
    /// `xtask` and the tool are killed while the tool runs. With some seeds, the tool is not killed.
    KillMiddle,
    /// `xtask` is killed after the tool has ended, before it notices.
    KillAfter,
    /// The tool exits with 1 and does nothing.
    Fail,
    /// The tool or the forge does not answer.
    Hang,
    /// Not sent to the forge, and answered with "too many requests".
    Status429,
    /// Not sent to the forge, and answered with an internal error.
    Status500,
    /// Not sent to the forge, and answered with a proxy's error page.
    Status502,
    /// The connection is closed before the forge sees the request.
    CutBefore,
    /// The connection is closed after the forge has done what was asked.
    CutAfter,
    /// Only half of the answer arrives.
    Truncated,
}

/// One disturbed release.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Case {
    /// What is disturbed.
    pub target: Target,
    /// What happens to it.
    pub injury: Injury,
}

use Injury::{
    CutAfter, CutBefore, Fail, Hang, KillAfter, KillBefore, KillMiddle, Status429, Status500, Status502,
    Truncated,
};

/// The faults of a call; the first three are the matrix.
const OF_CALLS: [Injury; 5] = [KillBefore, KillMiddle, KillAfter, Fail, Hang];

/// The faults of a request.
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

    /// The faults that a target of that kind can have.
    #[must_use]
    pub fn of(kind: Kind) -> &'static [Self] {
        match kind {
            Kind::Call => &OF_CALLS,
            Kind::Request => &OF_REQUESTS,
        }
    }

    /// The faults that every target of that kind has in the whole matrix.
    #[must_use]
    pub fn matrix(kind: Kind) -> &'static [Self] {
        match kind {
            Kind::Call => &OF_CALLS[..3],
            Kind::Request => &OF_REQUESTS,
        }
    }

    /// Whether `xtask` is killed by it.
    pub(super) fn kills(self) -> bool {
        matches!(self, KillBefore | KillMiddle | KillAfter)
    }

    /// The proxy's part in the fault. The proxy passes on whatever the shims disturb.
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
    /// Whether the case ends within seconds. A hanging request, curl or cosign ends at a configured timeout, which
    /// is short here. The other tools have a whole minute, so such a case is only tried by name.
    pub(super) fn is_bounded(&self, injury: Injury) -> bool {
        let is_configured = self.label.starts_with("curl ") || self.label.starts_with("cosign ");
        self.kind == Kind::Request || injury != Hang || is_configured
    }
}

impl Case {
    /// The action for the shims; `micros` is how long the call takes undisturbed. `None` for faults that only
    /// requests have.
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

    /// The same case at another call or request with the same label.
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
            bail!("`{text}` is not the name of a case, which is `KIND FAULT NUMBER LABEL`");
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

#[cfg(test)]
mod tests {
    use super::{Action, Case, Injury};
    use crate::faults::choice::tests::targets;
    use std::collections::BTreeSet;

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
    fn a_call_is_killed_while_it_runs_and_only_some_seeds_spare_the_tool() {
        let case = Case { target: targets().remove(0).1, injury: Injury::KillMiddle };
        let mut seen = BTreeSet::new();
        for seed in 0..50 {
            let Some(Action::KillMiddle { micros, alone }) = case.action(seed, 1000) else {
                panic!("{seed}")
            };
            assert!((100..900).contains(&micros), "{micros}");
            seen.insert(alone);
        }
        assert_eq!(seen.len(), 2, "only with some seeds does the tool go on");
    }
}
