//! What became of each line of a Dockerfile that was there before.

use super::base::tagged;
use super::command::{HOME, Origin};
use super::survey::Survey;
use crate::inputs::dockerfile::existing::{Existing, Located};
use crate::inputs::dockerfile::says_musl;
use crate::inputs::engines::node_of;
use crate::inputs::pin::document;
use crate::oci::reference::undigested;
use crate::process::secret::redact;
use crate::process::shown;

/// How many characters of a line are shown.
const SHOWN: usize = 60;

/// Why an instruction is not carried over, by its keyword.
const REASONS: [(&str, &str); 13] = [
    ("FROM", "the stages are `dependencies` and `service`"),
    ("WORKDIR", "each stage has a directory of its own, and the service runs in `/app`"),
    ("USER", "the service runs as `USER 1000:1000`"),
    (
        "LABEL",
        "a release writes the standard labels; add another one to the last stage if something reads it",
    ),
    ("MAINTAINER", "`LABEL` has replaced it"),
    (
        "ARG",
        "the last stage has no `ARG`, because BuildKit versions record it in different ways; write its value where it is \
         used",
    ),
    ("ENV", "it refers to an `ARG`, which the last stage does not have; add the line with its value there"),
    ("VOLUME", "it names no directory that is known here; write it into the last stage with its path"),
    ("EXPOSE", "it publishes nothing, and the smoke test asks only `smoke.port`"),
    ("SHELL", "no shell runs in the last stage"),
    ("ONBUILD", "no image is built on this one"),
    ("ENTRYPOINT", "it does not start the image"),
    ("CMD", "it does not start the image"),
];

/// For each line of the `old` Dockerfile: what became of it.
pub(super) fn lines(old: &Existing, survey: &Survey) -> Vec<String> {
    let mut all = Vec::new();
    let mut report = |line: usize, what: &str, became: &str| {
        all.push((line, format!("line {line}, `{}`, {became}", short(what))));
    };
    if let Some(base) = &old.base {
        report(base.line, &format!("FROM {}", base.value), &base_became(&base.value, &survey.base));
    }
    if let Some(port) = &old.port {
        let became = format!("is `smoke.port` in `Cargo.toml`, {}", survey.port);
        report(port.line, &format!("EXPOSE {}", port.value), &became);
    }
    if let Some(Located { line, value }) = &old.workdir {
        let became = if value == HOME { "is kept".to_owned() } else { format!("became `{HOME}`") };
        report(*line, &format!("WORKDIR {value}"), &became);
    }
    for env in &old.variables {
        let now = survey.old_paths.relocated(&env.value);
        let became =
            if now == env.value { "is in the last stage" } else { &format!("became `ENV {}`", short(&now)) };
        report(env.line, &format!("ENV {}", env.value), became);
    }
    let volumes = survey.volumes();
    for volume in &old.volumes {
        let now = survey.old_paths.relocated(&volume.value);
        let became = if !volumes.contains(&now) {
            "is not carried over: it is the directory of the service itself; write `VOLUME` with the one that it writes to"
        } else if now == volume.value {
            "is in the last stage, and the service's user owns it"
        } else {
            &format!(
                "became `VOLUME {}`, and the service's user owns it",
                short(&super::dockerfile::volume(&now))
            )
        };
        report(volume.line, &format!("VOLUME {}", volume.value), became);
    }
    for command in &old.command_lines {
        report(command.line, &command.value, &command_became(survey));
    }
    for other in &old.others {
        report(other.line, &other.value, &other_became(&other.value, old, survey));
    }
    all.sort_by_key(|(line, _)| *line);
    all.into_iter().map(|(_, text)| text).collect()
}

fn base_became(old: &str, new: &str) -> String {
    if old == new {
        return "is kept".to_owned();
    }
    if tagged(old) == new {
        return "is kept, with the tag by which updates are found".to_owned();
    }
    let name = tagged(undigested(old).0);
    let library = if says_musl(old) == says_musl(new) { "" } else { ", which has another C library" };
    let node = match (node_of(old), node_of(new)) {
        (Some(old), Some(new)) if old != new => format!(", with node {new} in place of {old}"),
        _ => String::new(),
    };
    format!(
        "became `{new}`{library}{node}; to keep it, give its digest: `--base {name}@sha256:…`, which `docker buildx imagetools \
         inspect {name} --format '{{{{.Manifest.Digest}}}}'` prints"
    )
}

