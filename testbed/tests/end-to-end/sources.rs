//! The builder accepts what a commit pins and denies everything else, however it interprets a Dockerfile. `check`
//! reads each of these inputs first, but does not report all of them. The builder has the last word.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use xtask::inputs::dockerfile;
use xtask::inputs::finding::Finding;
use xtask::process::Runner;
use xtask::process::temp_dir::TempDir;
use xtask::tool::docker::sources::{Sources, denied};
use xtask::tool::docker::{Build, Cache, Docker, DockerConfig, Output};

use crate::harness::{environment, export, test};

/// `P` stands for the pinned base image, and `OTHER` for a digest that nothing pins.
struct Input {
    name: &'static str,
    recipe: &'static str,
    /// The source that the builder denies; `None` if it builds from only the base image.
    denied: Option<&'static str>,
    /// Whether `check` reports it too.
    is_found: bool,
}

const fn denied_as(name: &'static str, recipe: &'static str, denied: &'static str, is_found: bool) -> Input {
    Input { name, recipe, denied: Some(denied), is_found }
}

const fn built(name: &'static str, recipe: &'static str, is_found: bool) -> Input {
    Input { name, recipe, denied: None, is_found }
}

const FRONTEND: &str = "docker-image://frontend.example.org/x:latest";
const IMAGE: &str = "docker-image://images.example.org/x:latest";
const FILE: &str = "https://files.example.org/x";

const INPUTS: [Input; 30] = [
    denied_as("a frontend", "# syntax=frontend.example.org/x\nFROM P\n", FRONTEND, true),
    denied_as("a frontend in another case", "# Syntax=frontend.example.org/x\nFROM P\n", FRONTEND, true),
    denied_as("a frontend without a blank", "#syntax=frontend.example.org/x\nFROM P\n", FRONTEND, true),
    denied_as("a frontend after `//`", "// syntax=frontend.example.org/x\nFROM P\n", FRONTEND, true),
    // A newer `BuildKit` reads the line and denies the frontend.
    built("a frontend after a byte order mark", "\u{feff}# syntax=frontend.example.org/x\nFROM P\n", true),
    denied_as(
        "a frontend by digest",
        "# syntax=frontend.example.org/x@OTHER\nFROM P\n",
        "docker-image://frontend.example.org/x@OTHER",
        true,
    ),
    denied_as("an unpinned base image", "FROM images.example.org/x:latest\n", IMAGE, true),
    denied_as("the keyword in lower case", "from images.example.org/x:latest\n", IMAGE, true),
    denied_as(
        "a platform before the image",
        "FROM --platform=$BUILDPLATFORM images.example.org/x:latest\n",
        IMAGE,
        true,
    ),
    denied_as("an image from an argument", "ARG B=images.example.org/x:latest\nFROM $B\n", IMAGE, true),
    denied_as("an argument's default", "ARG B\nFROM ${B:-images.example.org/x:latest}\n", IMAGE, true),
    denied_as(
        "another digest of the same image",
        "FROM node:22-slim@OTHER\n",
        "docker-image://docker.io/library/node:22-slim@OTHER",
        false,
    ),
    denied_as(
        "another escape character",
        "# escape=`\nFROM P AS a\nRUN echo \\\nFROM images.example.org/x:latest\n",
        IMAGE,
        true,
    ),
    denied_as(
        "two backslashes",
        "FROM P AS a\nRUN echo \\\\\nFROM images.example.org/x:latest\n",
        IMAGE,
        true,
    ),
    denied_as(
        "a backslash and a no-break space",
        "FROM P AS a\nRUN echo \\\u{a0}\nFROM images.example.org/x:latest\n",
        IMAGE,
        true,
    ),
    denied_as(
        "a heredoc whose mark has a backslash",
        "FROM P AS a\nCOPY <<'E\\' /x\nE\\\nFROM images.example.org/x:latest\n",
        IMAGE,
        true,
    ),
    denied_as("a copy from an image", "FROM P\nCOPY --from=images.example.org/x:latest /x /x\n", IMAGE, true),
    denied_as(
        "a mount from an image",
        "FROM P\nRUN --mount=type=bind,from=images.example.org/x:latest,target=/x true\n",
        IMAGE,
        true,
    ),
    denied_as(
        "a cache from an image",
        "FROM P\nRUN --mount=type=cache,from=images.example.org/x:latest,target=/x true\n",
        IMAGE,
        true,
    ),
    denied_as("a download", "FROM P\nADD https://files.example.org/x /x\n", FILE, true),
    denied_as("a download as JSON", "FROM P\nADD [\"https://files.example.org/x\", \"/x\"]\n", FILE, true),
    denied_as(
        "a download from a variable",
        "FROM P\nARG U=https:\nADD ${U}//files.example.org/x /x\n",
        FILE,
        false,
    ),
    denied_as(
        "a download by a digest that nothing names",
        "FROM P AS a\nADD --checksum=OTHER https://files.example.org/x /x\n",
        FILE,
        true,
    ),
    denied_as(
        "a repository over SSH",
        "FROM P\nADD git@files.example.org:x/y.git /x\n",
        "git://files.example.org/x/y.git",
        true,
    ),
    denied_as(
        "a repository over HTTPS",
        "FROM P\nADD https://files.example.org/x/y.git /x\n",
        "git://files.example.org/x/y.git",
        true,
    ),
    denied_as(
        "what a stage leaves to the next one",
        "FROM P AS a\nONBUILD ADD https://files.example.org/x /x\nFROM a\n",
        FILE,
        true,
    ),
    built("a heredoc with a line that looks like a stage", "FROM P\nRUN <<E\nFROM=1\nE\n", true),
    built("a comment in the middle of a command", "FROM P\nRUN true \\\n# words\n  && true\n", true),
    built("a stage that nothing uses", "FROM images.example.org/x:latest AS a\nFROM P\n", true),
    built("a copy from a stage", "FROM P AS a\nRUN touch /x\nFROM P\nCOPY --link --from=a /x /x\n", false),
];

