//! The commands of repositories, and the command of the image.

use super::{Command, Origin};
use crate::commands::init::old_paths::OldPaths;
use crate::commands::init::package::Package;
use crate::commands::init::started::Started;
use crate::inputs::dockerfile::existing::{self, shell};

pub(in crate::commands::init) fn of_main(text: &str) -> Command {
    let words = shell::words(text).unwrap();
    let started = Started { words, origin: Origin::Main, variables: Vec::new() };
    Command::placed(started, &Package::default(), &OldPaths::default()).unwrap()
}

fn found(json: &str, dockerfile: &str) -> Result<(String, Origin), String> {
    let package: Package = serde_json::from_str(json).unwrap();
    let old = existing::read(dockerfile);
    let command = Command::of(&package, Some(&old), &OldPaths::of(&old, ""))?;
    Ok((command.entrypoint(), command.origin))
}

#[test]
fn the_command_is_the_first_that_starts_node() {
    let start = r#"{"scripts": {"start": "node --enable-source-maps ./dist/x.js"}, "main": "y.js"}"#;
    for (json, dockerfile, entrypoint, origin) in [
        (
            start,
            "",
            r#"["node", "--enable-source-maps", "/app/dist/x.js"]"#,
            Origin::Script("start".to_owned()),
        ),
        (
            start,
            "FROM node\nCMD npm start\n",
            r#"["node", "--enable-source-maps", "/app/dist/x.js"]"#,
            Origin::Script("start".to_owned()),
        ),
        (start, "FROM node\nCMD [\"node\", \"z.js\"]\n", r#"["node", "/app/z.js"]"#, Origin::Dockerfile),
        (r#"{"main": "index.js"}"#, "", r#"["node", "/app/index.js"]"#, Origin::Main),
        (
            r#"{"scripts": {"start": "node -r dotenv/config --no-warnings src/x.js"}}"#,
            "",
            r#"["node", "-r", "dotenv/config", "--no-warnings", "/app/src/x.js"]"#,
            Origin::Script("start".to_owned()),
        ),
    ] {
        let expected = (format!("ENTRYPOINT {entrypoint}"), origin);
        assert_eq!(found(json, dockerfile), Ok(expected), "{json} {dockerfile}");
    }
    let piped = r#"{"scripts": {"start": "node x.js | pino"}, "main": "y.js"}"#;
    let from_dockerfile = found(piped, "FROM node\nCMD node z.js\n");
    assert_eq!(from_dockerfile.unwrap().0, r#"ENTRYPOINT ["node", "/app/z.js"]"#);
    let error = found(piped, "FROM node\nCMD node z.js && x\n").unwrap_err();
    assert!(error.contains("`node x.js | pino` of `scripts.start`"), "{error}");
    for json in [r#"{"scripts": {"start": "next start"}}"#, r#"{"scripts": {"start": "node -r x"}}"#, "{}"] {
        assert!(found(json, "").unwrap_err().contains("node src/server.js"), "{json}");
    }
}

#[test]
fn paths_below_the_old_working_directory_move_to_the_new_one() {
    let with = |lines: &str| found("{}", &format!("FROM node\n{lines}\n"));
    let moved = |lines: &str| with(lines).unwrap().0;
    assert_eq!(
        moved("WORKDIR /usr/src/app\nCMD [\"node\", \"/usr/src/app/src/server.js\"]"),
        r#"ENTRYPOINT ["node", "/app/src/server.js"]"#
    );
    assert_eq!(
        moved("WORKDIR /srv\nCMD [\"node\", \"--require=/srv/trace.js\", \"./server.js\", \"--data=/data\"]"),
        r#"ENTRYPOINT ["node", "--require=/app/trace.js", "/app/server.js", "--data=/data"]"#
    );
    assert_eq!(moved("CMD [\"node\", \"/app/x.js\"]"), r#"ENTRYPOINT ["node", "/app/x.js"]"#);
    assert_eq!(moved("WORKDIR /\nCMD [\"node\", \"/x.js\"]"), r#"ENTRYPOINT ["node", "/app/x.js"]"#);
    for lines in [
        "WORKDIR /usr/src/app\nCMD [\"node\", \"/app/src/server.js\"]",
        "WORKDIR /usr/src/app\nCMD [\"node\", \"/usr/src/application/x.js\"]",
        "CMD [\"node\", \"/srv/x.js\"]",
        "WORKDIR /srv\nCMD [\"node\", \"../x.js\"]",
    ] {
        let error = with(lines).unwrap_err();
        assert!(error.contains("is not below") && error.contains("`node src/server.js`"), "{error}");
    }
}

#[test]
fn the_service_is_started_as_before_and_a_guess_is_refused() {
    let build = r#""build": "tsc""#;
    for (json, dockerfile, expected) in [
        (
            format!(
                r#"{{"main": "index.js", "scripts": {{"start": "NODE_ENV=production node dist/server.js", {build}}}}}"#
            ),
            "",
            r#"["node", "/app/dist/server.js"]"#,
        ),
        (
            r#"{"scripts": {"start": "node --watch src/dev.js"}}"#.to_owned(),
            "CMD [\"dumb-init\", \"node\", \"server.js\"]",
            r#"["node", "/app/server.js"]"#,
        ),
        (
            "{}".to_owned(),
            "WORKDIR /app\nCOPY . .\nWORKDIR /app/api\nCMD [\"node\", \"server/index.js\"]",
            r#"["node", "/app/api/server/index.js"]"#,
        ),
        (
            format!(r#"{{"scripts": {{"start": "nest start", "start:prod": "node dist/main", {build}}}}}"#),
            "CMD [\"npm\",\"run\",\"start:prod\"]",
            r#"["node", "/app/dist/main"]"#,
        ),
        (
            r#"{"main": "dist/index.js", "scripts": {"start": "node ."}}"#.to_owned(),
            "",
            r#"["node", "/app/dist/index.js"]"#,
        ),
        (r#"{"scripts": {"start": "node ./"}}"#.to_owned(), "", r#"["node", "/app/index.js"]"#),
        (format!(r#"{{"main": "index.js", "scripts": {{"start": "nest start", {build}}}}}"#), "", ""),
    ] {
        let found = found(&json, &format!("FROM node\n{dockerfile}\n"));
        let entrypoint = found.map(|(entrypoint, _)| entrypoint.replace("ENTRYPOINT ", ""));
        assert_eq!(entrypoint.unwrap_or_default(), expected, "{json} {dockerfile}");
    }
}

#[test]
fn the_script_must_be_a_file_that_git_tracks() {
    for (script, tracked, expected) in [
        ("server.js", "server.js", true),
        ("dist/main", "dist/main.js", true),
        ("api", "api/index.js", true),
        ("index.js", "server.js", false),
    ] {
        assert_eq!(of_main(&format!("node {script}")).is_among(&[tracked]).is_ok(), expected, "{script}");
    }
}
