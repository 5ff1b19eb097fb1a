//! The instructions that the final stage may have. Nothing runs there, and every version of `BuildKit` must record the
//! same: docs/facts.md, "What the last stage records".

use super::Findings;
use super::parse::{self, Instruction};
use super::stages::BUILD_ARGUMENTS;
use crate::inputs::finding::Rule;
use crate::inputs::pin::document;

/// A default that no build argument replaces is recorded as it is written.
fn is_harmless_argument(instruction: &Instruction) -> bool {
    let mut arguments = parse::arguments(instruction);
    instruction.is("ARG")
        && arguments.all(|(name, default)| default.is_some() && !BUILD_ARGUMENTS.contains(&name))
}

/// The refused instructions, with the reason and what to write instead.
const REFUSED: [(&str, &str); 4] = [
    (
        "RUN",
        concat!(
            "nothing runs there, because it would need the image's platform or an emulator. Run it in a stage \
         `FROM --platform=$BUILDPLATFORM …` that ends in `/out`, and take the result with `COPY --link --from=… /out/ /`; \
         system packages go into a base image of your own (",
            document!("services.md#system-packages"),
            ")"
        ),
    ),
    (
        "ARG",
        "BuildKit versions record its value in different ways, so their digests differ. Put it into the stage before, and let \
         that stage write a file",
    ),
    (
        "EXPOSE",
        "BuildKit versions record it in different ways, so their digests differ. Remove the line: it publishes \
         nothing, and `smoke.port` names the port",
    ),
    (
        "HEALTHCHECK",
        concat!(
            "BuildKit versions record it in different ways, so their digests differ. Write it into the compose file \
         as `healthcheck:`, or as `livenessProbe` for Kubernetes (",
            document!("services.md#in-the-last-stage"),
            ")"
        ),
    ),
];

/// Whether an earlier stage has the directory below `/out`, and a `COPY` before the line brings it: then nothing is
/// made here.
fn is_copied_before(instructions: &[Instruction], workdir: &Instruction) -> bool {
    let (mut stage, mut made, mut is_there) = (None, Vec::new(), false);
    for instruction in instructions.iter().take_while(|instruction| instruction.line < workdir.line) {
        if instruction.is("FROM") {
            (stage, is_there) = (instruction.stage_name(), false);
        } else if instruction.is("WORKDIR") {
            made.extend(stage.clone().zip(instruction.rest().strip_prefix("/out")));
        } else if instruction.is("COPY") && instruction.arguments().eq(["/out/", "/"]) {
            let from = instruction.flag("from").unwrap_or_default().to_ascii_lowercase();
            is_there |= made.contains(&(from, workdir.rest()));
        }
    }
    is_there
}

pub(super) fn check(instructions: &[Instruction], findings: &mut Findings) {
    let last = instructions.iter().rev().take_while(|instruction| !instruction.is("FROM"));
    for instruction in last {
        let refused = REFUSED.iter().find(|(keyword, _)| instruction.is(keyword));
        if let Some((_, why)) = refused.filter(|_| !is_harmless_argument(instruction)) {
            findings.problem(
                Rule::DockerfileFinalStage,
                instruction.line,
                format!("`{}` in the final stage: {why}", instruction.text),
            );
        }
        if instruction.is("WORKDIR") && !is_copied_before(instructions, instruction) {
            findings.note(
                Rule::DockerfileFinalWorkdir,
                instruction.line,
                format!(
                    "`{}`: BuildKit versions agree on the digest only where the directory is there already; make it in the \
                     stage before, and write this line after the `COPY` that brings it",
                    instruction.text
                ),
            );
        }
        let is_copied = instruction.is("COPY") || instruction.is("ADD");
        if is_copied && !instruction.flags().any(|flag| flag == "link" || flag.starts_with("link=")) {
            findings.note(
                Rule::DockerfileFinalLink,
                instruction.line,
                format!("`{}`: without `--link` the layer depends on what is below it", instruction.text),
            );
        }
        if instruction.is("ADD") && instruction.arguments().any(|word| word.contains("://")) {
            findings.problem(
                Rule::DockerfileAdd,
                instruction.line,
                format!(
                    "`{}`: the file would carry the server's date. Fetch it in a stage `FROM scratch`, and copy it from \
                     there",
                    instruction.text
                ),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::inputs::dockerfile::Findings;
    use crate::inputs::dockerfile::parse::instructions;
    use crate::inputs::finding::Rule;

    #[test]
    fn a_working_directory_that_a_stage_brings_needs_no_note() {
        let stage = "FROM a AS Made\nWORKDIR /out/app\n";
        for (text, is_noted) in [
            (format!("{stage}FROM a\nCOPY --link --from=made /out/ /\nWORKDIR /app\n"), false),
            (format!("{stage}FROM a\nWORKDIR /app\nCOPY --link --from=made /out/ /\n"), true),
            (format!("{stage}FROM a\nCOPY --link --from=made /out/ /\nWORKDIR /application\n"), true),
            (format!("{stage}FROM a\nCOPY --link --from=made /out/ /srv/\nWORKDIR /app\n"), true),
            (format!("{stage}FROM a\nCOPY --link --from=other /out/ /\nWORKDIR /app\n"), true),
            (format!("{stage}FROM a AS b\nCOPY --link --from=made /out/ /\nFROM a\nWORKDIR /app\n"), true),
        ] {
            let mut findings = Findings::default();
            check(&instructions(&text), &mut findings);
            let found = findings.0.iter().any(|finding| finding.rule == Rule::DockerfileFinalWorkdir);
            assert_eq!(found, is_noted, "{text}");
        }
    }
}
