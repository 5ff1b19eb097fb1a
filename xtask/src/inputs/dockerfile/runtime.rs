//! What a Dockerfile tells the person who runs its image. It is read to compare two releases, even from a Dockerfile
//! that breaks the rules.

use std::collections::{BTreeMap, BTreeSet};

use super::parse::{self, Instruction};
use super::stages;

/// The contents of the final stage and of the stages on which it is based: hostile input, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runtime {
    /// The image on which the final stage is based. `None` for `scratch`, and for a name with a variable that has no
    /// value.
    pub base: Option<String>,
    /// The user that the service runs as; `None` if the base image decides.
    pub user: Option<String>,
    /// The ports of `EXPOSE`, without `/tcp`.
    pub ports: BTreeSet<String>,
    /// The directories of `VOLUME`.
    pub volumes: BTreeSet<String>,
}

/// Reads it. The result is empty for a file that is too long.
#[must_use]
pub fn read(text: &str) -> Runtime {
    if text.len() > super::LARGEST {
        return Runtime::default();
    }
    let mut known = BTreeMap::new();
    let mut begun: Vec<(Option<String>, Runtime)> = Vec::new();
    for instruction in &parse::instructions(text) {
        if instruction.is("FROM") {
            let stage = begin(instruction, &begun, &known);
            begun.push(stage);
        } else if let Some((_, stage)) = begun.last_mut() {
            take(stage, instruction);
        } else if instruction.is("ARG") {
            stages::take_defaults(instruction, &mut known);
        }
    }
    begun.pop().map(|(_, stage)| stage).unwrap_or_default()
}

/// The name of the stage, and the values that it inherits.
fn begin(
    from: &Instruction,
    stages: &[(Option<String>, Runtime)],
    known: &BTreeMap<String, String>,
) -> (Option<String>, Runtime) {
    let image = from.arguments().next().and_then(|image| parse::expand(image, known).ok());
    let is_it = |stage: &&(Option<String>, Runtime)| {
        image.as_ref().is_some_and(|image| stage.0.as_ref() == Some(&image.to_ascii_lowercase()))
    };
    let stage = match stages.iter().rev().find(is_it) {
        Some((_, stage)) => stage.clone(),
        None => Runtime { base: image.filter(|image| image != "scratch"), ..Runtime::default() },
    };
    (from.stage_name(), stage)
}

fn take(stage: &mut Runtime, instruction: &Instruction) {
    match instruction.keyword().to_ascii_uppercase().as_str() {
        "USER" => stage.user = instruction.words().next().map(str::to_owned).or(stage.user.take()),
        "EXPOSE" => {
            let ports = instruction.words().map(|port| port.strip_suffix("/tcp").unwrap_or(port).to_owned());
            stage.ports.extend(ports);
        }
        "VOLUME" => stage.volumes.extend(instruction.list()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn the_final_stage_is_read_with_the_stages_that_it_goes_back_to() {
        let found = read(
            "ARG NODE=22\nFROM node:20 AS tools\nUSER nobody\nFROM node:${NODE}-slim AS base\nEXPOSE 80/tcp 53/udp\nUSER 1000\n\
             FROM Base\nVOLUME [\"/data\", \"/more\"]\nVOLUME /plain\nUSER 1000:1000\n",
        );
        assert_eq!((found.base.as_deref(), found.user.as_deref()), (Some("node:22-slim"), Some("1000:1000")));
        assert!(
            found.ports.iter().eq(["53/udp", "80"]) && found.volumes.iter().eq(["/data", "/more", "/plain"])
        );
        for (text, base) in [
            ("FROM node\nFROM scratch\n", None),
            ("FROM $X\n", None),
            ("ARG VERSION=22\nFROM node:$VERSION\n", None),
            ("", None),
            ("FROM a@b\n", Some("a@b")),
        ] {
            assert_eq!(read(text).base.as_deref(), base, "{text}");
        }
        assert_eq!(read("FROM node\nUSER\n").user, None);
    }
}
