//! A stage whose files carry the commit's time must hold something of the commit. `BuildKit` looks at contents and not at dates
//! when it copies from a stage: where a later commit gives the same contents, its copy is the one of the earlier commit, with
//! the dates of that, as long as the cache has it.

use super::Findings;
use super::parse::Instruction;
use crate::inputs::finding::Rule;

const TIME: &str = "SOURCE_DATE_EPOCH";
const COMMIT: &str = "REVISION";

pub(super) fn check(instructions: &[Instruction], findings: &mut Findings) {
    for stage in instructions.split(|instruction| instruction.is("FROM")) {
        let uses = |instruction: &&Instruction, name: &str| {
            instruction.is("RUN") && (instruction.text.contains(name) || instruction.body.contains(name))
        };
        let dated = stage.iter().find(|instruction| uses(instruction, TIME));
        let has_commit = stage.iter().any(|instruction| uses(&instruction, COMMIT));
        if let Some(dated) = dated.filter(|_| !has_commit) {
            findings.problem(
                Rule::DockerfileDates,
                dated.line,
                "gives files the date of the commit where nothing in them is the commit's: with the same contents, the builder's \
                 cache has them with the date of an older commit, and the digest differs. Write `$REVISION` into a file of this \
                 stage, such as the `build.json` of docs/services.md, or use a constant date",
            );
        }
    }
}
