//! A stage whose files get the commit's time must contain something that depends on the commit. When `BuildKit` copies
//! from a stage it compares contents, not dates. If a later commit gives the same contents, the builder's cache
//! supplies the copy of the earlier commit, with its dates.

use super::Findings;
use super::parse::Instruction;
use super::words;
use crate::inputs::finding::Rule;
use crate::inputs::pin::document;

const TIME: &str = "SOURCE_DATE_EPOCH";
const COMMIT: &str = "REVISION";

/// Whether the builder writes the commit into a file whose text is in the Dockerfile.
fn is_written(instruction: &Instruction) -> bool {
    let is_file = instruction.is("COPY") || instruction.is("ADD");
    is_file && words::names_used(&instruction.expanded).any(|name| name == COMMIT)
}

/// Whether `text` has `name` as a whole word: a program may read it from its environment in any way.
fn names(text: &str, name: &str) -> bool {
    text.split(|c| !words::is_of_name(c)).any(|word| word == name)
}

pub(super) fn check(instructions: &[Instruction], findings: &mut Findings) {
    for stage in instructions.split(|instruction| instruction.is("FROM")) {
        let uses = |instruction: &&Instruction, name: &str| {
            instruction.is("RUN") && (names(&instruction.text, name) || names(&instruction.body, name))
        };
        let dated = stage.iter().find(|instruction| uses(instruction, TIME));
        let has_commit = |instruction| uses(&instruction, COMMIT) || is_written(instruction);
        if let Some(dated) = dated.filter(|_| !stage.iter().any(has_commit)) {
            findings.problem(
                Rule::DockerfileDates,
                dated.line,
                concat!("gives files the date of the commit, but no file of this stage depends on the commit: if an older commit had the \
                 same contents, the builder's cache returns them with that commit's date, and the digest differs. Write `$REVISION` into a file of this \
                 stage, such as the `build.json` of ", document!("services.md"), ", or use a constant date"),
            );
        }
    }
}
