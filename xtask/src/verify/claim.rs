//! A claim, its verdict, and how the verdict is reached.

use std::fmt;

use serde::Serialize;

/// What was seen, or why it could not be looked at.
pub type Observed<T> = Result<T, Unavailable>;

/// Why there is nothing to judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// The query failed, for this reason.
    Failed(String),
    /// As [`Unavailable::Failed`], but a later query may succeed: a server was away, busy or silent.
    Transient(String),
    /// There was an answer, but it is wrong whatever the claim expects, for this reason.
    Invalid(String),
    /// There is nothing to look at because this other claim does not hold.
    DependsOn(&'static str),
}

/// The verdict on a claim, ordered from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It was checked and is true.
    Holds,
    /// It could not be checked. That is not a yes.
    Unchecked,
    /// It was checked and is not true.
    False,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Holds => "holds",
            Self::Unchecked => "could not be checked",
            Self::False => "is false",
        })
    }
}

/// One statement that a release makes about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// Stable: scripts may rely on it. docs/verifying.md has the list.
    pub id: &'static str,
    /// Whether it is true.
    pub verdict: Verdict,
    /// What was found, or what prevented the check.
    pub evidence: String,
    /// The claim that does not hold and so leaves nothing to look at here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub see: Option<&'static str>,
    /// Whether it could not be checked now but may be later.
    #[serde(skip)]
    pub is_transient: bool,
    /// The command with which a person can check it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_hand: Option<String>,
}

impl Claim {
    /// The verdict on what was seen. `judge` returns the evidence, or an error that says what is wrong.
    pub fn judge<T>(
        id: &'static str,
        seen: &Observed<T>,
        judge: impl FnOnce(&T) -> anyhow::Result<String>,
    ) -> Self {
        let (verdict, evidence) = match seen {
            Err(unseen) => (unseen.verdict(), unseen.to_string()),
            Ok(seen) => match judge(seen) {
                Ok(evidence) => (Verdict::Holds, evidence),
                Err(wrong) => (Verdict::False, format!("{wrong:#}")),
            },
        };
        let see = if let Err(Unavailable::DependsOn(id)) = seen { Some(*id) } else { None };
        let is_transient = matches!(seen, Err(Unavailable::Transient(_)));
        Self { id, verdict, evidence, see, is_transient, by_hand: None }
    }

    /// The verdict if there is nothing to judge.
    pub fn unavailable(id: &'static str, unseen: &Unavailable) -> Self {
        Self::judge::<()>(id, &Err(unseen.clone()), |()| Ok(String::new()))
    }

    /// For claims that need this one to hold: they refer to it instead of repeating its verdict.
    ///
    /// # Errors
    /// When it does not hold.
    pub fn holds(&self) -> Observed<()> {
        match self.verdict {
            Verdict::Holds => Ok(()),
            Verdict::False | Verdict::Unchecked => Err(Unavailable::DependsOn(self.id)),
        }
    }
}

/// Whether a claim could not be checked because of a server that may answer later.
#[must_use]
pub fn is_away(claims: &[Claim]) -> bool {
    claims.iter().any(|claim| claim.is_transient)
}

/// Whether another look may give another result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outlook {
    /// Every server answered, and nothing is false.
    Settled,
    /// Something is false, and every server answered.
    Doubtful,
    /// A server did not answer, and may later.
    Away,
}

impl Outlook {
    /// That of a look that found `claims`.
    pub(super) fn of(claims: &[Claim]) -> Self {
        if is_away(claims) {
            Self::Away
        } else if claims.iter().any(|claim| claim.verdict == Verdict::False) {
            Self::Doubtful
        } else {
            Self::Settled
        }
    }
}

/// The result of `look`; if it is doubtful, that of `again`. A release may be writing at the same time, and what is read
/// before and after a write does not match (docs/decisions/0039-a-false-claim-is-looked-at-twice.md). If a server does
/// not answer the second time, the first result counts. `outlook` is that of a result.
///
/// # Errors
/// Those of `look` and `again`.
pub(super) fn twice<T>(
    look: impl FnOnce() -> anyhow::Result<T>,
    again: impl FnOnce() -> anyhow::Result<T>,
    outlook: impl Fn(&T) -> Outlook,
) -> anyhow::Result<T> {
    let first = look()?;
    if outlook(&first) != Outlook::Doubtful {
        return Ok(first);
    }
    let second = again()?;
    Ok(if outlook(&second) == Outlook::Away { first } else { second })
}

