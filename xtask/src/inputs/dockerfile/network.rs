//! A `RUN` that installs nothing needs no network: what it makes must not depend on what a server answers that day. No source
//! policy covers it, so it is the Dockerfile that says so.

use super::Findings;
use super::install::{call_of, commands};
use super::parse::Instruction;
use crate::inputs::finding::Rule;

/// Words of commands that install, and hold what they fetch against a lockfile or a signature.
const INSTALLS: [[&str; 2]; 5] =
    [["npm", "ci"], ["npm", "rebuild"], ["apt-get", "install"], ["apt", "install"], ["apk", "add"]];

pub(super) fn check(instruction: &Instruction, findings: &mut Findings) {
    if instruction.is("RUN") && instruction.flag("network") != Some("none") && !installs(instruction) {
        findings.note(
            Rule::DockerfileRunNetwork,
            instruction.line,
            "has a network, and installs nothing; write `RUN --network=none …`, so that it makes the same on every day",
        );
    }
}

fn installs(instruction: &Instruction) -> bool {
    commands(instruction).iter().any(|words| {
        INSTALLS
            .iter()
            .any(|[program, command]| call_of(words, program).is_some_and(|(asked, _)| asked == *command))
    })
}

#[cfg(test)]
mod tests {
    use crate::inputs::dockerfile::read;
    use crate::inputs::finding::Rule;

    #[test]
    fn a_step_that_installs_nothing_is_noted_unless_it_has_no_network() {
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
}
