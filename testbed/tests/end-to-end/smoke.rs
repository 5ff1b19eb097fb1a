//! Services as they occur in practice. The configuration says what a service needs to start, and if it does not start,
//! the error says why.

mod job;

use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use xtask::process::temp_dir::random_hex;

use crate::bad_input::REFUSED;
use crate::evidence::provenance;
use crate::harness::builder::Builder;
use crate::harness::checkout::{Checkout, text};
use crate::harness::run::{Finished, Xtask};
use crate::harness::{alone, export, read, test};

/// Exit code 1: a step failed.
const FAILED: i32 = 1;

const ENTRYPOINT: &str = "ENTRYPOINT [\"node\", \"/app/src/server.js\"]";
const SMOKE: &str = "port = 3000\nhealth = \"/healthz\"\nversion = \"/version\"\n";

/// A clone whose service is a shell that runs `script`, with `smoke` as the settings of its smoke test.
fn service(script: &str, smoke: &str) -> Result<Checkout> {
    let checkout = Checkout::new()?;
    let words = serde_json::to_string(&["sh", "-c", script])?;
    checkout.replace("Dockerfile", ENTRYPOINT, &format!("ENTRYPOINT {words}"))?;
    checkout.replace("Cargo.toml", SMOKE, smoke)?;
    checkout.commit("a service of its own kind")?;
    Ok(checkout)
}

fn rehearse(checkout: &Checkout) -> Result<Finished> {
    let run = Xtask::new(checkout, &["rehearse"]).run()?;
    checkout.ensure_nothing_is_left()?;
    Ok(run)
}

/// Checks that the rehearsal ends with `code` in the smoke test, and says each of `words`.
fn ensure_fails(checkout: &Checkout, code: i32, words: &[&str]) -> Result<()> {
    let Finished { code: found, stderr, .. } = rehearse(checkout)?;
    ensure!(found == code, "exit code {found}, expected {code}:\n{stderr}");
    let message = stderr.split_once("\nxtask: ").map_or("", |(_, message)| message);
    for word in words.iter().chain(&["step `smoke`"]) {
        ensure!(message.contains(word), "the message does not say `{word}`:\n{stderr}");
    }
    Ok(())
}

#[test]
fn a_service_that_needs_a_variable_fails_without_it_and_starts_with_it() -> Result<()> {
    test(|| {
        let script = "if [ -z \"$JWT_SECRET\" ]; then echo 'JWT_SECRET is missing' >&2; exit 7; fi; \
            exec node /app/src/server.js";
        let checkout = service(script, SMOKE)?;
        ensure_fails(
            &checkout,
            FAILED,
            &[
                "the service exited with 7 after",
                "variables: none",
                "`smoke.env`",
                "read-only root, writable: nothing",
                "JWT_SECRET is missing",
                "docker network create --internal smoke\n",
                "docker run --rm --network=smoke --network-alias=service --platform=linux/",
            ],
        )?;
        let env = "[workspace.metadata.release.smoke.env]\nJWT_SECRET = \"only for the smoke test\"\n";
        checkout.replace("Cargo.toml", SMOKE, &format!("{SMOKE}{env}"))?;
        checkout.commit("a variable")?;
        rehearse(&checkout)?.success().map(|_| ())
    })
}

#[test]
fn a_service_can_write_to_configured_directories_and_exit_with_143() -> Result<()> {
    test(|| {
        let script = "touch /tmp/x /data/x || exit 1; node /app/src/server.js & pid=$!; \
            trap 'kill $pid; wait $pid; exit 143' TERM; wait $pid";
        let without_version = "port = 3000\nhealth = \"/healthz\"\n";
        let checkout = service(script, without_version)?;
        let data = "COPY service/src ./src\nRUN mkdir /out/data && chown 1000:1000 /out/data";
        checkout.replace("Dockerfile", "COPY service/src ./src", data)?;
        checkout.commit("a directory for data")?;
        ensure_fails(
            &checkout,
            FAILED,
            &["the service exited with 1 after", "/tmp/x", "Read-only file system"],
        )?;
        let writable = "tmpfs = [\"/tmp\"]\nwritable = [\"/data\"]\n";
        checkout.replace("Cargo.toml", without_version, &format!("{without_version}{writable}"))?;
        checkout.commit("directories that can be written")?;
        rehearse(&checkout)?.success()?;
        let exit = "exit-codes = [0]\n";
        checkout.replace("Cargo.toml", writable, &format!("{writable}{exit}"))?;
        checkout.commit("an end that is not clean")?;
        ensure_fails(&checkout, FAILED, &["exited with 143", "expected 0", "`smoke.exit-codes`"])
    })
}