/// The first base image that has a stand-in, and the stand-in.
pub(crate) fn base() -> Result<(String, String)> {
    let recipe = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Dockerfile"))?;
    let pinned = dockerfile::read(&recipe, &[])?.base.last.reference;
    let images = export("TESTBED_BASE_STAND_IN")?;
    Ok((pinned, images.split(' ').next().context("there is no stand-in")?.to_owned()))
}

/// The build of `context` in `scratch`, on the stand-in of the base image.
pub(crate) fn build(scratch: &TempDir, (pinned, stand_in): &(String, String)) -> Build {
    Build {
        context: scratch.path().join("context"),
        platforms: vec!["linux/amd64".to_owned()],
        arguments: Vec::new(),
        labels: Vec::new(),
        annotations: Vec::new(),
        stand_ins: vec![(pinned.clone(), stand_in.clone())],
        sources: Sources { images: vec![stand_in.clone()], files: Vec::new() },
        ca_certificates: None,
        secrets: Vec::new(),
        proxies: Vec::new(),
        builder: String::new(),
        network: String::new(),
        cache: Cache::Shared,
        output: Output::Layout(scratch.path().join("image.tar")),
        timeout: Duration::from_secs(120),
    }
}

#[test]
fn the_builder_denies_every_source_that_is_not_pinned() -> Result<()> {
    test(|| {
        let environment = environment();
        let (runner, config) =
            (Runner::new(&environment), DockerConfig::for_builds(&environment, None, &[])?);
        let (docker, base, other) =
            (Docker::new(&runner, &config), base()?, format!("sha256:{}", "0".repeat(64)));
        let mut wrong = Vec::new();
        for input in INPUTS {
            let scratch = TempDir::new()?;
            let recipe = input.recipe.replace("FROM P", &format!("FROM {}", base.0)).replace("OTHER", &other);
            fs::create_dir(scratch.path().join("context"))?;
            fs::write(scratch.path().join("context/Dockerfile"), &recipe)?;
            let read = dockerfile::read(&recipe, &[]);
            let is_found = read.map_or(true, |recipe| recipe.findings.iter().any(Finding::is_error));
            let was = match docker.build(&build(&scratch, &base), None) {
                Ok(_) => None,
                Err(error) => Some(denied(&error).unwrap_or_else(|| format!("{error:#}"))),
            };
            let expected = input.denied.map(|source| source.replace("OTHER", &other));
            if (&was, is_found) != (&expected, input.is_found) {
                wrong.push(format!("{}: found {is_found}, {was:?}; expected {expected:?}", input.name));
            }
        }
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        Ok(())
    })
}

#[test]
fn a_failing_step_cannot_fake_a_denied_source() -> Result<()> {
    test(|| {
        let environment = environment();
        let (runner, config) =
            (Runner::new(&environment), DockerConfig::for_builds(&environment, None, &[])?);
        let (docker, base, scratch) = (Docker::new(&runner, &config), base()?, TempDir::new()?);
        let words = r#"ERROR: source "docker-image://x" denied by policy: source denied by policy"#;
        let recipe = format!("FROM {}\nRUN echo '{words}' >&2; printf '{words}' >&2; exit 1\n", base.0);
        fs::create_dir(scratch.path().join("context"))?;
        fs::write(scratch.path().join("context/Dockerfile"), &recipe)?;
        let error = docker.build(&build(&scratch, &base), None).err().context("it was built")?;
        ensure!(format!("{error:#}").contains(words), "the step printed nothing: {error:#}");
        ensure!(denied(&error).is_none(), "{:?}: {error:#}", denied(&error));
        Ok(())
    })
}
