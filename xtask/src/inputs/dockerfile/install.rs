//! Checks that a Dockerfile installs exactly the packages that the lockfile pins, for the platform of the image.

use super::Findings;
use super::image::BaseImage;
use super::npm::{self, Call};
use super::parse::Instruction;
use super::shell::{commands, program};
use super::stages::Stages;
use crate::inputs::finding::Rule;
use crate::inputs::lockfile::Libc;
use crate::inputs::pin::document;
use crate::oci::platform::Platform;

/// The shell command that sets `$cpu` to npm's name of the processor.
pub const NPM_CPU: &str =
    "case $TARGETARCH in amd64) cpu=x64 ;; 386) cpu=ia32 ;; ppc64le) cpu=ppc64 ;; *) cpu=$TARGETARCH ;; esac";

pub(super) fn check(instruction: &Instruction, stages: &Stages<'_>, findings: &mut Findings) {
    if !instruction.is("RUN") {
        return;
    }
    let line = instruction.line;
    let mut by_default = stages.is_production();
    let commands = commands(instruction);
    let installs = commands.iter().any(|command| Call::of(command).is_some_and(|call| call.command == "ci"));
    for command in commands {
        let variables = command.iter().rev().filter_map(|word| word.split_once('='));
        let set = variables.filter_map(|(name, value)| npm::default_of(name, value)).next();
        let is_production = set.unwrap_or(by_default);
        let program = program(&command);
        // A variable that is set by itself or exported holds for the later commands as well.
        if program.is_none_or(|(program, _)| program == "export") {
            by_default = is_production;
        }
        match Call::of(&command) {
            Some(call) if call.resolves_anew() => {
                findings.problem(Rule::DockerfileNpmInstall, line, unpinned(&call));
            }
            Some(call) if call.fetches_program() => findings.note(Rule::DockerfileNpx, line, npx(&call)),
            Some(call) if runs_scripts_elsewhere(&call, stages) => {
                findings.note(Rule::DockerfileNpmScripts, line, REBUILD);
            }
            Some(call) if matches!(call.command, "ci" | "prune") => {
                check_install(line, &call, is_production, stages.is_on_target(), findings);
                if call.is_production(is_production) {
                    check_cpu(instruction, stages.platforms(), findings);
                }
            }
            _ => {}
        }
        if let Some((program, arguments)) = program {
            check_program(line, program, arguments, installs, findings);
        }
        check_download(line, &command, findings);
    }
}

/// `installs`: whether the same instruction calls `npm ci`, so that this may be a branch for another lockfile.
fn check_program(line: usize, program: &str, arguments: &[String], installs: bool, findings: &mut Findings) {
    if npm::installs_otherwise(program, arguments) {
        let text = format!("`{program}` does not install what `package-lock.json` says");
        if installs {
            findings.note(Rule::DockerfileNpmInstall, line, format!("{text}; leave this branch out"));
        } else {
            let text = format!("{text}; write `npm ci` ({})", document!("services.md"));
            findings.problem(Rule::DockerfileNpmInstall, line, text);
        }
    }
    if program == "npx" && !npm::has(arguments, "--no") && !npm::has(arguments, "--no-install") {
        findings.note(
            Rule::DockerfileNpx,
            line,
            "`npx` fetches what is not installed, whatever its version; `npx --no` does not",
        );
    }
}

fn npx(call: &Call<'_>) -> String {
    let written = call.written;
    format!("`npm {written}` fetches what is not installed, whatever its version; `npm exec --no` does not")
}

fn runs_scripts_elsewhere(call: &Call<'_>, stages: &Stages<'_>) -> bool {
    call.command == "rebuild" && !stages.is_on_target() && !call.ignores_scripts()
}

const REBUILD: &str = "`npm rebuild` runs install scripts on the building machine; what they make there must not get into the \
     image, which may be for another platform";

