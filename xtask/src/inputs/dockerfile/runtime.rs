//! What a Dockerfile tells the person who runs its image. It is read to compare two releases, even from a Dockerfile
//! that breaks the rules.

use std::collections::BTreeSet;

use super::parse::{self, Instruction};
use super::words::{self, Values};
use super::{arguments, chain};

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

/// The longest word in which variables are replaced, and the longest value of one, in bytes: a user, a port or a path
/// is shorter.
const MAX_LEN: usize = 200;

/// Reads a Dockerfile. The result is empty for a file that is too long.
#[must_use]
pub fn read(text: &str) -> Runtime {
    if text.len() > super::MAX_SIZE {
        return Runtime::default();
    }
    let all = parse::instructions(text);
    let (before, begun) = chain::stages(&all);
    let mut known = arguments::automatic();
    for argument in before.iter().filter(|instruction| instruction.is("ARG")) {
        arguments::take_defaults(argument, &mut known);
    }
    let chain = chain::of_last(&begun, &known);
    let mut runtime = Runtime {
        base: chain.first().and_then(|first| base(&begun[*first][0], &known)),
        ..Runtime::default()
    };
    let (mut variables, mut recorded) = (Values::new(), Values::new());
    for number in chain {
        // The image has the `ENV` of an earlier stage, even if a later `ARG` there has overridden it.
        variables.append(&mut recorded.clone());
        for instruction in begun[number] {
            take(&mut runtime, &mut variables, instruction, &known);
            if instruction.is("ENV") {
                let names = words::assigned(instruction).into_iter().map(|(name, _)| name);
                words::take(&mut recorded, names.map(|name| (name, variables.get(name).cloned().flatten())));
            }
        }
    }
    runtime
}

/// The image on which the first stage of a chain is based.
fn base(from: &Instruction, known: &Values) -> Option<String> {
    let image = from.arguments().next().and_then(|image| words::expand(image, &[known]).ok());
    image.filter(|image| image != "scratch")
}

/// Reads an instruction. `variables` are the values of `ARG` and `ENV` so far. `known` are the defaults of each `ARG`
/// before the first `FROM`, which apply in a stage that names it.
fn take(runtime: &mut Runtime, variables: &mut Values, instruction: &Instruction, known: &Values) {
    match instruction.keyword().to_ascii_uppercase().as_str() {
        "ARG" | "ENV" => {
            let set = arguments::of_stage(instruction, known, |value| fully_expanded(value, variables));
            take_all(variables, set);
        }
        "USER" => {
            runtime.user =
                instruction.words().next().map(|user| expanded(user, variables)).or(runtime.user.take());
        }
        "EXPOSE" => {
            let ports = instruction.words().map(|port| expanded(port, variables));
            runtime.ports.extend(ports.map(|port| port.strip_suffix("/tcp").unwrap_or(&port).to_owned()));
        }
        "VOLUME" => {
            runtime.volumes.extend(instruction.list().iter().map(|path| expanded(path, variables)));
        }
        _ => {}
    }
}

/// Sets the variables of a line, all of whose values have been expanded.
fn take_all(variables: &mut Values, set: Vec<(&str, Option<String>)>) {
    let is_short = |value: &String| value.len() <= MAX_LEN;
    words::take(variables, set.into_iter().map(|(name, value)| (name, value.filter(is_short))));
}

/// A word with the values of its variables. It stays as written if one of them has no known value.
fn expanded(word: &str, variables: &Values) -> String {
    fully_expanded(word, variables).unwrap_or_else(|| word.to_owned())
}

fn fully_expanded(word: &str, variables: &Values) -> Option<String> {
    if word.len() > MAX_LEN {
        return None;
    }
    words::expand(word, &[variables]).ok()
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn the_final_stage_is_read_with_the_stages_on_which_it_is_based() {
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

    #[test]
    fn variables_have_the_values_that_the_stage_gives_them() {
        for (text, user, port, volume) in [
            (
                "FROM x\nENV PORT=3000\nARG UID=1000\nEXPOSE $PORT\nUSER $UID\nVOLUME /v$UID\n",
                "1000",
                "3000",
                "/v1000",
            ),
            (
                "ARG UID=7\nFROM x\nARG UID\nENV PORT 80\nEXPOSE ${PORT}/tcp\nUSER $UID:$UID\nVOLUME [\"/$UID\"]\n",
                "7:7",
                "80",
                "/7",
            ),
            (
                "FROM x AS a\nENV PORT=1 UID=2\nFROM a\nENV PORT=$PORT$UID\nEXPOSE $PORT\nUSER $UID\nVOLUME /d\n",
                "2",
                "12",
                "/d",
            ),
            (
                "FROM x\nENV U a b\nENV U=\"c d\" V=\"$U\"\nUSER \"1\"0\nEXPOSE '8'0\nVOLUME $V\n",
                "10",
                "80",
                "a b",
            ),
            ("FROM x\nENV UID=1\nENV UID=2 PORT=$UID\nUSER $UID\nEXPOSE $PORT\nVOLUME /d", "2", "1", "/d"),
            (
                "FROM x\nENV UID=1\nARG UID=2\nUSER $UID\nEXPOSE 1\nENV D /a b\nVOLUME [\"$D\"]",
                "2",
                "1",
                "/a b",
            ),
            (
                "FROM x AS a\nENV UID=1\nARG UID=2\nEXPOSE $UID\nFROM a\nUSER $UID\nVOLUME /d\n",
                "1",
                "2",
                "/d",
            ),
            ("FROM x\nENV D=\"/a UID=2\" UID=3\nUSER $UID\nEXPOSE 1\nVOLUME [\"$D\"]", "3", "1", "/a UID=2"),
            ("FROM x\nUSER $UID\nEXPOSE ${PORT:-80}\nVOLUME $D\n", "$UID", "80", "$D"),
            (
                "FROM x\nENV E=\nARG VERSION\nUSER ${VERSION:-1}\nEXPOSE ${E:-80}\nVOLUME ${A-x:-/d}\n",
                "${VERSION:-1}",
                "80",
                "x:-/d",
            ),
            ("FROM x\nARG VERSION=1\nUSER $VERSION\nEXPOSE 1\nVOLUME /d", "$VERSION", "1", "/d"),
        ] {
            let found = read(text);
            assert_eq!(found.user.as_deref(), Some(user), "{text}");
            assert!(found.ports.iter().eq([port]) && found.volumes.iter().eq([volume]), "{text}: {found:?}");
        }
        let grows: String =
            (0..64).map(|number| format!("ENV A{}=$A{number}$A{number}\n", number + 1)).collect();
        assert_eq!(read(&format!("FROM x\nENV A0=ab\n{grows}USER $A60\n")).user.as_deref(), Some("$A60"));
    }
}
