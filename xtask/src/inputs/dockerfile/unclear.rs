//! Lines of which it is unclear what the builder makes of them: an instruction that is unknown, one that runs in another
//! stage, and text that versions of `BuildKit` read in different ways. What is read wrongly is checked by no other rule.

use super::Findings;
use super::parse::{self, Instruction};
use crate::inputs::finding::Rule;

/// What `BuildKit` knows (its package `frontend/dockerfile/command`).
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
    if let Some(line) = parse::late_escape(text) {
        findings.problem(
            Rule::DockerfileUnclear,
            line,
            "older versions of BuildKit take `escape` for a comment here; write it as the first line, from its first column on",
        );
    }
    for instruction in instructions {
        if let Some(why) = why(instruction) {
            findings.problem(
                Rule::DockerfileUnclear,
                instruction.line,
                format!("`{}`: {why}", instruction.text),
            );
        }
    }
}

fn why(instruction: &Instruction) -> Option<&'static str> {
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
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::inputs::dockerfile::Findings;
    use crate::inputs::dockerfile::parse::instructions;

    #[test]
    fn what_may_be_read_in_two_ways_is_refused_with_its_line() {
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
            ("# escape=`\nFROM a\n", ""),
            ("\u{feff}#escape = ` \r\nFROM a\r\n", ""),
            (" # escape=`\nFROM a\n", "`Dockerfile` line 1: older versions"),
            ("# check=skip=all\n# escape=`\nFROM a\n", "`Dockerfile` line 2: older versions"),
            ("# check=skip=all\n# escape=\\\nFROM a\n", ""),
            ("# why\n# escape=`\nFROM a\n", ""),
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
