//! The instructions that are allowed in the final stage and in the stages on which it is based: all of them become the
//! image. Nothing runs there, and every version of `BuildKit` must record the same:
//! docs/facts.md, "What the last stage records".

use super::arguments::BUILD_ARGUMENTS;
use super::parse::Instruction;
use super::stages::Stages;
use super::words;
use super::{Findings, chain};
use crate::inputs::finding::Rule;
use crate::inputs::pin::document;

/// Whether it is an `ARG` with a default that no build argument replaces: every version of `BuildKit` records it alike.
fn is_harmless_argument(instruction: &Instruction) -> bool {
    let mut arguments = words::assigned(instruction).into_iter();
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

/// The instructions of the stages that become the image, each with its `FROM`.
pub(super) fn published<'a>(instructions: &'a [Instruction], stages: &Stages<'_>) -> Vec<&'a Instruction> {
    let numbers = stages.published();
    let (_, all) = chain::stages(instructions);
    all.into_iter()
        .enumerate()
        .filter(|(number, _)| numbers.contains(number))
        .flat_map(|(_, stage)| stage)
        .collect()
}

/// Whether an earlier stage makes the directory below `/out`, and a `COPY` above the line brings it: then the line
/// makes nothing.
fn is_copied_before(instructions: &[Instruction], published: &[&Instruction], workdir: &Instruction) -> bool {
    let (mut stage, mut made) = (None, Vec::new());
    for instruction in instructions.iter().take_while(|instruction| instruction.line < workdir.line) {
        if instruction.is("FROM") {
            stage = Some(instruction);
        } else if instruction.is("WORKDIR") {
            made.extend(stage.zip(instruction.rest().strip_prefix("/out")));
        }
    }
    published.iter().take_while(|instruction| instruction.line < workdir.line).any(|instruction| {
        let from = instruction.flag("from").map(str::to_ascii_lowercase);
        let brings = instruction.is("COPY") && instruction.arguments().eq(["/out/", "/"]);
        let is_origin = |(stage, place): &(&Instruction, &str)| {
            *place == workdir.rest() && from.is_some() && stage.stage_name() == from
        };
        brings && made.iter().any(is_origin)
    })
}

pub(super) fn check(instructions: &[Instruction], stages: &Stages<'_>, findings: &mut Findings) {
    let Some(from) = instructions.iter().rfind(|instruction| instruction.is("FROM")) else { return };
    if !stages.is_on_target() {
        findings.problem(
            Rule::DockerfileFinalStage,
            from.line,
            format!(
                "`{}`: the final stage must have the platform of the image; remove `--platform`, or do not base it on a \
                 stage that has one",
                from.text
            ),
        );
    }
    let published = published(instructions, stages);
    for instruction in &published {
        check_what_is_recorded(instruction, instruction.line > from.line, findings);
        check_what_is_copied(instruction, findings);
        if instruction.is("WORKDIR") && !is_copied_before(instructions, &published, instruction) {
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
    }
}

fn check_what_is_recorded(instruction: &Instruction, is_last: bool, findings: &mut Findings) {
    let refused = REFUSED.iter().find(|(keyword, _)| instruction.is(keyword));
    if let Some((_, why)) = refused.filter(|_| !is_harmless_argument(instruction)) {
        let place = if is_last { "the final stage" } else { "a stage on which the final stage is based" };
        findings.problem(
            Rule::DockerfileFinalStage,
            instruction.line,
            format!("`{}` in {place}: {why}", instruction.text),
        );
    }
}

/// Whether the user or the group of a `--chown` is a name, which the builder cannot look up for a layer of its own
/// (docker/buildx issue 1408). An owner with a variable is left to the builder.
fn has_name(owner: &str) -> bool {
    // The builder reads `root` and an empty part as 0.
    let is_number = |part: &str| part == "root" || part.bytes().all(|byte| byte.is_ascii_digit());
    !owner.contains('$') && !owner.trim_matches(['"', '\'']).splitn(2, ':').all(is_number)
}

fn check_what_is_copied(instruction: &Instruction, findings: &mut Findings) {
    let is_copied = instruction.is("COPY") || instruction.is("ADD");
    let is_linked = instruction.flags().any(|flag| flag == "link" || flag == "link=true");
    // With `--chmod`, the builder copies onto the files of the stage, whatever `--link` says.
    let has_own_layer = instruction.flag("chmod").is_none();
    let owner = instruction.flag("chown").filter(|owner| has_own_layer && has_name(owner));
    if is_copied && !is_linked {
        findings.note(
            Rule::DockerfileFinalLink,
            instruction.line,
            format!(
                "`{}`: without `--link` the layer depends on what is below it; write `--link`, and numbers in `--chown`",
                instruction.text
            ),
        );
    } else if let Some(owner) = owner.filter(|_| is_copied) {
        findings.problem(
            Rule::DockerfileFinalLink,
            instruction.line,
            format!(
                "`--chown={owner}` with `--link`: the builder looks up names in the files below, which `--link` leaves out, \
                 and fails; write numbers, such as `--chown=1000:1000`"
            ),
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

#[cfg(test)]
mod tests {
    use super::check;
    use crate::inputs::dockerfile::Findings;
    use crate::inputs::dockerfile::parse::instructions;
    use crate::inputs::dockerfile::stages::Stages;
    use crate::inputs::finding::Rule;

    #[test]
    fn a_working_directory_that_is_copied_from_a_stage_needs_no_note() {
        let stage = "FROM a AS Made\nWORKDIR /out/app\n";
        for (text, is_noted) in [
            (format!("{stage}FROM a\nCOPY --link --from=made /out/ /\nWORKDIR /app\n"), false),
            (format!("{stage}FROM a\nWORKDIR /app\nCOPY --link --from=made /out/ /\n"), true),
            (format!("{stage}FROM a\nCOPY --link --from=made /out/ /\nWORKDIR /application\n"), true),
            (format!("{stage}FROM a\nCOPY --link --from=made /out/ /srv/\nWORKDIR /app\n"), true),
            (format!("{stage}FROM a\nCOPY --link --from=other /out/ /\nWORKDIR /app\n"), true),
            (format!("{stage}FROM a AS b\nCOPY --link --from=made /out/ /\nFROM a\nWORKDIR /app\n"), true),
            (format!("{stage}FROM a AS b\nCOPY --link --from=made /out/ /\nFROM b\nWORKDIR /app\n"), false),
        ] {
            let (instructions, mut findings) = (instructions(&text), Findings::default());
            let mut stages = Stages::new(&[]);
            instructions.iter().for_each(|instruction| stages.read(instruction, &mut findings));
            check(&instructions, &stages, &mut findings);
            let found = findings.0.iter().any(|finding| finding.rule == Rule::DockerfileFinalWorkdir);
            assert_eq!(found, is_noted, "{text}");
        }
    }
}
