//! Checks that a Dockerfile installs exactly the packages that the lockfile pins, for the platform of the image.

use super::Findings;
use super::image::BaseImage;
use super::npm::{self, Call};
use super::parse::Instruction;
use super::shell::{commands, program};
use crate::inputs::finding::Rule;
use crate::inputs::lockfile::Libc;
use crate::inputs::pin::document;

pub(super) fn check(instruction: &Instruction, is_on_target: bool, findings: &mut Findings) {
    if !instruction.is("RUN") {
        return;
    }
    let line = instruction.line;
    for command in commands(instruction) {
        match Call::of(&command) {
            Some(call) if matches!(call.command, "install" | "update") => {
                findings.problem(Rule::DockerfileNpmInstall, line, unpinned(&call));
            }
            Some(call) if call.command == "ci" => check_ci(line, &call, is_on_target, findings),
            _ => {}
        }
        let fetches = command.iter().any(|word| word.starts_with("https://") || word.starts_with("http://"));
        if let Some(program) =
            command.iter().find(|word| ["curl", "wget"].contains(&word.as_str()) && fetches)
        {
            findings.problem(
                Rule::DockerfileDownload,
                line,
                format!(
                    "`{program}` downloads what nothing pins; write `ADD --checksum=sha256:… https://… …` in a stage \
                     `FROM scratch`, and name it in `[[workspace.metadata.release.native]]` ({})",
                    document!("services.md")
                ),
            );
        }
        if program(&command).is_some_and(|(program, _)| program == "npx")
            && !npm::has(&command, "--no")
            && !npm::has(&command, "--no-install")
        {
            findings.note(
                Rule::DockerfileNpx,
                line,
                "`npx` fetches what is not installed, whatever its version; `npx --no` does not",
            );
        }
    }
}

fn unpinned(call: &Call<'_>) -> String {
    let written = call.written;
    if call.is_global() {
        return format!(
            "nothing pins what `npm {written} -g` installs; write the lockfile with the npm of the base image, or put the \
             tool into `devDependencies` or into a base image of your own ({})",
            document!("services.md#system-packages")
        );
    }
    format!("`npm {written}` may install something else than `package-lock.json` says; write `npm ci`")
}

fn check_ci(line: usize, call: &Call<'_>, is_on_target: bool, findings: &mut Findings) {
    if !is_on_target && !call.has("--ignore-scripts") {
        findings.problem(
            Rule::DockerfileNpmScripts,
            line,
            concat!(
                "`npm ci` runs what packages bring, on the building machine; write `npm ci --ignore-scripts` (what then \
                 of a package that needs its script: ",
                document!("services.md"),
                ")"
            ),
        );
    }
    if !is_on_target && call.is_production() && !["--os", "--cpu", "--libc"].iter().all(|flag| call.has(flag))
    {
        findings.problem(
            Rule::DockerfileNpmTarget,
            line,
            concat!(
                "`npm ci --omit=dev` installs what fits the building machine, and not the image; write `ARG TARGETARCH` \
                 before it and `--os=linux --cpu=… --libc=…`, as in ",
                document!("services.md")
            ),
        );
    }
    if is_partial(call) {
        findings.note(
            Rule::DockerfileNpmWorkspace,
            line,
            concat!(
                "`npm ci --workspace` leaves out what other workspaces ask for, and the image must have all of the \
                 lockfile's production packages (",
                document!("services.md"),
                ")"
            ),
        );
    }
}

/// Whether it installs only some of the workspaces. An image must have the dependencies of all of them.
fn is_partial(call: &Call<'_>) -> bool {
    call.is_production() && (call.has("--workspace") || call.has("-w"))
}

/// The C library that the last `npm ci` names, else the one in the name of the base image.
pub(super) fn libc(instructions: &[Instruction], base: &BaseImage, findings: &mut Findings) -> Libc {
    let mut asked = None;
    for instruction in instructions.iter().filter(|instruction| instruction.is("RUN")) {
        for command in commands(instruction) {
            let Some(call) = Call::of(&command).filter(|call| call.command == "ci") else { continue };
            let libc = match call.values("--libc").next() {
                Some("musl") => Libc::Musl,
                Some("glibc") => Libc::Glibc,
                _ => continue,
            };
            if base.is_musl() && libc != Libc::Musl {
                findings.problem(
                    Rule::DockerfileLibc,
                    instruction.line,
                    format!(
                        "`--libc={}` for the base image `{}`; write `--libc=musl`",
                        libc.as_str(),
                        base.reference
                    ),
                );
            }
            asked = Some(libc);
        }
    }
    asked.unwrap_or(if base.is_musl() { Libc::Musl } else { Libc::Glibc })
}
