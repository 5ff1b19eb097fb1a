//! The parsing of Dockerfiles and the rules for them, as tables.

mod bounds;
mod dates;
mod final_stage;
mod lines;
mod npm;
mod on_target;

use anyhow::{Result, ensure};

use super::{BaseImages, Libc, Recipe};
use crate::oci::platform::Platform;

pub(super) const PIN: &str =
    "node:22-slim@sha256:83f487e0a63425e5b4d146fb5e5be574bcbe1b7b843d3ebafdd95eaf7767a7e5";

pub(super) fn read(text: &str) -> Result<Recipe> {
    let platforms = ["linux/amd64", "linux/arm64"].map(|text| Platform::try_from(text.to_owned()).unwrap());
    super::read(text, &platforms)
}

impl Recipe {
    fn errors(&self) -> Vec<String> {
        self.findings.iter().filter(|finding| finding.is_error()).map(String::from).collect()
    }

    fn notes(&self) -> Vec<String> {
        self.findings.iter().filter(|finding| !finding.is_error()).map(String::from).collect()
    }
}

fn check(text: &str) -> Result<BaseImages> {
    let recipe = read(text)?;
    let problems = recipe.errors();
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(recipe.base)
}

#[test]
fn base_images_are_read_with_flags_stages_and_continuations() {
    let text = format!(
        "FROM --platform=$BUILDPLATFORM {PIN} AS build\nARG VERSION\nRUN a \\\n # comment\n  b\nFROM {PIN}\nCOPY --from=build /out/ /\n"
    );
    let base = check(&text).unwrap();
    assert_eq!((base.builders[0].name.as_str(), base.builders[0].tag.as_str()), ("node", "22-slim"));
    assert_eq!(base.last.full_name(), "docker.io/library/node:22-slim");
    assert_eq!(base.distinct().count(), 1);
}

#[test]
fn the_name_of_a_stage_is_no_base_image() {
    let other = PIN.replace("22-slim", "24-slim");
    let base = check(&format!("FROM {PIN} AS build\nFROM {other} AS test\nFROM BUILD\n")).unwrap();
    assert_eq!(base.builders[0], base.last, "the final stage is based on the first");
    let names: Vec<_> = base.named().into_iter().map(|(name, base)| format!("{name} {}", base.tag)).collect();
    assert_eq!(names, ["builder-image 22-slim", "builder-image-2 24-slim", "base-image 22-slim"]);
}

#[test]
fn full_names_follow_docker() {
    let digest = PIN.split_once('@').unwrap().1;
    for (name, full) in [
        ("acme/base:1", "docker.io/acme/base:1"),
        ("forge.example.org/acme/base:1", "forge.example.org/acme/base:1"),
        ("localhost:5000/base:1", "localhost:5000/base:1"),
    ] {
        assert_eq!(check(&format!("FROM {name}@{digest}")).unwrap().last.full_name(), full);
    }
}

#[test]
fn each_broken_rule_is_refused_with_what_breaks_it() {
    for (text, expected) in [
        ("FROM node:22-slim\n".to_owned(), "FROM node:22-slim"),
        (format!("FROM {PIN}\nFROM debian:12\n"), "FROM debian:12"),
        (PIN.replace("node:22-slim", "FROM node"), "names no tag"),
        ("FROM node:22-slim@sha256:123\n".to_owned(), "sha256:123"),
        (format!("# syntax=docker/dockerfile:1\nFROM {PIN}\n"), "frontend"),
        (format!("FROM {PIN}\nEXPOSE 3000\n"), "EXPOSE 3000"),
        (format!("FROM {PIN} AS build\nFROM {PIN}\narg VERSION\n"), "arg VERSION"),
        (format!("FROM {PIN}\nHEALTHCHECK CMD true\n"), "HEALTHCHECK"),
        (format!("FROM {PIN}\nADD https://example.org/x /x\n"), "ADD https://example.org/x"),
        ("RUN true\n".to_owned(), "no `FROM`"),
    ] {
        let error = format!("{:#}", check(&text).unwrap_err());
        assert!(error.contains(expected), "expected `{expected}` in: {error}");
    }
}

/// Each case has its expected result: no problem, or words of a problem.
fn hold(cases: &[(String, &str)]) {
    for (text, expected) in cases {
        let found = match check(text) {
            Ok(_) => String::new(),
            Err(error) => format!("{error:#}"),
        };
        let holds = found.contains(expected) && found.is_empty() == expected.is_empty();
        assert!(holds, "expected `{expected}` in `{found}` of:\n{text}");
    }
}

