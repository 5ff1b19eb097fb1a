//! How a Dockerfile installs packages: what the lockfile pins, for the platform of the image, and nothing else.

use super::Findings;
use super::image::BaseImage;
use super::parse::Instruction;
use crate::lockfile::Libc;

/// npm's names for what installs without the lockfile having the last word.
const INSTALLS: [&str; 8] = ["install", "i", "in", "ins", "add", "update", "up", "upgrade"];

/// The commands of a `RUN`, each as its words.
fn commands(instruction: &Instruction) -> Vec<Vec<String>> {
    let text = format!("{}\n{}", instruction.text, instruction.body);
    let words =
        text.replace("&&", "\n").replace("||", "\n").replace([';', '|', '(', ')', '{', '}', '['], "\n");
    let word = |word: &str| word.trim_matches(['"', '\'', ',', ']']).to_owned();
    words.lines().map(|line| line.split_whitespace().map(word).collect()).collect()
}

/// The words from `npm` on, where a command is one of npm's.
fn npm(command: &[String]) -> Option<(&str, &[String])> {
    let at = command.iter().position(|word| word == "npm")?;
    let arguments = &command[at + 1..];
    let subcommand = arguments.iter().find(|word| !word.starts_with('-'))?;
    Some((subcommand, arguments))
}

fn has(arguments: &[String], flag: &str) -> bool {
    arguments
        .iter()
        .any(|word| word.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('=')))
}

fn is_production(arguments: &[String]) -> bool {
    arguments.windows(2).any(|pair| pair == ["--omit", "dev"])
        || arguments.iter().any(|word| word == "--omit=dev")
}

pub(super) fn check(instruction: &Instruction, is_on_target: bool, findings: &mut Findings) {
    if !instruction.is("RUN") {
        return;
    }
    let line = instruction.line;
    for command in commands(instruction) {
        match npm(&command) {
            Some((subcommand, _)) if INSTALLS.contains(&subcommand) => findings.problem(
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
                line,
                format!(
                    "`{program}` downloads what nothing pins; write `ADD --checksum=sha256:… https://… …` in a stage \
                     `FROM scratch`, and name it in `[[workspace.metadata.release.native]]` (docs/services.md)"
                ),
            );
        }
        if command.first().is_some_and(|word| word == "npx")
            && !has(&command, "--no")
            && !has(&command, "--no-install")
        {
            findings
                .note(line, "`npx` fetches what is not installed, whatever its version; `npx --no` does not");
        }
    }
}

fn check_ci(line: usize, arguments: &[String], is_on_target: bool, findings: &mut Findings) {
    if !is_on_target && !has(arguments, "--ignore-scripts") {
        findings.problem(
            line,
            "`npm ci` runs what packages bring, on the building machine; write `npm ci --ignore-scripts` \
             (docs/services.md says what then of a package that needs its script)",
        );
    }
    if !is_on_target
        && is_production(arguments)
        && !(has(arguments, "--os") && has(arguments, "--cpu") && has(arguments, "--libc"))
    {
        findings.problem(
            line,
            "`npm ci --omit=dev` installs what fits the building machine, and not the image; write `ARG TARGETARCH` before it \
             and `--os=linux --cpu=… --libc=…`, as in docs/services.md",
        );
    }
}

/// What the production install asks for, else what the base image is called.
pub(super) fn libc(instructions: &[Instruction], base: &BaseImage, findings: &mut Findings) -> Libc {
    let named = if base.is_musl() { Some(Libc::Musl) } else { None };
    let mut asked = None;
    for instruction in instructions.iter().filter(|instruction| instruction.is("RUN")) {
        for command in commands(instruction) {
            let Some(("ci", arguments)) = npm(&command) else { continue };
            let value = arguments.iter().find_map(|word| word.strip_prefix("--libc="));
            let libc = match value {
                Some("musl") => Libc::Musl,
                Some("glibc") => Libc::Glibc,
                _ => continue,
            };
            if named.is_some_and(|named| named != libc) {
                findings.problem(
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
    asked.or(named).unwrap_or(Libc::Glibc)
}
