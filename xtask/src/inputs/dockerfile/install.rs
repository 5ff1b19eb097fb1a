//! Checks that a Dockerfile installs exactly the packages that the lockfile pins, for the platform of the image.

use super::Findings;
use super::image::BaseImage;
use super::parse::Instruction;
use crate::inputs::finding::Rule;
use crate::inputs::lockfile::Libc;
use crate::inputs::pin::document;

/// npm's names for commands that may install something other than the lockfile says.
const INSTALLS: [&str; 8] = ["install", "i", "in", "ins", "add", "update", "up", "upgrade"];

/// The commands of a `RUN`, each split into words.
pub(super) fn commands(instruction: &Instruction) -> Vec<Vec<String>> {
    let text = format!("{}\n{}", instruction.text, instruction.body);
    let words =
        text.replace("&&", "\n").replace("||", "\n").replace([';', '|', '(', ')', '{', '}', '['], "\n");
    let word = |word: &str| word.trim_matches(['"', '\'', ',', ']']).to_owned();
    words.lines().map(|line| line.split_whitespace().map(word).collect()).collect()
}

/// The npm subcommand and the words after `npm`, if the command calls npm.
fn npm(command: &[String]) -> Option<(&str, &[String])> {
    call_of(command, "npm")
}

/// The subcommand of `program` and all words after `program`, if the command calls it.
pub(super) fn call_of<'a>(command: &'a [String], program: &str) -> Option<(&'a str, &'a [String])> {
    let at = command.iter().position(|word| word == program)?;
    let arguments = &command[at + 1..];
    let subcommand = arguments.iter().find(|word| !word.starts_with('-'))?;
    Some((subcommand, arguments))
}

fn has(arguments: &[String], flag: &str) -> bool {
    arguments
        .iter()
        .any(|word| word.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('=')))
}

/// The values of a flag. npm takes a value after `=` or as the next word.
fn values<'a>(arguments: &'a [String], flag: &str) -> impl Iterator<Item = &'a str> {
    arguments.iter().enumerate().filter_map(move |(at, word)| match word.strip_prefix(flag)? {
        "" => arguments.get(at + 1).map(String::as_str),
        rest => rest.strip_prefix('='),
    })
}

fn is_production(arguments: &[String]) -> bool {
    values(arguments, "--omit").any(|value| value == "dev")
}

pub(super) fn check(instruction: &Instruction, is_on_target: bool, findings: &mut Findings) {
    if !instruction.is("RUN") {
        return;
    }
    let line = instruction.line;
    for command in commands(instruction) {
        match npm(&command) {
            Some((subcommand, _)) if INSTALLS.contains(&subcommand) => findings.problem(
                Rule::DockerfileNpmInstall,
                line,
                format!("`npm {subcommand}` may install something else than `package-lock.json` says; write `npm ci`"),
            ),
            Some(("ci", arguments)) => check_ci(line, arguments, is_on_target, findings),
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
        if command.first().is_some_and(|word| word == "npx")
            && !has(&command, "--no")
            && !has(&command, "--no-install")
        {
            findings.note(
                Rule::DockerfileNpx,
                line,
                "`npx` fetches what is not installed, whatever its version; `npx --no` does not",
            );
        }
    }
}

fn check_ci(line: usize, arguments: &[String], is_on_target: bool, findings: &mut Findings) {
    if !is_on_target && !has(arguments, "--ignore-scripts") {
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
    if !is_on_target
        && is_production(arguments)
        && !(has(arguments, "--os") && has(arguments, "--cpu") && has(arguments, "--libc"))
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
    if is_partial(arguments) {
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
fn is_partial(arguments: &[String]) -> bool {
    is_production(arguments) && (has(arguments, "--workspace") || has(arguments, "-w"))
}

/// The C library that the last `npm ci` names, else the one in the name of the base image.
pub(super) fn libc(instructions: &[Instruction], base: &BaseImage, findings: &mut Findings) -> Libc {
    let mut asked = None;
    for instruction in instructions.iter().filter(|instruction| instruction.is("RUN")) {
        for command in commands(instruction) {
            let Some(("ci", arguments)) = npm(&command) else { continue };
            let libc = match values(arguments, "--libc").next() {
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
