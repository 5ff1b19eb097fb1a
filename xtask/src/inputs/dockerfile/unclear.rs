//! Lines whose meaning for the builder is unclear: an instruction that is unknown, one that runs in another stage, and
//! text that versions of `BuildKit` read in different ways. No other rule can check what is read wrongly.

use std::collections::BTreeSet;

use super::parse::{self, Instruction};
use super::{Findings, words};
use crate::inputs::finding::Rule;

/// The instructions that `BuildKit` knows (its package `frontend/dockerfile/command`).
const KNOWN: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

pub(super) fn check(text: &str, instructions: &[Instruction], findings: &mut Findings) {
    if let Some(line) = parse::backtick(text) {
        findings.problem(
            Rule::DockerfileUnclear,
            line,
            "the rules cannot read a Dockerfile in which the backtick is the escape character; remove the line, and write `\\` for each backtick",
        );
    }
    let mut is_in_stage = false;
    for instruction in instructions {
        is_in_stage |= instruction.is("FROM");
        if let Some(why) = why(instruction, is_in_stage) {
            findings.problem(
                Rule::DockerfileUnclear,
                instruction.line,
                format!("`{}`: {why}", instruction.text),
            );
        }
    }
}

fn why(instruction: &Instruction, is_in_stage: bool) -> Option<&'static str> {
    if instruction.is("ONBUILD") {
        Some(
            "it runs in each stage that is based on this one, where no rule sees it; write the instruction into that stage",
        )
    } else if !KNOWN.iter().any(|known| instruction.is(known)) {
        Some("this is no instruction that BuildKit knows; correct it, or end the line before it with `\\`")
    } else if instruction.is_unclear {
        Some(
            "versions of BuildKit may find different heredocs here; write `<<EOF` without a blank after `<<`, and in the same \
             instruction no `${…}` with quotes, blanks or modifiers of bash. Put quotes around a `<<` that is no heredoc",
        )
    } else if is_in_stage && has_default_of_its_own(instruction) {
        Some(
            "versions of BuildKit differ in whether a default knows the variables to its left; write an `ARG` for each \
             variable",
        )
    } else {
        None
    }
}

/// Whether a default in an `ARG` names a variable that the same instruction declares before it (docs/facts.md,
/// "Words of a Dockerfile").
fn has_default_of_its_own(instruction: &Instruction) -> bool {
    let mut declared = BTreeSet::new();
    instruction.is("ARG")
        && words::assigned(instruction).into_iter().any(|(name, default)| {
            let is_of_its_own =
                default.is_some_and(|default| words::names_used(default).any(|used| declared.contains(used)));
            declared.insert(name);
            is_of_its_own
        })
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::inputs::dockerfile::Findings;
    use crate::inputs::dockerfile::parse::instructions;

    #[test]
    fn what_can_be_read_in_two_ways_is_refused_with_its_line() {
        for (text, expected) in [
            (
                "FROM a\nONBUILD RUN make\nFROM a\n",
                "`Dockerfile` line 2: `ONBUILD RUN make`: it runs in each stage",
            ),
            ("FROM a\nWHAT x\n", "`Dockerfile` line 2: `WHAT x`: this is no instruction"),
            ("FROM a\nR\\\nUN x\n", ""),
            ("FROM a\nRUN\\\n x\n", ""),
            ("FROM a\nRUN cat << EOF\nEOF\n", "`Dockerfile` line 2: `RUN cat << EOF`: versions of BuildKit"),
            ("from a\ncopy <<EOF /x\nWHAT\nEOF\n", ""),
            ("# escape=`\nFROM a\n", "`Dockerfile` line 1: the rules cannot read a Dockerfile"),
            ("\u{feff}#escape = ` \r\nFROM a\r\n", "`Dockerfile` line 1: the rules cannot read"),
            (" # Escape=`\nFROM a\n", "`Dockerfile` line 1: the rules cannot read"),
            ("# check=skip=all\n# escape=`\nFROM a\n", "`Dockerfile` line 2: the rules cannot read"),
            ("# escape=\\\nFROM a\n", ""),
            ("# check=skip=all\n# escape=\\\nFROM a\n", ""),
            ("# why\n# escape=`\nFROM a\n", ""),
            ("FROM a\nARG A=1 B=$A\n", "`Dockerfile` line 2: `ARG A=1 B=$A`: versions of BuildKit differ"),
            (
                "FROM a\nARG A B=x${A:-y}\n",
                "`Dockerfile` line 2: `ARG A B=x${A:-y}`: versions of BuildKit differ",
            ),
            ("ARG A=1 B=$A\nFROM a\n", ""),
            ("FROM a\nARG A=$B B=1 C=$AB\nENV C=1 D=$C\n", ""),
        ] {
            let mut findings = Findings::default();
            check(text, &instructions(text), &mut findings);
            let found: String = findings.0.iter().map(String::from).collect();
            assert!(
                found.starts_with(expected) && found.is_empty() == expected.is_empty(),
                "{text:?}: {found}"
            );
        }
    }
}
