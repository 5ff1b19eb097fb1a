//! What is read from a Dockerfile that was written for another builder.

use super::{Existing, read};

fn others(found: &Existing) -> Vec<(usize, &str)> {
    found.others.iter().map(|other| (other.line, other.value.as_str())).collect()
}

#[test]
fn the_last_stage_says_how_the_service_is_run() {
    let found = read(
        "FROM node:22 AS build\nRUN npm ci\n\nFROM node:22-slim\nWORKDIR /app\nRUN apt-get update && \\\n  apt-get install -y ffmpeg\n\
         ENV TZ=UTC LOG=info\nCOPY . .\nVOLUME [\"/data\"]\nEXPOSE 8080/tcp\nENTRYPOINT [\"node\"]\nCMD [\"index.js\", \"--port=8080\"]\n",
    );
    assert_eq!(found.base.as_ref().unwrap().value, "node:22-slim");
    assert_eq!((found.port.as_ref().unwrap().line, found.port.as_ref().unwrap().value), (11, 8080));
    assert_eq!(found.variables[0].value, "TZ=UTC LOG=info");
    assert_eq!(found.volumes[0].value, "/data");
    assert_eq!(found.command.as_ref().unwrap().value, ["node", "index.js", "--port=8080"]);
    assert_eq!(found.workdir.as_ref().unwrap().value, "/app");
    assert!(!found.is_ours);
}

#[test]
fn a_plain_shell_cmd_is_split_into_words_but_a_shell_entrypoint_is_not() {
    assert_eq!(read("FROM node\nCMD node server.js\n").command.unwrap().value, ["node", "server.js"]);
    let shell = read("FROM node\nENTRYPOINT node server.js\nCMD [\"x\"]\n");
    assert_eq!((shell.command, shell.command_lines.len()), (None, 2));
    let reversed = read("FROM node\nCMD [\"server.js\"]\nENTRYPOINT [\"node\"]\n");
    assert_eq!(reversed.command.unwrap().value, ["node", "server.js"]);
    assert_eq!(read("").base, None);
    assert!(read(include_str!("../../../../../Dockerfile")).is_ours);
}

#[test]
fn an_entrypoint_drops_the_cmd_of_an_earlier_stage_and_gets_no_cmd_for_a_shell() {
    for (lines, expected) in [
        ("CMD [\"a\"]\nFROM base\nENTRYPOINT [\"node\"]", Some(&["node"][..])),
        ("CMD [\"a\"]\nFROM base\nCMD [\"b\"]\nENTRYPOINT [\"node\"]", Some(&["node", "b"])),
        ("CMD [\"a\"]\nFROM base\nENTRYPOINT [\"node\"]\nCMD [\"b\"]", Some(&["node", "b"])),
        ("ENTRYPOINT [\"node\"]\nFROM base\nCMD [\"b\"]", Some(&["node", "b"])),
        ("CMD a\nFROM base\nENTRYPOINT [\"node\"]", Some(&["node"])),
        ("ENTRYPOINT [\"node\"]\nCMD server.js", None),
    ] {
        let found = read(&format!("FROM node AS base\n{lines}\n"));
        assert_eq!(
            found.command.map(|command| command.value).as_deref(),
            expected.map(|words| words.iter().map(ToString::to_string).collect::<Vec<_>>()).as_deref(),
            "{lines}"
        );
        let kept = found.command_lines.len()
            + found.others.iter().filter(|other| !other.value.starts_with("FROM")).count();
        assert_eq!(kept, lines.matches("CMD").count() + lines.matches("ENTRYPOINT").count(), "{lines}");
    }
}

#[test]
fn no_instruction_is_lost() {
    let found = read(
        "ARG NODE=22\nFROM node:${NODE} AS base\nWORKDIR /usr\nFROM base AS build\nRUN npm run build\nFROM base\n\
         WORKDIR src/app\nARG REV\nENV REV=$REV\nENV TZ=UTC\nLABEL a=b\nUSER node\nEXPOSE 80 9090\nEXPOSE $X\n\
         HEALTHCHECK CMD curl -f http://localhost:80/health || exit 1\nCMD [\"a\"]\nCMD [\"node\", \"b.js\"]\n",
    );
    assert_eq!(found.base.as_ref().unwrap().value, "node:22");
    assert_eq!(found.workdir.as_ref().unwrap().value, "/usr/src/app");
    assert_eq!(found.health.as_ref().unwrap().value, "/health");
    assert_eq!(found.variables.len(), 1);
    assert_eq!(found.command_lines[0].line, 17);
    assert_eq!(
        others(&found),
        [
            (1, "ARG NODE=22"),
            (4, "FROM base AS build"),
            (5, "RUN npm run build"),
            (6, "FROM base"),
            (3, "WORKDIR /usr"),
            (8, "ARG REV"),
            (9, "ENV REV=$REV"),
            (11, "LABEL a=b"),
            (12, "USER node"),
            (13, "EXPOSE 9090"),
            (14, "EXPOSE $X"),
            (15, "HEALTHCHECK CMD curl -f http://localhost:80/health || exit 1"),
            (16, "CMD [\"a\"]"),
        ]
    );
}

#[test]
fn volumes_are_absolute_paths_or_are_left_to_a_person() {
    for (lines, expected) in [
        ("ENV APP_HOME=/srv\nENV DATA_DIR=${APP_HOME}/data\nVOLUME ${DATA_DIR}", &["/srv/data"][..]),
        ("WORKDIR /srv\nVOLUME uploads\nWORKDIR /x", &["/srv/uploads"]),
        ("VOLUME [\"/my data\", \"/b\"]", &["/my data", "/b"]),
        ("VOLUME /a /b", &["/a", "/b"]),
        ("ARG DATA=/srv/data\nVOLUME $DATA", &["/srv/data"]),
        ("ENV DATA /srv/data\nVOLUME $DATA", &["/srv/data"]),
        ("ENV DATA=/srv/data DATA=\"/my data\"\nVOLUME $DATA", &["/my data"]),
        ("ENV DATA /my data\nVOLUME $DATA", &["/my data"]),
        ("ENV DATA=/a\nENV DATA=/b MORE=$DATA/c\nVOLUME $MORE", &["/a/c"]),
        ("ARG DATA\nVOLUME $DATA", &[]),
        ("VOLUME $(pwd) /it's", &[]),
    ] {
        let found = read(&format!("FROM node\n{lines}\n"));
        let volumes: Vec<_> = found.volumes.iter().map(|volume| volume.value.as_str()).collect();
        assert_eq!(volumes, expected, "{lines}");
        let is_other = others(&found).iter().any(|(_, text)| text.starts_with("VOLUME"));
        assert_eq!(is_other, expected.is_empty(), "{lines}");
    }
}