impl Unavailable {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Invalid(_) => Verdict::False,
            Self::Failed(_) | Self::Transient(_) | Self::DependsOn(_) => Verdict::Unchecked,
        }
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(words) | Self::Transient(words) | Self::Invalid(words) => f.write_str(words),
            Self::DependsOn(id) => write!(f, "skipped: depends on `{id}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Claim, Outlook, Unavailable, Verdict, twice};
    use crate::verify::broken;
    use anyhow::bail;

    #[test]
    fn a_failed_query_leaves_a_claim_unchecked_and_a_wrong_answer_makes_it_false() {
        let judge = |seen: &u32| if *seen == 1 { Ok("one".to_owned()) } else { bail!("it is {seen}") };
        assert_eq!(Claim::judge("x", &Ok(1), judge).verdict, Verdict::Holds);
        assert_eq!(Claim::judge("x", &Ok(2), judge).verdict, Verdict::False);
        let unseen = Claim::judge("x", &Err(Unavailable::Failed("no route".to_owned())), judge);
        assert_eq!((unseen.verdict, unseen.evidence.as_str()), (Verdict::Unchecked, "no route"));
        let wrong = Claim::judge("x", &Err(Unavailable::Invalid("other bytes".to_owned())), judge);
        assert_eq!(wrong.verdict, Verdict::False);
    }

    #[test]
    fn a_claim_that_depends_on_another_refers_to_it_instead_of_repeating_it() {
        let first = Claim::judge("first", &Ok(2), |_| bail!("wrong"));
        let second = Claim::judge("second", &first.holds(), |()| Ok("fine".to_owned()));
        assert_eq!(second.verdict, Verdict::Unchecked);
        assert_eq!(second.see, Some("first"));
        let (worst, words) = broken(&[second.clone(), first]).unwrap();
        assert_eq!((worst, words.as_str()), (Verdict::False, "`first` is false: wrong"));
        let (worst, words) = broken(&[second]).unwrap();
        assert_eq!(worst, Verdict::Unchecked);
        assert_eq!(
            words, "`second` could not be checked: skipped: depends on `first`",
            "it is reported if it is the only one"
        );
    }

    #[test]
    fn a_false_claim_is_looked_at_again_unless_a_server_is_away() {
        let outlook = |claims: &Vec<Claim>| Outlook::of(claims);
        let holds = || Claim::judge("x", &Ok(()), |()| Ok(String::new()));
        let of = |unseen| Claim::unavailable("x", &unseen);
        let wrong = || of(Unavailable::Invalid("it is another".to_owned()));
        let away = || of(Unavailable::Transient("answered 503".to_owned()));
        let unknown = || of(Unavailable::Failed("no such API".to_owned()));
        let follows = || of(Unavailable::DependsOn("x"));
        // Whether there is a second look after this one.
        for (claims, expected) in [
            (vec![holds()], false),
            (vec![holds(), wrong()], true),
            (vec![wrong(), follows()], true),
            (vec![unknown()], false),
            (vec![away()], false),
            (vec![wrong(), away()], false),
        ] {
            let again = || Ok(vec![holds(), holds()]);
            let found = twice(|| Ok(claims.clone()), again, outlook).unwrap();
            assert_eq!(found != claims, expected, "{claims:?}");
        }
        // Whether this second look counts after a false claim.
        for (claims, expected) in [
            (vec![holds()], true),
            (vec![holds(), wrong()], true),
            (vec![unknown()], true),
            (vec![away()], false),
            (vec![wrong(), away()], false),
        ] {
            let found = twice(|| Ok(vec![wrong()]), || Ok(claims.clone()), outlook).unwrap();
            assert_eq!(found == claims, expected, "{claims:?}");
        }
        let stopped = || bail!("a signal");
        assert!(twice(stopped, || Ok(vec![holds()]), outlook).is_err(), "it is not an answer");
        assert!(twice(|| Ok(vec![wrong()]), stopped, outlook).is_err());
    }

    #[test]
    fn false_is_worse_than_unchecked() {
        assert!(Verdict::False > Verdict::Unchecked && Verdict::Unchecked > Verdict::Holds);
    }
}