fn check_download(line: usize, command: &[String], findings: &mut Findings) {
    let fetches = command.iter().any(|word| word.starts_with("https://") || word.starts_with("http://"));
    let is_clone =
        |(name, words): (&str, &[String])| name == "git" && words.iter().any(|word| word == "clone");
    let clones = program(command).is_some_and(is_clone).then_some("git");
    let downloads = |word: &&str| ["curl", "wget"].contains(word);
    if let Some(program) = command.iter().map(String::as_str).find(downloads).or(clones).filter(|_| fetches) {
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
    format!("`npm {written}` may install something other than `package-lock.json` says; write `npm ci`")
}

fn check_install(
    line: usize,
    call: &Call<'_>,
    by_default: bool,
    is_on_target: bool,
    findings: &mut Findings,
) {
    let Call { command, written, .. } = call;
    if *command == "ci" && !is_on_target && !call.ignores_scripts() {
        findings.problem(
            Rule::DockerfileNpmScripts,
            line,
            concat!(
                "`npm ci` runs the install scripts of packages on the building machine; write `npm ci --ignore-scripts` \
                 (for a package that needs its script: ",
                document!("services.md"),
                ")"
            ),
        );
    }
    if !call.is_production(by_default) {
        return;
    }
    let without_tools = if call.is_production(false) {
        format!("`npm {written} --omit=dev`")
    } else {
        format!(
            "`npm {written}`, which leaves out `devDependencies` here by `NODE_ENV` or `NPM_CONFIG_OMIT`,"
        )
    };
    if *command == "prune" && !is_on_target {
        findings.problem(
            Rule::DockerfileNpmTarget,
            line,
            concat!(
                "`npm prune` on the building machine leaves packages for its own processor (npm 10 takes no notice of \
                 `--cpu`); install what the image needs in a stage of its own, with `npm ci --omit=dev --os=linux \
                 --cpu=… --libc=…` (",
                document!("services.md#typescript-bundlers"),
                ")"
            ),
        );
        return;
    }
    if !is_on_target && !["--os", "--cpu", "--libc"].iter().all(|flag| call.has(flag)) {
        findings.problem(
            Rule::DockerfileNpmTarget,
            line,
            format!(
                "{without_tools} takes what fits the building machine, and not the image; write `ARG TARGETARCH` \
                 before it and `--os=linux --cpu=… --libc=…`, as in {}",
                document!("services.md")
            ),
        );
    }
    // An image must have the dependencies of all workspaces.
    if call.has("--workspace") || call.has("-w") {
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

/// npm accepts any name of a processor, and leaves out the packages for all others. It does not know all of docker's
/// names.
fn check_cpu(instruction: &Instruction, platforms: &[Platform], findings: &mut Findings) {
    let is_unknown = |platform: &&Platform| {
        let (name, npms) = (platform.to_string(), platform.node_architecture());
        npms.is_some_and(|npms| name.split('/').nth(1) != Some(npms))
    };
    let Some(platform) = platforms.iter().find(is_unknown) else { return };
    // The parsed commands do not help: their words have `$` in place of `${TARGETARCH}`.
    let script = format!("{}\n{}", instruction.text, instruction.body).replace(['"', '\''], "");
    let words: Vec<_> =
        script.split([' ', '\t', '\n', ';', '&', '|', '(', ')']).filter(|word| !word.is_empty()).collect();
    let is_dockers = |word: &str| matches!(word, "$TARGETARCH" | "${TARGETARCH}");
    let passes = |(at, word): (usize, &&str)| match word.strip_prefix("--cpu") {
        Some("") => words.get(at + 1).is_some_and(|next| is_dockers(next)),
        Some(rest) => rest.strip_prefix('=').is_some_and(is_dockers),
        None => false,
    };
    let sets = words.iter().any(|word| word.starts_with("TARGETARCH="));
    if words.iter().enumerate().any(passes) && !sets {
        let text = format!(
            "`--cpu=$TARGETARCH` has docker's name of a processor, which is not npm's for `{platform}`, so that npm leaves \
             out the packages for it; write `{NPM_CPU} && npm … --cpu=\"$cpu\"` ({})",
            document!("services.md#plain")
        );
        findings.problem(Rule::DockerfileNpmTarget, instruction.line, text);
    }
}

/// Whether an instruction has npm leave out optional packages.
pub(super) fn omits_optional(instruction: &Instruction) -> bool {
    let omits =
        |call: &Call<'_>| call.values("--omit").any(|kind| kind == "optional") || call.has("--no-optional");
    instruction.is("RUN")
        && commands(instruction).iter().filter_map(|command| Call::of(command)).any(|call| omits(&call))
}

/// The C library that the last `npm ci` names, else the one in the name of the base image.
pub(super) fn libc(instructions: &[Instruction], base: &BaseImage, findings: &mut Findings) -> Libc {
    let mut named = None;
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
            named = Some(libc);
        }
    }
    named.unwrap_or(if base.is_musl() { Libc::Musl } else { Libc::Glibc })
}
