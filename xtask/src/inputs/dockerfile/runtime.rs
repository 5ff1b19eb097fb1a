//! What a Dockerfile tells the person who runs its image. It is read to compare two releases, even from a Dockerfile
//! that breaks the rules.

use std::collections::{BTreeMap, BTreeSet};

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
    /// The variables of `ENV`. A value is `None` if it is not known here, or longer than 200 bytes.
    pub variables: BTreeMap<String, Option<String>>,
    /// `ENTRYPOINT`, `CMD`, `HEALTHCHECK` and `WORKDIR`, if the Dockerfile sets them, with white space as single spaces.
    pub settings: BTreeMap<&'static str, String>,
}

/// The instructions of [`Runtime::settings`] of which the last one counts.
const SETTINGS: [&str; 3] = ["ENTRYPOINT", "CMD", "HEALTHCHECK"];

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
        // An entry point resets the command of an earlier stage.
        if begun[number].iter().any(|instruction| instruction.is("ENTRYPOINT")) {
            runtime.settings.remove("CMD");
        }
        for instruction in begun[number] {
            take(&mut runtime, &mut variables, instruction, &known);
            if instruction.is("ENV") {
                let names = words::assigned(instruction).into_iter().map(|(name, _)| name);
                words::take(&mut recorded, names.map(|name| (name, variables.get(name).cloned().flatten())));
            }
        }
    }
    runtime.variables = recorded;
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
        "WORKDIR" => {
            let path = expanded(instruction.rest(), variables);
            let before = runtime.settings.get("WORKDIR").map_or("", |path| path.trim_end_matches('/'));
            let path = if path.starts_with(['/', '$']) { path } else { format!("{before}/{path}") };
            runtime.settings.insert("WORKDIR", path.chars().take(MAX_LEN).collect());
        }
        keyword => {
            if let Some(name) = SETTINGS.into_iter().find(|name| *name == keyword) {
                runtime.settings.insert(name, instruction.words().collect::<Vec<_>>().join(" "));
            }
        }
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
    fn the_last_setting_of_the_chain_counts() {
        for (text, expected) in [
            ("FROM x\nCMD a\nCMD  [\"b\",  \"c\"]", "CMD [\"b\", \"c\"]"),
            ("FROM x\ncmd a\nEntrypoint  [\"b\", \\\n  \"c\"]", "CMD a; ENTRYPOINT [\"b\", \"c\"]"),
            ("FROM x AS a\nCMD a\nFROM a\nENTRYPOINT b", "ENTRYPOINT b"),
            ("FROM x AS a\nCMD a\nENTRYPOINT b\nFROM a\nCMD c", "CMD c; ENTRYPOINT b"),
            ("FROM x AS a\nCMD a\nFROM y\nHEALTHCHECK NONE", "HEALTHCHECK NONE"),
            ("FROM x\nENV D=/d\nWORKDIR /a\nWORKDIR b\nWORKDIR c/", "WORKDIR /a/b/c/"),
            ("FROM x\nENV D=/d\nWORKDIR /a\nWORKDIR $D", "WORKDIR /d"),
        ] {
            let found = read(text).settings;
            let found: Vec<_> = found.iter().map(|(name, value)| format!("{name} {value}")).collect();
            assert_eq!(found.join("; "), expected, "{text}");
        }
    }

    #[test]
    fn variables_of_the_image_are_those_of_env() {
        let found = read("FROM x AS a\nENV A=1 B=2\nARG B=3 C=4\nFROM a\nARG D=5\nENV E=$A$D F=$VERSION\n");
        let expected = [("A", Some("1")), ("B", Some("2")), ("E", Some("15")), ("F", None)];
        let found: Vec<_> = found.variables.iter().map(|(name, value)| (&**name, value.as_deref())).collect();
        assert_eq!(found, expected);
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
