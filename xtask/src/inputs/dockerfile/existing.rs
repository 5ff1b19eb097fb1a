//! What a Dockerfile that was written for another builder says about its service. It is a starting point, and none of
//! it is trusted.

use super::parse::{Instruction, instructions};

/// A value with its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At<T> {
    /// The line, from 1.
    pub line: usize,
    /// The value.
    pub value: T,
}

/// The contents of its last stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Existing {
    /// The image with which it begins, as written.
    pub base: Option<At<String>>,
    /// The first port of `EXPOSE`.
    pub port: Option<At<u16>>,
    /// Each `ENV`, as written after the keyword.
    pub variables: Vec<At<String>>,
    /// The directories of `VOLUME`.
    pub volumes: Vec<At<String>>,
    /// The program and its arguments; `None` if they are written as a shell command.
    pub command: Option<At<Vec<String>>>,
    /// Lines that install packages of the operating system.
    pub packages: Vec<At<String>>,
    /// Whether it was written for this tool: its stages have the names that are used in the tool's own Dockerfiles.
    pub is_ours: bool,
}

/// Reads it. The result is empty for a file that is too long.
#[must_use]
pub fn read(text: &str) -> Existing {
    if text.len() > super::LARGEST {
        return Existing::default();
    }
    let all = instructions(text);
    let last = all.iter().rposition(|instruction| instruction.is("FROM")).unwrap_or(0);
    let mut found = Existing {
        is_ours: all.iter().any(|instruction| {
            instruction.is("COPY") && instruction.text.contains("--from=dependencies /out/")
        }),
        ..Existing::default()
    };
    let mut arguments = Vec::new();
    for instruction in &all[last..] {
        take(&mut found, &mut arguments, instruction);
    }
    // `CMD` holds the arguments of `ENTRYPOINT`.
    if let Some(command) = found.command.as_mut() {
        command.value.append(&mut arguments);
    }
    found
}

fn take(found: &mut Existing, arguments: &mut Vec<String>, instruction: &Instruction) {
    let line = instruction.line;
    let rest = || instruction.rest();
    match instruction.keyword().to_ascii_uppercase().as_str() {
        "FROM" => {
            found.base = instruction.arguments().next().map(|image| At { line, value: image.to_owned() });
        }
        "EXPOSE" => {
            let port = instruction.words().next().and_then(|word| word.split('/').next()?.parse().ok());
            found.port = found.port.take().or(port.map(|value| At { line, value }));
        }
        "ENV" => found.variables.push(At { line, value: rest().to_owned() }),
        "VOLUME" => {
            found.volumes.extend(instruction.list().into_iter().map(|value| At { line, value }));
        }
        "ENTRYPOINT" => {
            let words = serde_json::from_str::<Vec<String>>(rest()).ok();
            found.command = words.map(|value| At { line, value });
        }
        "CMD" => {
            let words = serde_json::from_str::<Vec<String>>(rest())
                .unwrap_or_else(|_shell| rest().split_whitespace().map(str::to_owned).collect());
            match found.command {
                Some(_) => *arguments = words,
                None => found.command = Some(At { line, value: words }),
            }
        }
        "RUN"
            if ["apt-get", "apk", "apt"].iter().any(|tool| instruction.words().any(|word| word == *tool)) =>
        {
            found.packages.push(At { line, value: rest().to_owned() });
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn the_last_stage_says_how_the_service_is_run() {
        let found = read(
            "FROM node:22 AS build\nRUN npm ci\n\nFROM node:22-slim\nWORKDIR /app\nRUN apt-get update && \\\n  apt-get install -y ffmpeg\n\
             ENV TZ=UTC LOG=info\nCOPY . .\nVOLUME [\"/data\"]\nEXPOSE 8080/tcp\nENTRYPOINT [\"node\"]\nCMD [\"index.js\", \"--port=8080\"]\n",
        );
        assert_eq!(found.base.unwrap().value, "node:22-slim");
        assert_eq!((found.port.as_ref().unwrap().line, found.port.unwrap().value), (11, 8080));
        assert_eq!(found.variables[0].value, "TZ=UTC LOG=info");
        assert_eq!(found.volumes[0].value, "/data");
        assert_eq!(found.command.unwrap().value, ["node", "index.js", "--port=8080"]);
        assert_eq!(found.packages.len(), 1);
        assert!(!found.is_ours);
    }

    #[test]
    fn what_is_written_for_a_shell_is_read_as_words() {
        assert_eq!(read("FROM node\nCMD node server.js\n").command.unwrap().value, ["node", "server.js"]);
        assert_eq!(read("FROM node\nENTRYPOINT node server.js\n").command, None);
        assert_eq!(read("").base, None);
        assert!(read(include_str!("../../../../Dockerfile")).is_ours);
    }
}
