//! Which steps have a network. Provenance names them, because no source policy covers what they fetch. A `RUN` that
//! installs nothing needs no network: its result must not depend on what a server answers that day.

use std::collections::BTreeSet;

use super::Findings;
use super::npm::Call;
use super::parse::{self, Instruction};
use super::shell::commands;
use crate::inputs::finding::Rule;

/// Commands that install, and check what they fetch against a lockfile or a signature.
const INSTALLS: [[&str; 2]; 3] = [["apt-get", "install"], ["apt", "install"], ["apk", "add"]];

/// Continuation lines are read up to this many bytes. A step with more flags than that counts as having a network.
const LOOKED_AT: usize = 2 << 10;

/// The words of a longer step are cut to this many characters: the rest is in the Dockerfile, whose digest is in the
/// provenance.
const MAX_LEN: usize = 1_000;

/// A `RUN` that has a network, or may have one.
///
/// Provenance of the build type `forgejo-release-v2` names these steps, and `verify` reads them again. So the result
/// for a released Dockerfile must never change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkedStep {
    /// The line in the Dockerfile on which it begins, from 1.
    pub line: usize,
    /// Its words from `RUN` or `ONBUILD` on, separated by single spaces. They include its continuation lines, but not
    /// heredocs. After 1,000 characters, `…` replaces the rest.
    pub words: String,
}

/// All steps that may have a network, in the order of the lines.
///
/// `BuildKit` strips white space from a line, joins the line with its continuation lines, and reads the first word as
/// the instruction. So each line that reads as `RUN` in this way counts as a step, even if it is text in a heredoc or
/// in a continuation line. Where heredocs are parsed differently, too much is named but nothing is left out.
pub(super) fn steps(text: &str) -> Vec<NetworkedStep> {
    let escape = parse::escape(text);
    let lines: Vec<_> = parse::without_mark(text).split('\n').collect();
    let step = |at: usize| {
        let continued = parse::continued(lines[at].trim_start(), escape);
        // A step begins with its first non-empty line.
        if continued.unwrap_or(lines[at]).trim().is_empty() {
            return None;
        }
        let logical = joined(&lines[at..], escape);
        let (arguments, words) = run(&logical)?;
        (!is_without_network(arguments, escape))
            .then(|| NetworkedStep { line: at + 1, words: shortened(words) })
    };
    (0..lines.len()).filter_map(step).collect()
}

/// The first of `lines`, joined with its continuation lines, up to [`LOOKED_AT`].
fn joined(lines: &[&str], escape: char) -> String {
    let mut logical = String::new();
    for (number, line) in lines.iter().enumerate() {
        let line = if number == 0 { line.trim_start() } else { line.trim_end_matches('\r') };
        if number > 0 && (line.trim().is_empty() || line.trim_start().starts_with('#')) {
            continue;
        }
        let continued = parse::continued(line, escape);
        logical.push_str(continued.unwrap_or(line));
        if continued.is_none() || logical.len() > LOOKED_AT || !may_be_run(&logical) {
            break;
        }
    }
    logical
}

/// Whether the beginning of a line can still become a `RUN`.
fn may_be_run(logical: &str) -> bool {
    let text = logical.trim_start().as_bytes();
    ["run", "onbuild"].iter().any(|keyword| {
        let compared = keyword.len().min(text.len());
        text[..compared].eq_ignore_ascii_case(&keyword.as_bytes()[..compared])
    })
}

/// The text after `RUN`, and the whole line; `None` for another instruction. The instruction after `ONBUILD` runs in
/// the stages that are based on this one.
fn run(logical: &str) -> Option<(&str, &str)> {
    let all = logical.trim();
    let mut rest = all;
    loop {
        let (keyword, arguments) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        if keyword.eq_ignore_ascii_case("run") {
            return Some((arguments, all));
        }
        if !keyword.eq_ignore_ascii_case("onbuild") {
            return None;
        }
        rest = arguments.trim_start();
    }
}

/// Whether `--network=none` is among the flags. All flags up to it must be written plainly: quotes and escapes can join
/// several words into one flag, and a bare `--` ends the flags.
fn is_without_network(arguments: &str, escape: char) -> bool {
    let is_plain = |word: &str| word.starts_with("--") && word != "--" && !word.contains(['"', '\'', escape]);
    // The last word may continue beyond what was read.
    let words = arguments.split_whitespace();
    let complete = words.clone().zip(words.skip(1)).map(|(word, _)| word);
    complete.take_while(|word| is_plain(word)).any(|flag| flag == "--network=none")
}

fn shortened(words: &str) -> String {
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(MAX_LEN) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}

pub(super) fn check(instruction: &Instruction, networked: &BTreeSet<usize>, findings: &mut Findings) {
    if instruction.is("RUN") && networked.contains(&instruction.line) && !installs(instruction) {
        findings.note(
            Rule::DockerfileRunNetwork,
            instruction.line,
            "has a network, and installs nothing; write `RUN --network=none …`, so that its result is the same every day",
        );
    }
}

fn installs(instruction: &Instruction) -> bool {
    commands(instruction).iter().any(|words| {
        let npm = Call::of(words).is_some_and(|call| matches!(call.command, "ci" | "rebuild"));
        npm || INSTALLS.iter().any(|[program, command]| subcommand(words, program) == Some(command))
    })
}

