//! Which cases are tried: all of them, or a random sample. Only the seed decides.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use super::case::{Case, Injury, Kind, Target};

/// Targets in their order, each numbered among those with the same label.
pub(super) fn numbered(kind: Kind, labels: impl IntoIterator<Item = String>) -> Vec<Target> {
    let mut seen = BTreeMap::<String, usize>::new();
    let number = |label: String| {
        let occurrence = seen.entry(label.clone()).and_modify(|count| *count += 1).or_insert(1);
        Target { kind, occurrence: *occurrence, label }
    };
    labels.into_iter().map(number).collect()
}

/// `count` random cases, spread as evenly as possible over the steps, and over the calls and requests of each step.
/// Every step of the release gets one case before any step gets two.
pub(super) fn sample(targets: &[(String, Target)], count: usize, seed: u64) -> Vec<Case> {
    let mut groups = BTreeMap::<(&str, Kind), Vec<(u64, Case)>>::new();
    for (step, target) in targets {
        for injury in Injury::of(target.kind).iter().filter(|injury| target.is_bounded(**injury)) {
            let case = Case { target: target.clone(), injury: *injury };
            let chance = chance(seed, &format!("sample {case}"));
            groups.entry((step, target.kind)).or_default().push((chance, case));
        }
    }
    let mut steps = BTreeMap::<&str, Vec<(usize, u64, Case)>>::new();
    for ((step, _kind), mut cases) in groups {
        cases.sort();
        let ranked = cases.into_iter().enumerate().map(|(rank, (chance, case))| (rank, chance, case));
        steps.entry(step).or_default().extend(ranked);
    }
    for cases in steps.values_mut() {
        cases.sort();
    }
    let mut chosen = Vec::new();
    let mut row = 0;
    while chosen.len() < count && steps.values().any(|cases| row < cases.len()) {
        chosen.extend(steps.values().filter_map(|cases| cases.get(row)).map(|(_, _, case)| case.clone()));
        row += 1;
    }
    // Each step keeps its first case even if `count` is smaller than the number of steps.
    chosen.truncate(count.max(steps.len()));
    chosen
}

/// All cases of the matrix. The first call or request with each label comes before the second one with any label, and
/// so on; otherwise they are in the order of the release. Even an unfinished matrix then covers many different labels.
pub(super) fn matrix(targets: &[(String, Target)]) -> Vec<Case> {
    let mut targets: Vec<_> = targets.iter().collect();
    targets.sort_by_key(|(_, target)| target.occurrence);
    let cases = targets.into_iter().flat_map(|(_, target)| {
        Injury::matrix(target.kind).iter().map(|injury| Case { target: target.clone(), injury: *injury })
    });
    let mut seen = BTreeSet::new();
    cases.filter(|case| seen.insert(case.clone())).collect()
}

/// A number that depends only on the seed and the text.
pub(super) fn chance(seed: u64, text: &str) -> u64 {
    let digest = Sha256::digest(format!("{seed} {text}"));
    digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
pub(super) mod tests {
    use super::{matrix, numbered, sample};
    use crate::faults::case::{Kind, Target};
    use std::collections::BTreeSet;

    /// Three calls and twenty requests in two steps.
    pub(in crate::faults) fn targets() -> Vec<(String, Target)> {
        let calls = numbered(Kind::Call, ["git a", "git b", "git a"].map(str::to_owned));
        let requests = numbered(Kind::Request, ["GET /v2/"; 20].map(str::to_owned));
        let step = |index: usize| if index == 1 { "look" } else { "build" }.to_owned();
        calls.into_iter().chain(requests).enumerate().map(|(index, target)| (step(index), target)).collect()
    }

    #[test]
    fn a_sample_covers_every_step_and_the_same_seed_repeats_it() {
        let all = targets();
        for seed in 0..20 {
            let cases = sample(&all, 6, seed);
            assert_eq!(cases, sample(&all, 6, seed));
            assert_eq!(cases.len(), 6);
            assert!(cases.iter().any(|case| case.target.label == "git b"), "the step with one call");
            let calls = cases[..3].iter().filter(|case| case.target.kind == Kind::Call).count();
            assert_eq!(calls, 2, "the other step has one call and one request");
            assert_eq!(cases.iter().collect::<BTreeSet<_>>().len(), 6);
        }
        assert_ne!(sample(&all, 6, 1), sample(&all, 6, 2));
        assert_eq!(sample(&all, 1000, 1).len(), 3 * 4 + 20 * 7, "a tool that hangs for a minute is left out");
        let matrix = matrix(&all);
        assert_eq!(matrix.len(), 3 * 3 + 20 * 7);
        let numbers: Vec<_> = matrix.iter().map(|case| case.target.occurrence).collect();
        assert!(numbers.is_sorted() && numbers.first() == Some(&1), "{numbers:?}");
    }
}