fn command_became(survey: &Survey) -> String {
    let entrypoint = survey.command.entrypoint();
    match &survey.command.origin {
        Origin::Dockerfile => format!("is `{entrypoint}`"),
        origin => format!(
            "is not carried over: it does not start `node` itself, which has to get the signals; `{entrypoint}` is from {}",
            origin.said()
        ),
    }
}

fn other_became(instruction: &str, old: &Existing, survey: &Survey) -> String {
    let keyword = instruction.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
    let why = match keyword.as_str() {
        "STOPSIGNAL" if instruction.ends_with("SIGTERM") => return "is in the last stage".to_owned(),
        "STOPSIGNAL" => "the last stage has `STOPSIGNAL SIGTERM`; change that if the service waits for another".to_owned(),
        "RUN" => run_reason(instruction, survey),
        "COPY" | "ADD" if instruction.contains("--from=") => {
            "the last stage takes `/out` of the stages `dependencies` and `service`; copy anything else to `/out` in the \
             stage `service`"
                .to_owned()
        }
        "COPY" | "ADD" => "the stage `service` copies what git tracks; compare its `COPY` lines".to_owned(),
        "HEALTHCHECK" => {
            let asked = old.health.as_ref().map(|_| ", and its path is `smoke.health`").unwrap_or_default();
            format!(
                "BuildKit versions record it in different ways; `compose.example.yml` has a `healthcheck`{asked}"
            )
        }
        keyword => REASONS
            .iter()
            .find_map(|(known, why)| (*known == keyword).then_some(*why))
            .unwrap_or("`init` does not know it")
            .to_owned(),
    };
    format!("is not carried over: {why}")
}

/// Why a `RUN` is not carried over. It may do several things at once.
fn run_reason(instruction: &str, survey: &Survey) -> String {
    let words: Vec<_> = instruction.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).collect();
    let has = |names: &[&str]| words.iter().any(|word| names.contains(word));
    let by_npm = has(&["npm", "yarn", "pnpm"]);
    let mut reasons = Vec::new();
    if has(&["apt-get", "apk", "apt"]) {
        let needs = concat!("it needs a base image of your own: ", document!("services.md#system-packages"));
        reasons.push(needs.to_owned());
    }
    if by_npm && has(&["install", "ci", "i", "prune"]) {
        reasons.push("the stage `dependencies` installs the production packages of the lockfile".to_owned());
    }
    if by_npm && has(&["build"]) && survey.builds {
        reasons.push("the stage `service` runs `npm run build`".to_owned());
    }
    if reasons.is_empty() {
        reasons.push(
            "nothing runs in the last stage; if the service needs its result, run it in the stage `service`"
                .to_owned(),
        );
    }
    reasons.join("; ")
}

/// The beginning of a foreign line, for a report.
pub(super) fn short(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let start: String = words.chars().take(SHOWN).collect();
    let more = if start.len() < words.len() { "…" } else { "" };
    shown::one_line(&redact(&format!("{start}{more}")))
}

#[cfg(test)]
mod tests {
    use super::lines;
    use crate::commands::init::command::Command;
    use crate::commands::init::old_paths::OldPaths;
    use crate::commands::init::survey::Survey;
    use crate::commands::init::survey::tests::example;
    use crate::inputs::dockerfile::existing;