#[test]
fn a_service_without_http_is_checked_by_a_command() -> Result<()> {
    // The command has one second, and each attempt is a new process.
    alone(|| {
        let script = "trap 'exit 0' TERM; while :; do sleep 0.1; done";
        let checkout = service(script, "command = [\"test\", \"-d\", \"/app\"]\n")?;
        rehearse(&checkout)?.success()?;
        checkout.replace("Cargo.toml", "\"-d\", \"/app\"]", "\"-d\", \"/nowhere\"]\nstart-seconds = 1")?;
        checkout.commit("a command that does not succeed")?;
        let words =
            ["a command in the service did not succeed within 1 s", "test -d /nowhere", "exited with 1"];
        ensure_fails(&checkout, FAILED, &words)
    })
}

#[test]
fn the_log_of_a_service_that_does_not_answer_is_shown_during_the_wait() -> Result<()> {
    test(|| {
        let script = "echo 'waiting for a database' >&2; trap 'exit 0' TERM; while :; do sleep 0.1; done";
        let checkout = service(script, &format!("{SMOKE}start-seconds = 6\n"))?;
        let Finished { code, stderr, .. } = rehearse(&checkout)?;
        let (shown, message) = stderr.split_once("\nxtask: ").context("there is no error message")?;
        ensure!(code == FAILED && message.contains("did not answer 200 within 6 s"), "{stderr}");
        ensure!(message.contains("does the service listen on all addresses"), "{stderr}");
        ensure!(shown.matches("the service's log: waiting for a database").count() == 1, "{stderr}");
        Ok(())
    })
}

#[test]
fn a_service_reaches_its_companion_only_by_its_alias() -> Result<()> {
    test(|| {
        let server = "require('http').createServer((q, r) => r.end('up')).listen(8080, '0.0.0.0')";
        let ask = "fetch('http://127.0.0.1:8080').catch(() => process.exit(1))";
        let companion = format!(
            "{SMOKE}[[workspace.metadata.release.smoke.companion]]\nimage = {:?}\nalias = \"other\"\n\
             command = [\"node\", \"-e\", {server:?}]\nready = [\"node\", \"-e\", {ask:?}]\n",
            export("TESTBED_BASE_STAND_IN")?
        );
        let script = "node -e \"fetch('http://other:8080').catch(() => process.exit(9))\" || exit 9; \
            exec node /app/src/server.js";
        let checkout = service(script, &companion)?;
        rehearse(&checkout)?.success()?;
        checkout.replace("Cargo.toml", "alias = \"other\"", "alias = \"another\"")?;
        checkout.commit("under another name")?;
        let words = ["the service exited with 9 after", "companion `another`", "--name=smoke-another"];
        ensure_fails(&checkout, FAILED, &words)
    })
}

/// The companion answers once, while the service starts, and exits.
#[test]
fn a_companion_that_has_exited_fails_the_smoke_test() -> Result<()> {
    test(|| {
        let server = "require('http').createServer((q, r) => r.end('up', () => process.exit())).listen(8080, '0.0.0.0')";
        let companion = format!(
            "{SMOKE}[[workspace.metadata.release.smoke.companion]]\nimage = {:?}\nalias = \"other\"\n\
             command = [\"node\", \"-e\", {server:?}]\n",
            export("TESTBED_BASE_STAND_IN")?
        );
        let ask = "require('http').get('http://other:8080', () => process.exit()).on('error', () => process.exit(1))";
        let script = format!("until node -e \"{ask}\"; do :; done; exec node /app/src/server.js");
        let checkout = service(&script, &companion)?;
        ensure_fails(&checkout, FAILED, &["the companion `other` exited with 0"])
    })
}

