//! The stages on which the last stage of a Dockerfile is based. This also reads Dockerfiles that break the rules.

use std::collections::BTreeSet;

use super::parse::Instruction;
use super::words::{self, Values};

/// The instructions before the first `FROM`, and those of each stage.
pub(super) fn stages(all: &[Instruction]) -> (&[Instruction], Vec<&[Instruction]>) {
    let first = all.iter().position(|instruction| instruction.is("FROM")).unwrap_or(all.len());
    let (before, stages) = all.split_at(first);
    (before, stages.chunk_by(|_, next| !next.is("FROM")).collect())
}

/// The numbers of the last stage, of the one that its `FROM` names, and so on.
pub(super) fn of_last(stages: &[&[Instruction]], values: &Values) -> BTreeSet<usize> {
    let mut numbers = BTreeSet::new();
    let mut next = stages.len().checked_sub(1);
    while let Some(number) = next {
        numbers.insert(number);
        let image = stages[number][0].arguments().next().unwrap_or_default();
        let image = words::expand(image, &[values]).unwrap_or_default().to_ascii_lowercase();
        next = stages[..number].iter().rposition(|stage| stage[0].stage_name().as_ref() == Some(&image));
    }
    numbers
}
