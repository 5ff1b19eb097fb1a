//! The rules for the final stage and the stages on which it is based, as tables.

use super::{PIN, hold, read};

#[test]
fn stages_on_which_the_final_stage_is_based_follow_its_rules() {
    let digest = "0".repeat(64);
    for (instruction, expected) in [
        (
            "EXPOSE 3000".to_owned(),
            "line 2: `EXPOSE 3000` in a stage on which the final stage is based: BuildKit",
        ),
        ("HEALTHCHECK CMD x".to_owned(), "line 2: `HEALTHCHECK CMD x` in a stage on which"),
        ("ARG VERSION".to_owned(), "line 2: `ARG VERSION` in a stage on which"),
        ("RUN groupadd app".to_owned(), "line 2: `RUN groupadd app` in a stage on which"),
        (format!("ADD --link --checksum=sha256:{digest} https://example.org/x /x"), "the server's date"),
        ("ARG NODE_ENV=production".to_owned(), ""),
        ("ARG MODE=\"a b\" OTHER='c'".to_owned(), ""),
    ] {
        for rest in ["FROM Base", "FROM base AS middle\nFROM middle", "FROM 0"] {
            hold(&[(format!("FROM {PIN} AS base\n{instruction}\n{rest} AS final\n"), expected)]);
        }
        let each = |name: &str| format!("FROM {PIN} AS base-{name}\n{instruction}\n");
        let expected = expected.replace("line 2", "line 4");
        hold(&[
            (format!("{}{}FROM base-${{TARGETARCH}}\n", each("amd64"), each("arm64")), &expected),
            (format!("FROM {PIN} AS base\n{instruction}\nFROM {PIN}\n").replace(" --link", ""), ""),
        ]);
    }
    let notes = read(&format!("FROM {PIN} AS base\nWORKDIR /app\nCOPY a b\nFROM base\n")).unwrap().notes();
    assert!(notes.iter().any(|note| note.starts_with("`Dockerfile` line 2: `WORKDIR /app`")), "{notes:?}");
    assert!(notes.iter().any(|note| note.contains("line 3: `COPY a b`: without `--link`")), "{notes:?}");
}

#[test]
fn a_linked_layer_needs_a_numeric_owner() {
    for (flags, expected) in [
        ("--link --chown=node:node", "line 3: `--chown=node:node` with `--link`"),
        ("--chown=1000:node --link=true", "`--chown=1000:node` with"),
        ("--link --chown=node", "write numbers"),
        ("--link --chown=$OWNER", ""),
        ("--link=false --chown=node", ""),
        ("--link --chown=1000:1000", ""),
        ("--link --chown=1000", ""),
        ("--link --chown=root:root", ""),
        ("--link --chown=0:root", ""),
        ("--link --chown=:1000", ""),
        ("--link --chown=\"1000:1000\"", ""),
        ("--link --chmod=755 --chown=node", ""),
        ("--chown=node:node", ""),
    ] {
        hold(&[(format!("FROM {PIN} AS a\nFROM {PIN}\nCOPY {flags} --from=a /out/ /\n"), expected)]);
    }
    let note = read(&format!("FROM {PIN}\nCOPY a b\n")).unwrap().notes().concat();
    assert!(note.contains("write `--link`, and numbers in `--chown`"), "{note}");
}

#[test]
fn the_final_stage_must_have_the_platform_of_the_image() {
    let refused = "the final stage must have the platform of the image";
    let base = format!("FROM --platform=$BUILDPLATFORM {PIN} AS base\n");
    hold(&[
        (format!("FROM --platform=$BUILDPLATFORM {PIN}\n"), refused),
        (format!("FROM --platform=linux/amd64 {PIN}\n"), refused),
        (format!("{base}FROM base\n"), "line 2: `FROM base`: the final stage must"),
        (format!("{base}FROM --platform=$TARGETPLATFORM base\n"), refused),
        (format!("{base}FROM --platform=$TARGETPLATFORM {PIN}\n"), ""),
        (format!("FROM --platform=linux/${{TARGETARCH}} {PIN}\n"), ""),
    ]);
    for (written, is_refused) in [
        ("linux/arm64", false),
        ("linux/arm64/v8", false),
        ("\"linux/aarch64\"", false),
        ("arm64", false),
        ("linux/amd64", true),
        ("x86_64", true),
        ("windows/arm64", true),
    ] {
        let text = format!("FROM --platform={written} {PIN}\n");
        let found = super::super::findings(&text, &["linux/arm64".to_owned().try_into().unwrap()]);
        assert_eq!(found.iter().any(|finding| finding.text.contains(refused)), is_refused, "{text}");
    }
}