/// This happens after `docker pull --platform`, or on an engine that emulates other platforms for its users.
#[test]
fn a_companion_that_the_engine_has_only_for_another_platform_is_pulled() -> Result<()> {
    test(|| {
        let checkout = Checkout::new()?;
        let image = format!("{}/testbed/{}", export("TESTBED_REGISTRY")?, random_hex()?);
        checkout.write(
            "companion/Dockerfile",
            &format!("FROM {}\nLABEL a={image}\n", export("TESTBED_COMPANION")?),
        )?;
        let (builder, metadata) = (Builder::second()?, checkout.beside("metadata.json"));
        let (name, context) = (builder.name(), checkout.top().join("companion"));
        let file = format!("--metadata-file={}", metadata.display());
        let words = ["build", "--builder", name, "--platform=linux/amd64,linux/arm64", "--provenance=false"];
        builder.buildx(&[&words[..], &["--push", "--tag", &image, &file, text(&context)?]].concat())?;
        let metadata: Value = serde_json::from_str(&fs::read_to_string(metadata)?)?;
        let digest = metadata["containerimage.digest"].as_str().context("the builder names no digest")?;
        let pinned = format!("{image}@{digest}");
        let other = if read("uname", &["-m"])? == "x86_64" { "linux/arm64" } else { "linux/amd64" };
        read("docker", &["pull", "--quiet", "--platform", other, &pinned])?;
        let companion = format!(
            "{SMOKE}[[workspace.metadata.release.smoke.companion]]\nimage = \"{pinned}\"\nalias = \"other\"\n"
        );
        checkout.replace("Cargo.toml", SMOKE, &companion)?;
        checkout.git(&["clean", "--quiet", "--force", "-d"])?;
        checkout.commit("a companion")?;
        let rehearsed = rehearse(&checkout);
        read("docker", &["image", "rm", &pinned])?;
        rehearsed?.success().map(|_| ())
    })
}

/// The probe beside the service uses the image of the other platform, which still runs when the service has exited.
#[test]
fn a_service_that_exits_on_the_emulated_platform_stops_the_release() -> Result<()> {
    test(|| {
        let checkout = Checkout::for_both_platforms()?;
        let own = read("uname", &["-m"])?;
        let script = format!("[ \"$(uname -m)\" = {own} ] || exit 9; exec node /app/src/server.js");
        let words = serde_json::to_string(&["sh", "-c", &script])?;
        checkout.replace("Dockerfile", ENTRYPOINT, &format!("ENTRYPOINT {words}"))?;
        checkout.commit("a service for one processor")?;
        ensure_fails(&checkout, FAILED, &["the service exited with 9", "before it answered"])
    })
}

/// The image's node runs on only one kind of processor, even if the others are emulated.
#[test]
fn a_platform_that_cannot_run_is_reported_and_refused_if_all_must_run() -> Result<()> {
    test(|| {
        let checkout = Checkout::for_both_platforms()?;
        let node = "COPY service/src ./src\n\
            RUN printf '#!/bin/sh\\n[ \"$(uname -m)\" = \"%s\" ] || exit 1\\nexec node \"$@\"\\n' \"$(uname -m)\" > node && chmod +x node";
        checkout.replace("Dockerfile", "COPY service/src ./src", node)?;
        checkout.replace("Dockerfile", "ENTRYPOINT [\"node\"", "ENTRYPOINT [\"/app/node\"")?;
        checkout.commit("a node for one processor")?;
        let run = rehearse(&checkout)?.success()?;
        let provenance = provenance(&checkout, &run)?;
        let smoke = &provenance["buildDefinition"]["internalParameters"]["smoke"];
        let smoke = smoke.as_object().context("the provenance does not say how the image was tried")?;
        let mut words: Vec<_> = smoke.values().filter_map(|word| word.as_str()).collect();
        words.sort_unstable();
        assert_eq!((smoke.len(), &words[..]), (2, &["native", "not run"][..]), "{smoke:?}");
        let page = checkout.page(&run)?;
        for (platform, word) in smoke {
            let said = if word == "native" {
                format!("\nStarted and asked on {platform}. ")
            } else {
                format!("{platform}: built and checked, not run.\n")
            };
            ensure!(page.contains(&said), "the page does not say `{said}`:\n{page}");
        }

        checkout.replace("Cargo.toml", SMOKE, &format!("{SMOKE}platforms = \"all\"\n"))?;
        checkout.commit("all of them")?;
        ensure_fails(&checkout, REFUSED, &["cannot be run by this engine", "tonistiigi/binfmt --install"])
    })
}
