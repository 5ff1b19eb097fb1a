//! Dockerfiles that `init` writes.

use super::{left_out, text};
use crate::commands::init::old_paths::OldPaths;
use crate::commands::init::shipped::Shipped;
use crate::commands::init::survey::Survey;
use crate::commands::init::survey::tests::example;
use crate::commands::init::{Options, base, carried, command, files};
use crate::inputs::config;
use crate::inputs::dockerfile::{self, existing};
use crate::inputs::lockfile::Libc;

fn pinned(tag: &str) -> String {
    format!("node:{tag}@sha256:{}", "a".repeat(64))
}

#[test]
fn packages_match_the_c_library_of_the_base_and_check_finds_nothing() {
    for (tag, expected) in [("22-slim", Libc::Glibc), ("22-alpine3.22", Libc::Musl), ("22-MUSL", Libc::Musl)]
    {
        for builds in [false, true] {
            let survey = Survey { builds, ..example(pinned(tag)) };
            let recipe = dockerfile::read(&text(&survey), &[]).unwrap();
            assert_eq!(recipe.libc, expected, "{tag}");
            assert!(recipe.findings.is_empty(), "{tag}: {:?}", recipe.findings);
        }
    }
}

#[test]
fn the_image_of_a_built_service_has_the_files_that_it_may_read_at_run_time() {
    let tracked =
        ["src/x.ts", "public/a.css", "migrations/1.sql", "knexfile.js", "tsconfig.json", "test/x.ts"];
    let survey = |script: &str| Survey {
        builds: true,
        command: command::tests::of_main(&format!("node {script}")),
        shipped: Shipped::of(&tracked),
        ..example(pinned("22-slim"))
    };
    for (script, copied) in [
        (
            "dist/server.js",
            "cp -r dist public migrations knexfile.js package.json package-lock.json /out/app/",
        ),
        ("src/x.js", "cp -r src public migrations knexfile.js package.json"),
        ("server.js", "cp -r server.js public migrations"),
        ("knexfile.js", "cp -r dist public migrations knexfile.js package.json"),
    ] {
        let text = text(&survey(script));
        assert!(text.contains(copied), "expected `{copied}` in:\n{text}");
    }
    assert_eq!(left_out(&survey("dist/server.js")), ["src", "tsconfig.json", "test"]);
}

#[test]
fn the_service_runs_in_its_own_directory_and_each_variable_is_set_once() {
    let last = |old: &str| {
        let survey = Survey { dockerfile: Some(existing::read(old)), ..example(pinned("22-slim")) };
        let text = text(&survey);
        text[text.rfind("FROM").unwrap()..].to_owned()
    };
    let plain = last("FROM node\nENV TZ=UTC\nARG A\nENV A=$A\n");
    assert!(plain.contains("/out/ /\nWORKDIR /app\nENV NODE_ENV=production\nENV TZ=UTC\nUSER"), "{plain}");
    let other = last("FROM node\nENV NODE_ENVIRONMENT=x\n");
    assert!(other.contains("ENV NODE_ENV=production\nENV NODE_ENVIRONMENT=x\n"), "{other}");
    let given = last("FROM node\nENV NODE_ENV=production PORT=80\n");
    assert!(given.contains("WORKDIR /app\nENV NODE_ENV=production PORT=80\nUSER"), "{given}");
}

#[test]
fn volumes_are_created_at_their_paths_in_the_new_image() {
    let written = |lines: &str| {
        let old = existing::read(&format!("FROM node\n{lines}\n"));
        let survey =
            Survey { old_paths: OldPaths::of(&old, ""), dockerfile: Some(old), ..example(pinned("22-slim")) };
        text(&survey) + &files::compose(&survey, &config::tests::example()).unwrap()
    };
    for (lines, expected) in [
        (
            "ENV APP_HOME=/usr/src/app\nENV DATA_DIR=${APP_HOME}/data\nWORKDIR ${APP_HOME}\nVOLUME ${DATA_DIR}",
            &[
                "mkdir -p /out/app/data && chown 1000:1000 /out/app/data",
                "\nENV APP_HOME=/app\nENV DATA_DIR=${APP_HOME}/data\nVOLUME /app/data\n",
                "    volumes:\n      - \"app-data:/app/data\"\n",
                "\nvolumes:\n  app-data:\n",
            ][..],
        ),
        (
            "WORKDIR /usr/src/app\nVOLUME /usr/src/app/uploads",
            &["mkdir -p /out/app/uploads &&", "VOLUME /app/uploads\n"],
        ),
        (
            "VOLUME [\"/my data\"]",
            &["mkdir -p '/out/my data' &&", "VOLUME [\"/my data\"]\n", "- \"my-data:/my data\"\n"],
        ),
        ("ARG DATA=/srv/data\nVOLUME $DATA", &["mkdir -p /out/srv/data &&", "VOLUME /srv/data\n"]),
    ] {
        let found = written(lines);
        for words in expected {
            assert!(found.contains(words), "expected `{words}` in:\n{found}");
        }
    }
    for none in ["VOLUME $UNKNOWN", "WORKDIR /usr/src/app\nVOLUME /usr/src/app"] {
        let found = written(none);
        assert!(!found.contains("VOLUME") && !found.contains("volumes:"), "{found}");
    }
}

#[test]
fn a_base_without_a_shell_is_used_only_for_the_last_stage() {
    let old =
        format!("FROM gcr.io/distroless/nodejs22-debian12@sha256:{}\nCMD [\"dist/x.js\"]\n", "b".repeat(64));
    let old = existing::read(&old);
    let package = serde_json::from_str("{}").unwrap();
    let mut command = command::Command::of(&package, Some(&old), &OldPaths::of(&old, "")).unwrap();
    let base = base::pinned(&Options::default(), Some(&old)).unwrap();
    command.starts(base::node(&base));
    let stages = base::of_stages(&base).unwrap();
    let survey = Survey { command, stages, builds: true, dockerfile: Some(old), ..example(base) };
    let text = text(&survey);
    assert_eq!(
        (text.matches("FROM --platform=$BUILDPLATFORM node:").count(), text.matches("distroless").count()),
        (2, 1)
    );
    assert!(text.contains("\nFROM gcr.io/distroless/nodejs22-debian12:latest@sha256:bbb"), "{text}");
    assert!(text.ends_with("\nENTRYPOINT [\"/nodejs/bin/node\", \"/app/dist/x.js\"]\n"), "{text}");
    let recipe = dockerfile::read(&text, &[]).unwrap();
    assert!(recipe.findings.is_empty(), "{:?}", recipe.findings);
    let compose = files::compose(&survey, &config::tests::example()).unwrap();
    assert!(compose.contains("[\"CMD\",\"/nodejs/bin/node\",\"-e\""), "{compose}");
    let became = carried::lines(survey.dockerfile.as_ref().unwrap(), &survey).join("\n");
    assert!(became.contains("is kept, with the tag"), "{became}");
}
