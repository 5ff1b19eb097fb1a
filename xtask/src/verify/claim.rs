//! A claim, its verdict, and how a verdict comes about.

use std::fmt;

use serde::Serialize;

/// What was seen, or why it could not be looked at.
pub type Seen<T> = Result<T, String>;

/// What became of a claim; ordered from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It was checked and is true.
    Holds,
    /// It could not be checked: that is not a yes.
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

/// One thing that a release says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// Stable: scripts may rely on it. docs/verifying.md has the list.
    pub id: &'static str,
    /// Whether it is true.
    pub verdict: Verdict,
    /// What was found, or what stood in the way.
    pub evidence: String,
}

impl Claim {
    /// The verdict on what was seen; `judge` gives the evidence, or what is wrong.
    pub fn judge<T>(
        id: &'static str,
        seen: &Seen<T>,
        judge: impl FnOnce(&T) -> anyhow::Result<String>,
    ) -> Self {
        let (verdict, evidence) = match seen {
            Err(why) => (Verdict::Unchecked, why.clone()),
            Ok(seen) => match judge(seen) {
                Ok(evidence) => (Verdict::Holds, evidence),
                Err(wrong) => (Verdict::False, format!("{wrong:#}")),
            },
        };
        Self { id, verdict, evidence }
    }
}

#[cfg(test)]
mod tests {
    use super::{Claim, Verdict};
    use anyhow::bail;

    #[test]
    fn what_was_not_seen_is_neither_true_nor_false() {
        let judge = |seen: &u32| if *seen == 1 { Ok("one".to_owned()) } else { bail!("it is {seen}") };
        assert_eq!(Claim::judge("x", &Ok(1), judge).verdict, Verdict::Holds);
        assert_eq!(Claim::judge("x", &Ok(2), judge).verdict, Verdict::False);
        let unseen = Claim::judge("x", &Err("no route".to_owned()), judge);
        assert_eq!((unseen.verdict, unseen.evidence.as_str()), (Verdict::Unchecked, "no route"));
    }

    #[test]
    fn false_is_worse_than_unknown() {
        assert!(Verdict::False > Verdict::Unchecked && Verdict::Unchecked > Verdict::Holds);
    }
}
