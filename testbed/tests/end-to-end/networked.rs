//! The steps that have a network: our reading of a Dockerfile, which the provenance repeats, compared with the steps
//! that `BuildKit` reports. buildx reports them since version 0.38.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context as _, Result, ensure};
use xtask::inputs::dockerfile;
use xtask::process::Runner;
use xtask::process::temp_dir::{TempDir, random_hex};
use xtask::tool::docker::{Docker, DockerConfig};

use crate::bad_input::REFUSED;
use crate::harness::checkout::{Checkout, text};
use crate::harness::engine::newest_buildx;
use crate::harness::run::Xtask;
use crate::harness::{call, environment, export, test};
use crate::sources::{base, build};

/// `P` stands for the pinned base image.
struct Input {
    recipe: &'static str,
    /// The lines of the steps that run with a network.
    ran: &'static [usize],
    /// Further lines that our reading names.
    also_named: &'static [usize],
}

const fn same(recipe: &'static str, ran: &'static [usize]) -> Input {
    Input { recipe, ran, also_named: &[] }
}

const INPUTS: &[Input] = &[
    same("FROM P\nRUN true\nRUN --network=none true\nRUN --network=default true\n", &[2, 4]),
    same("FROM P\n  run  --mount=type=cache,target=/x \\\n  # why\n\n    echo a && \\\n  echo b\n", &[2]),
    same("FROM P\nRUN <<E\ntrue\nE\nRUN --network=none <<E\ntrue\nE\n", &[2]),
    same("FROM P\nRUN [\"true\"]\nRUN --network=none [\"true\"]\n", &[2]),
    same("FROM P\nRUN --network=no\\\nne true\n", &[]),
    same("FROM P\nRUN \\\n  --network=none true\n", &[]),
    same("FROM P\nRUN --mount=type=cache,target=\"/a --network=none b\" true\n", &[2]),
    same("FROM P\nRUN --mount=type=cache,target='/a --network=none b' true\n", &[2]),
    same("FROM P\nRUN -- [ --network=none ]\n", &[2]),
    same("FROM P\nR\\\nUN true\n", &[2]),
    same("FROM P\n\\\nRUN true\n", &[3]),
    same("\u{feff}FROM P\nRUN true\n", &[2]),
    same("# a comment\n# escape=`\nFROM P\nRUN --network=none true # `\nRUN true\n", &[5]),
    same("FROM P\nRUN --network=none echo \\\\\nRUN true\n", &[3]),
    same(
        "FROM P AS a\nRUN touch /x\nFROM P AS b\nRUN touch /x\nFROM P\nCOPY --from=a /x /y\nCOPY --from=b /x /z\n",
        &[2, 4],
    ),
    // BuildKit ends a flag at a blank, even after an escape character other than `\`.
    Input {
        recipe: "# escape=`\nFROM P\nRUN --mount=type=cache,target=/a` --network=none true\n",
        ran: &[],
        also_named: &[3],
    },
    // We read a heredoc's text as if it were instructions. So we name too many steps, but miss none.
    Input { recipe: "FROM P\nRUN --network=none cat <<E\nRUN true\nE\n", ran: &[], also_named: &[3] },
    // A stage that nothing needs is not built.
    Input { recipe: "FROM P AS a\nRUN true\nFROM P\n", ran: &[], also_named: &[2] },
];

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn buildkit_gives_no_network_to_a_step_that_we_do_not_name() -> Result<()> {
    test(|| {
        let users = TempDir::new()?;
        let environment = environment().with([("DOCKER_CONFIG", newest_buildx(&users)?)]);
        let (runner, config) =
            (Runner::new(&environment), DockerConfig::for_builds(&environment, None, &[])?);
        let (docker, base) = (Docker::new(&runner, &config), base()?);
        let mut wrong = Vec::new();
        for input in INPUTS {
            let scratch = TempDir::new()?;
            let recipe = input.recipe.replace("FROM P", &format!("FROM {}", base.0));
            fs::create_dir(scratch.path().join("context"))?;
            fs::write(scratch.path().join("context/Dockerfile"), &recipe)?;
            let named: BTreeSet<_> =
                dockerfile::read(&recipe, &[])?.networked.into_iter().map(|step| step.line).collect();
            let built =
                docker.build(&build(&scratch, &base), None).with_context(|| input.recipe.to_owned())?;
            let origins = built.networked.iter().flat_map(|step| &step.origins);
            // The first of an instruction's lines may be an empty continuation line.
            let ran: BTreeSet<_> = origins
                .map(|lines| *lines.iter().find(|line| named.contains(line)).unwrap_or(&lines[0]))
                .collect();
            let expected = input.ran.iter().copied().collect();
            let all = input.ran.iter().chain(input.also_named).copied().collect();
            if (&ran, &named) != (&expected, &all) {
                wrong.push(format!("{:?}: ran {ran:?}, named {named:?}", input.recipe));
            }
        }
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        Ok(())
    })
}

/// Makes a base image with the `ONBUILD` instruction `words`, on the stand-in, and returns its reference by digest.
fn base_with_onbuild(words: &str) -> Result<String> {
    let scratch = TempDir::new()?;
    let (_, stand_in) = base()?;
    fs::write(scratch.path().join("Dockerfile"), format!("FROM {stand_in}\nONBUILD {words}\n"))?;
    let name = format!("{}/{}/node:22-slim", export("TESTBED_REGISTRY")?, random_hex()?);
    let metadata = scratch.path().join("metadata.json");
    let options = ["--platform=linux/amd64,linux/arm64", "--provenance=false", "--push"];
    let files = [format!("--tag={name}"), format!("--metadata-file={}", text(&metadata)?)];
    let files = files.each_ref().map(String::as_str);
    let command = [&["buildx", "build"], &options[..], &files, &[text(scratch.path())?]].concat();
    call("docker", &command)?.run()?;
    let written: serde_json::Value = serde_json::from_slice(&fs::read(&metadata)?)?;
    let digest = written["containerimage.digest"].as_str().context("the build has no digest")?;
    Ok(format!("{name}@{digest}"))
}

#[test]
fn an_onbuild_step_with_a_network_is_refused() -> Result<()> {
    test(|| {
        let users = TempDir::new()?;
        let checkout = Checkout::as_committed()?;
        let run = Xtask::new(&checkout, &["rehearse"])
            .env("DOCKER_CONFIG", newest_buildx(&users)?)
            .env("TESTBED_BASE_STAND_IN", base_with_onbuild("RUN true")?)
            .run()?;
        ensure!(run.code == REFUSED, "exit code {}:\n{}", run.code, run.stderr);
        ensure!(run.stderr.contains("`/bin/sh -c true` with a network"), "{}", run.stderr);
        checkout.ensure_nothing_is_left()
    })
}

/// A step without a network is on no list, and the oldest buildx reports no steps: only the image shows it.
#[test]
fn an_onbuild_step_in_the_last_stage_is_refused() -> Result<()> {
    test(|| {
        let checkout = Checkout::as_committed()?;
        let run = Xtask::new(&checkout, &["rehearse"])
            .env("TESTBED_BASE_STAND_IN", base_with_onbuild("RUN --network=none true")?)
            .run()?;
        ensure!(run.code == REFUSED, "exit code {}:\n{}", run.code, run.stderr);
        ensure!(
            run.stderr.contains("brings the others (`RUN /bin/sh -c true # buildkit`)"),
            "{}",
            run.stderr
        );
        checkout.ensure_nothing_is_left()
    })
}