/// The subcommand of `program`, if the command line calls it.
fn subcommand<'a>(words: &'a [String], program: &str) -> Option<&'a str> {
    let mut after = words.iter().skip_while(|word| *word != program).skip(1);
    after.find(|word| !word.starts_with('-')).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::{NetworkedStep, steps};
    use crate::inputs::dockerfile::read;
    use crate::inputs::finding::Rule;

    fn lines(text: &str) -> Vec<usize> {
        steps(text).into_iter().map(|step| step.line).collect()
    }

    #[test]
    fn a_step_with_a_network_that_installs_nothing_gets_a_note() {
        let digest = "0".repeat(64);
        for (step, is_noted) in [
            ("RUN echo x", true),
            ("RUN --network=none echo x", false),
            ("RUN --network=default echo x", true),
            ("RUN --mount=type=cache,target=/x --network=none echo x", false),
            ("RUN echo --network=none", true),
            ("RUN npm ci --ignore-scripts", false),
            ("RUN npm --loglevel=error ci --ignore-scripts", false),
            ("RUN apt-get update && apt-get install --yes git", false),
            ("RUN npm run build", true),
            ("RUN <<E\nnpm ci --ignore-scripts\nE", false),
            ("COPY a b", false),
        ] {
            let text = format!(
                "FROM --platform=$BUILDPLATFORM node:22@sha256:{digest} AS a\n{step}\nFROM node:22@sha256:{digest}\n"
            );
            let recipe = read(&text, &[]).unwrap();
            let found = recipe.findings.iter().any(|finding| finding.rule == Rule::DockerfileRunNetwork);
            assert_eq!(found, is_noted, "{step}");
        }
    }

    #[test]
    fn each_step_with_a_network_is_named_by_its_line_and_words() {
        let text = "FROM a\nRUN --network=none make\n  run  --mount=type=cache,target=/x \\\n  # why\n\n    npm ci && \\\n  rm x\nCOPY a b\n\
                    ONBUILD RUN make\nRUN\tmake\r\n";
        let step = |line, words: &str| NetworkedStep { line, words: words.to_owned() };
        let expected = [
            step(3, "run --mount=type=cache,target=/x npm ci && rm x"),
            step(9, "ONBUILD RUN make"),
            step(10, "RUN make"),
        ];
        assert_eq!(steps(text), expected);
        let long = steps(&format!("RUN {}", "é ".repeat(800))).remove(0).words;
        assert_eq!(long.chars().count(), 1_001);
        assert!(long.starts_with("RUN é é") && long.ends_with('…'), "{long}");
    }

    /// By `BuildKit` 0.34 (`parser.Parse`, `extractBuilderFlags`), each of these has a network, or would have it if the
    /// file's escape character applied to flags. An end-to-end test compares our reading with what `BuildKit` runs.
    #[test]
    fn no_spelling_hides_a_step_with_a_network() {
        for text in [
            "RUN --network=host make",
            "RUN --network=NONE make",
            "RUN --network=$NONE make",
            "RUN -- --network=none make",
            "RUN --mount=type=cache,target=\"/a --network=none b\" make",
            "RUN --mount=type=cache,target='/a --network=none b' make",
            "RUN --mount=type=cache,target=/a\\ --network=none make",
            "RUN --mount=type=cache,target=/a\\\n--network=none make",
            "RUN --network=no\\\nthing make",
            "R\\\nUN make",
            "\\\nRUN make",
            "\u{feff}RUN make",
            "# escape=`\nRUN --mount=type=cache,target=/a` --network=none make",
        ] {
            assert_eq!(lines(text).len(), 1, "{text:?}");
        }
        for (text, expected) in [
            ("ONBUILD \\\n  RUN make", vec![1, 2]),
            // The following lines are not part of a heredoc, because a heredoc cannot begin within quotes.
            ("RUN --network=none echo \"a <<E b\"\nRUN make\nRUN --network=none cat <<E\nE", vec![2]),
            // An escaped escape character continues no line.
            ("RUN --network=none echo \\\\\nRUN make", vec![2]),
            // A directive counts only before anything else.
            ("# a comment\n# escape=`\nRUN --network=none echo `\nRUN make", vec![4]),
            ("# check=skip=all\n#Escape = `\nRUN --network=no`\nne make\nRUN --network=none make", vec![]),
        ] {
            assert_eq!(lines(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_step_that_cannot_be_read_to_the_end_of_its_flags_is_named() {
        let long = |flags: &str| format!("RUN {flags}--network=none make {}", "&& make x \\\n".repeat(300));
        assert!(lines(&long("")).is_empty(), "a long command is not named");
        assert_eq!(lines(&long(&"--mount=type=tmpfs,target=/x \\\n".repeat(80))), [1]);
        let cut = format!("RUN --mount=type=tmpfs,target=/{} --network=none\\\nx make", "x".repeat(2_048));
        assert_eq!(lines(&cut), [1]);
        let many = "RUN \\\n".repeat(1_000);
        assert_eq!(lines(&many).len(), 1_000);
        assert!(lines(&"\\\n".repeat(30_000)).is_empty());
    }
}