    const OLD: &str = "FROM node:22-alpine AS build\nWORKDIR /build\nRUN npm ci\nFROM node:22-alpine\nARG REV\nENV REV=$REV\n\
        ENV TZ=UTC\nLABEL a=b\nWORKDIR /usr/src/app\nRUN apk add --no-cache curl\nRUN npm run build && npm prune\nCOPY . .\n\
        COPY --from=build /x /x\nVOLUME /data\nUSER node\nEXPOSE 3000 9090\n\
        HEALTHCHECK CMD curl http://localhost:3000/up\nSTOPSIGNAL SIGTERM\nRUN ./patch.sh\nSHELL [\"sh\"]\nONBUILD RUN x\nWHAT x\n\
        CMD [\"node\", \"src/server.js\"]\n";

    fn survey() -> Survey {
        let old = existing::read(OLD);
        let package = serde_json::from_str("{}").unwrap();
        Survey {
            command: Command::of(&package, Some(&old), &OldPaths::of(&old, "")).unwrap(),
            old_paths: OldPaths::of(&old, ""),
            builds: true,
            dockerfile: Some(old),
            ..example("node:22-slim@sha256:0".to_owned())
        }
    }

    #[test]
    fn what_became_of_each_line_is_reported() {
        let survey = survey();
        let said = lines(survey.dockerfile.as_ref().unwrap(), &survey);
        // Each instruction is one line here, and one of them exposes two ports.
        assert_eq!(said.len(), OLD.lines().count() + 1, "{said:#?}");
        let text = said.join("\n");
        for words in [
            "line 3, `RUN npm ci`, is not carried over: the stage `dependencies` installs",
            "line 4, `FROM node:22-alpine`, became `node:22-slim@sha256:0`, which has another C library; to keep it, give its digest: \
             `--base node:22-alpine@sha256:…`, which `docker buildx imagetools inspect node:22-alpine --format \
             '{{.Manifest.Digest}}'` prints",
            "line 6, `ENV REV=$REV`, is not carried over: it refers to an `ARG`",
            "line 9, `WORKDIR /usr/src/app`, became `/app`",
            "line 10, `RUN apk add --no-cache curl`, is not carried over: it needs a base image of your own: https://",
            "line 11, `RUN npm run build && npm prune`, is not carried over: the stage `dependencies` installs the production \
             packages of the lockfile; the stage `service` runs `npm run build`",
            "line 16, `EXPOSE 9090`, is not carried over",
            "is not carried over: BuildKit versions record it in different ways; `compose.example.yml` has a `healthcheck`, \
             and its path is `smoke.health`",
            "line 18, `STOPSIGNAL SIGTERM`, is in the last stage",
            "line 22, `WHAT x`, is not carried over: `init` does not know it",
            "line 23, `CMD [\"node\", \"src/server.js\"]`, is `ENTRYPOINT [\"node\", \"/app/src/server.js\"]`",
        ] {
            assert!(text.contains(words), "expected `{words}` in:\n{text}");
        }
    }

    #[test]
    fn a_command_that_is_not_carried_over_is_reported_with_the_new_one_and_its_source() {
        let package = serde_json::from_str(r#"{"scripts": {"start": "node dist/x.js"}}"#).unwrap();
        let old = existing::read("FROM node\nENTRYPOINT [\"tini\", \"--\"]\nCMD [\"npm\", \"start\"]\n");
        let command = Command::of(&package, Some(&old), &OldPaths::of(&old, "")).unwrap();
        let survey = Survey { command, dockerfile: Some(old), ..survey() };
        let said = lines(survey.dockerfile.as_ref().unwrap(), &survey);
        for line in &said[1..] {
            let words = "`ENTRYPOINT [\"node\", \"/app/dist/x.js\"]` is from `scripts.start` of package.json";
            assert!(line.contains("is not carried over") && line.ends_with(words), "{line}");
        }
    }

    #[test]
    fn a_replaced_base_is_reported_with_its_node_version_and_a_tag_to_keep_it_by() {
        let became = super::base_became("node:24-alpine", "node:22-slim@sha256:0");
        assert!(became.contains("another C library, with node 22 in place of 24; to keep it"), "{became}");
        let became = super::base_became("gcr.io/distroless/nodejs22", "node:22-slim@sha256:0");
        assert!(became.contains("`--base gcr.io/distroless/nodejs22:latest@sha256:…`"), "{became}");
    }
}