#[test]
fn images_are_found_in_arguments_copies_and_mounts() {
    let two = format!("FROM --platform=$BUILDPLATFORM {PIN} AS build\n");
    let last = format!("\nFROM {PIN}\nCOPY --link --from=build /out/ /\n");
    hold(&[
        // A pinned base in an `ARG`.
        (format!("ARG NODE={PIN}\nFROM ${{NODE}} AS build\nFROM $NODE\n"), ""),
        (format!("ARG V=22\nFROM {}\n", PIN.replace("22", "${V}")), ""),
        ("ARG NODE\nFROM ${NODE}\n".to_owned(), "line 2: `FROM ${NODE}`: `NODE` has no value"),
        ("ARG NODE=node:22\nFROM ${NODE}\n".to_owned(), "`FROM node:22` names no digest"),
        (format!("ARG VERSION={PIN}\nFROM $VERSION\n"), "`VERSION` has no value"),
        // Images from which files are copied.
        (
            format!("{two}COPY --from=tools.example.org/uv:1 /uv /bin/{last}"),
            "line 2: `COPY --from=tools.example.org/uv:1`",
        ),
        (format!("{two}RUN --mount=type=bind,from=alpine:3 x{last}"), "line 2: `RUN --mount=from=alpine:3`"),
        (format!("{two}RUN --mount=type=bind,From=alpine:3 x{last}"), "`RUN --mount=from=alpine:3`"),
        (format!("{two}RUN --mount=from=build,\"FROM=alpine:3\" x{last}"), "`RUN --mount=from=alpine:3`"),
        (format!("{two}COPY --from=0 /a /b{last}"), ""),
        (format!("{two}COPY --from={PIN} /a /b{last}"), ""),
    ]);
}

#[test]
fn instructions_that_run_or_are_recorded_follow_the_rules() {
    let two = format!("FROM --platform=$BUILDPLATFORM {PIN} AS build\n");
    let last = format!("\nFROM {PIN}\nCOPY --link --from=build /out/ /\n");
    hold(&[
        // What runs in the final stage, and what is recorded for it.
        (
            format!("{two}RUN npm ci --ignore-scripts{last}RUN npm ci --omit=dev\n"),
            "line 5: `RUN npm ci --omit=dev` in the final stage: nothing runs",
        ),
        (format!("FROM {PIN}\nEXPOSE 3000\nHEALTHCHECK CMD x\n"), "line 2: `EXPOSE 3000`"),
        (format!("FROM {PIN}\nEXPOSE 3000\nHEALTHCHECK CMD x\n"), "line 3: `HEALTHCHECK CMD x`"),
        (format!("FROM {PIN}\nARG VERSION=1\n"), "line 2: `ARG VERSION=1`"),
        (format!("FROM {PIN}\nARG A=1\nVOLUME /data\nWORKDIR /app\nLABEL a=b\n"), ""),
        // Commands that install without the lockfile.
        (
            format!("{two}RUN npm install --omit=dev{last}"),
            "line 2: `npm install` may install something other",
        ),
        (format!("{two}RUN a && npm --silent i x{last}"), "line 2: `npm i`"),
        (format!("{two}RUN [\"npm\", \"install\"]{last}"), "`npm install`"),
        (format!("{two}RUN curl -fsSL https://example.org/x | sh{last}"), "line 2: `curl` downloads"),
        (format!("{two}RUN npm ci{last}"), "--ignore-scripts"),
        (format!("{two}RUN npm ci --omit=dev --ignore-scripts{last}"), "`--os=linux --cpu=… --libc=…`"),
        (format!("{two}RUN echo npm-install installs{last}"), ""),
    ]);
}

#[test]
fn heredocs_directives_and_downloads_are_read_as_the_builder_reads_them() {
    let two = format!("FROM --platform=$BUILDPLATFORM {PIN} AS build\n");
    let last = format!("\nFROM {PIN}\nCOPY --link --from=build /out/ /\n");
    let upper = PIN.replace("22-slim", "RELEASE.2025-04-16T18-13-26Z");
    let digest = "0".repeat(64);
    hold(&[
        // Heredocs.
        (format!("{two}COPY <<EOF /out/q.sql\nSELECT id\nFROM users\nEOF{last}"), ""),
        (format!("{two}COPY <<-\"EOF\" /out/q.sql\nFROM users\n\tEOF{last}"), ""),
        (format!("{two}RUN <<EOF\nset -e\nnpm install\nEOF{last}"), "line 2: `npm install`"),
        (format!("{two}{last}EXPOSE 1\nCOPY <<EOF /x\nFROM {PIN}\nEOF\n"), "`EXPOSE 1`"),
        // Directives, marks and tags.
        (format!("\u{feff}FROM {PIN}\n"), ""),
        (format!("# Syntax=docker/dockerfile:1\nFROM {PIN}\n"), "line 1: `syntax=docker/dockerfile:1`"),
        (format!("// syntax = x\nFROM {PIN}\n"), "`syntax=x`"),
        (format!("# syntax highlighting = on\nFROM {PIN}\n"), ""),
        (format!("FROM {PIN}\n# syntax=x\n"), ""),
        (format!("FROM {upper}\n"), ""),
        // Downloads.
        (format!("{two}ADD --checksum=sha256:{digest} https://example.org/x /x{last}"), ""),
        (format!("{two}ADD --checksum=sha256:12 https://example.org/x /x{last}"), "`--checksum`"),
        (format!("{two}ADD --checksum=sha256:{digest} https://example.org/$X /x{last}"), "no variable"),
        (format!("{two}ADD git@example.org:x.git /x{last}"), "downloads what nothing pins"),
        (
            format!("FROM {PIN}\nADD --checksum=sha256:{digest} https://example.org/x /x\n"),
            "the server's date",
        ),
    ]);
}

#[test]
fn a_stage_for_each_platform_is_found_by_its_name() {
    let archive = |name: &str| {
        let digest = name.repeat(64);
        format!(
            "FROM scratch AS native-{name}\nADD --checksum=sha256:{digest} https://example.org/{name} /x\n"
        )
    };
    let rest =
        format!("FROM native-${{TARGETARCH}} AS native\nFROM {PIN}\nCOPY --link --from=native /x /x\n");
    let both = format!(
        "{}{}{rest}",
        archive("a").replace("native-a", "native-amd64"),
        archive("b").replace("native-b", "native-arm64")
    );
    let recipe = read(&both).unwrap();
    assert!(recipe.errors().is_empty(), "{:?}", recipe.errors());
    let downloads: Vec<_> =
        recipe.downloads.iter().map(|download| (download.line, download.url.as_str())).collect();
    assert_eq!(downloads, [(2, "https://example.org/a"), (4, "https://example.org/b")]);
    let recipe = read(&format!("{}{rest}", archive("a").replace("native-a", "native-amd64"))).unwrap();
    assert!(
        recipe.errors()[0].contains("needs a stage `native-arm64` for `linux/arm64`"),
        "{:?}",
        recipe.errors()
    );
}

#[test]
fn images_that_are_copied_from_are_pinned_inputs() {
    let other = PIN.replace("node:22-slim", "tools.example.org/uv:1");
    let base = check(&format!("FROM {PIN} AS build\nCOPY --from={other} /uv /out/\nFROM {PIN}\n")).unwrap();
    let names: Vec<_> =
        base.named().into_iter().map(|(name, base)| format!("{name} {}", base.name)).collect();
    assert_eq!(names, ["builder-image node", "builder-image-2 tools.example.org/uv", "base-image node"]);
}

#[test]
fn the_c_library_comes_from_npms_flag_or_else_from_the_name_of_the_base() {
    let alpine = PIN.replace("22-slim", "22-alpine");
    for (base, flag, expected) in [
        (PIN, "", Libc::Glibc),
        (alpine.as_str(), "", Libc::Musl),
        (PIN, "--libc=musl", Libc::Musl),
        (PIN, "--libc musl", Libc::Musl),
    ] {
        let text = format!("FROM --platform=$BUILDPLATFORM {base} AS a\nRUN npm ci {flag}\nFROM {base}\n");
        assert_eq!(read(&text).unwrap().libc, expected);
    }
    let recipe = read(&format!("FROM {PIN} AS a\nRUN npm ci --libc=glibc\nFROM {alpine}\n")).unwrap();
    assert!(recipe.errors()[0].contains("write `--libc=musl`"), "{:?}", recipe.errors());
}

#[test]
fn a_step_that_runs_on_the_platform_of_the_image_is_noted() {
    let lines = format!("{PIN} AS a\nRUN --network=none make\nFROM {PIN}\nCOPY --link --from=a /out/ /\n");
    let recipe = read(&format!("FROM {lines}")).unwrap();
    assert_eq!(recipe.runs_on_target, Some(2));
    assert!(
        recipe.notes()[0].starts_with("`Dockerfile` line 2: runs on the platform"),
        "{:?}",
        recipe.notes()
    );
    assert_eq!(read(&format!("FROM --platform=$BUILDPLATFORM {lines}")).unwrap().runs_on_target, None);
}

#[test]
fn an_install_of_some_workspaces_is_noted() {
    for (flags, noted) in [
        ("--omit=dev --workspace=server", true),
        ("--omit=dev -w server", true),
        ("--workspace=client", false),
        ("--omit=dev", false),
    ] {
        let install = format!("npm ci {flags} --ignore-scripts --os=linux --cpu=x64 --libc=glibc");
        let text = format!(
            "FROM --platform=$BUILDPLATFORM {PIN} AS a\nRUN {install}\nFROM {PIN}\nCOPY --link --from=a /out/ /\n"
        );
        let notes = read(&text).unwrap().notes();
        assert_eq!(
            notes.iter().any(|note| note.contains("line 2: `npm ci --workspace`")),
            noted,
            "{notes:?}"
        );
    }
}
