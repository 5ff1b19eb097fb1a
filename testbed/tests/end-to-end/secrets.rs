//! No secret reaches a process that was not given it, an argument list, or anything that is printed or published.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use testbed::readable::{payloads, telling_lines};
use xtask::process::temp_dir::random_hex;

use crate::evidence::{predicate, provenance};
use crate::harness::checkout::{Checkout, text};
use crate::harness::processes::{self, Process};
use crate::harness::run::{Finished, Running, Xtask};
use crate::harness::{alone, image, test};

/// The names of a release's secrets. A rehearsal needs none of them.
const NAMES: [&str; 5] =
    ["FORGEJO_TOKEN", "GITHUB_TOKEN", "REGISTRY_TOKEN", "COSIGN_PRIVATE_KEY", "COSIGN_PASSWORD"];

/// The secret that the build itself may read.
const BUILD_SECRET: &str = "E2E_BUILD_SECRET";

/// The variable in which buildx gets it.
const CARRIER: &str = "XTASK_BUILD_SECRET_E2E_BUILD_SECRET";

/// A release has at least this many envelopes: three attestations as files, three in the registry, and four bundles
/// there.
const ENVELOPES: usize = 10;

#[test]
fn no_secret_leaks_to_another_process_an_argument_list_or_an_output() -> Result<()> {
    // Alone, because each program must be seen before it ends.
    alone(|| {
        let checkout = Checkout::for_both_platforms()?;
        checkout.read_a_secret(BUILD_SECRET)?;
        let mut secrets = BTreeMap::new();
        for name in NAMES.into_iter().chain([BUILD_SECRET]) {
            secrets.insert(name, format!("e2e-{}", random_hex()?));
        }
        let run = secrets
            .iter()
            .fold(Xtask::new(&checkout, &["rehearse"]), |run, (name, value)| run.env(name, value.clone()));
        let (finished, seen) = watch(run.start()?)?;
        let finished = finished.success()?;
        let key = own_key(&checkout, &seen)?;
        // The build checks the length of the secret. Without the secret there would be no image.
        let given = |process: &Process| {
            process.name() == "docker-buildx" && process.variable(CARRIER) == Some(&secrets[BUILD_SECRET])
        };
        ensure!(seen.iter().any(given), "buildx was not seen with `{CARRIER}`");
        let leaks: BTreeSet<_> = seen.iter().flat_map(|process| leaks(process, &secrets, &key)).collect();
        ensure!(leaks.is_empty(), "{leaks:#?}");
        let needles = needles(&secrets, &key)?;
        let mut envelopes = 0;
        for (place, bytes) in places(&checkout, &finished)? {
            let payloads = payloads(&bytes);
            envelopes += payloads.len();
            for bytes in payloads.iter().chain([&bytes]) {
                let text = String::from_utf8_lossy(bytes);
                for (name, needle) in &needles {
                    ensure!(!text.contains(needle), "{name} is in {place}");
                }
            }
        }
        ensure!(envelopes >= ENVELOPES, "only {envelopes} envelopes were opened");
        checkout.ensure_nothing_is_left()
    })
}

/// npm would run such a program: its settings can name one in git's place, for any dependency that comes from git.
#[test]
fn no_program_that_a_commit_names_is_run_on_this_machine() -> Result<()> {
    test(|| {
        let checkout = Checkout::new()?;
        let canary = checkout.beside("canary");
        let program = format!("#!/bin/sh\ntouch '{}'\nexit 1\n", text(&canary)?);
        checkout.write("service/program", &program)?;
        let path = checkout.top().join("service/program");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
        checkout.write("service/.npmrc", "git=./program\nscript-shell=./program\n")?;
        checkout.commit("chore: settings for npm")?;
        let run = Xtask::new(&checkout, &["rehearse"]).run()?;
        ensure!(run.stderr.contains("preflight"), "it did not begin:\n{}", run.stderr);
        ensure!(!canary.exists(), "a program of the commit ran:\n{}{}", run.stdout, run.stderr);
        let dependency = "\"devDependencies\": {\"a\": \"git+https://127.0.0.1:1/a.git\"},";
        for file in ["service/package.json", "service/package-lock.json"] {
            let from = "\"dependencies\": {";
            checkout.replace(file, from, &format!("{dependency} {from}"))?;
        }
        checkout.commit("chore: a dependency for npm to ask git for")?;
        let run = Xtask::new(&checkout, &["rehearse"]).run()?;
        ensure!(run.stderr.contains("it is a git repository"), "it was not refused:\n{}", run.stderr);
        ensure!(!canary.exists(), "a program of the commit ran:\n{}{}", run.stdout, run.stderr);
        Ok(())
    })
}

/// All processes of the machine except xtask itself, polled until the run ends.
fn watch(mut running: Running) -> Result<(Finished, BTreeSet<Process>)> {
    let mut seen = BTreeSet::new();
    running.until("it ends", |running| {
        seen.extend(processes::all()?.into_iter().filter(|process| process.pid != running.pid()));
        Ok(running.ended().then_some(()))
    })?;
    Ok((running.wait()?, seen))
}

/// The rehearsal's throwaway key and its password, as they were given to its cosign. Also checks that the watch saw
/// every program, which shows that it was fast enough.
fn own_key(checkout: &Checkout, seen: &BTreeSet<Process>) -> Result<BTreeMap<&'static str, String>> {
    let (mut programs, mut key) = (BTreeSet::new(), BTreeMap::new());
    for process in seen {
        if process.is_of(checkout)? {
            programs.insert(process.name());
            for name in ["COSIGN_PRIVATE_KEY", "COSIGN_PASSWORD"] {
                if let Some(value) = process.variable(name).filter(|_| process.name() == "cosign") {
                    key.insert(name, value.trim().to_owned());
                }
            }
        }
    }
    for program in ["docker", "docker-buildx", "cosign", "git", "curl"] {
        ensure!(programs.contains(program), "{program} was not seen among {programs:?}");
    }
    ensure!(key.len() == 2, "cosign was seen only with {:?}", key.keys());
    Ok(key)
}

/// The secrets that `process` has and must not have. Programs outside this run are checked as well.
fn leaks(
    process: &Process,
    secrets: &BTreeMap<&'static str, String>,
    key: &BTreeMap<&'static str, String>,
) -> Vec<String> {
    let mut leaks = Vec::new();
    let mut leak = |what: &str, place: &str| {
        let start: String = process.arguments.chars().take(120).collect();
        leaks.push(format!("{what} is in the {place} of `{start}`"));
    };
    for (name, value) in secrets.iter().chain(key) {
        if process.arguments.contains(value) {
            leak(name, "argument list");
        }
    }
    // This also checks a child that has not executed its program yet and still has xtask's environment. Only the build,
    // and docker's queries to its plugins before the build, may have the build's secret.
    let builds = ["docker", "docker-buildx"].contains(&process.name())
        && ["buildx build ", "docker-cli-plugin-"].iter().any(|words| process.arguments.contains(words));
    let may_have = |name: &str| name == BUILD_SECRET && builds;
    let has = |name: &str, value: &str| !may_have(name) && process.environment_has(value);
    for (name, _) in secrets.iter().filter(|(name, value)| has(name, value)) {
        leak(name, "environment");
    }
    for (name, _) in
        key.iter().filter(|(_, value)| process.name() != "cosign" && process.environment_has(value))
    {
        leak(&format!("the rehearsal's own {name}"), "environment");
    }
    leaks
}

/// What must not appear anywhere: each secret, and the rehearsal's own key, line by line.
fn needles(
    secrets: &BTreeMap<&'static str, String>,
    key: &BTreeMap<&'static str, String>,
) -> Result<Vec<(&'static str, String)>> {
    let mut needles = Vec::new();
    for (name, value) in secrets.iter().chain(key) {
        needles.extend(telling_lines(value)?.into_iter().map(|line| (*name, line)));
    }
    Ok(needles)
}

/// Everything that others can read afterwards, each place with its name.
fn places(checkout: &Checkout, run: &Finished) -> Result<Vec<(String, Vec<u8>)>> {
    let mut places = vec![
        ("standard output".to_owned(), run.stdout.clone().into_bytes()),
        ("standard error".to_owned(), run.stderr.clone().into_bytes()),
        ("the provenance".to_owned(), provenance(checkout, run)?.to_string().into_bytes()),
        ("the SBOM".to_owned(), predicate(checkout, run, 2)?.to_string().into_bytes()),
    ];
    let rehearsal = checkout.top().join("target/rehearsal");
    for directory in [rehearsal.clone(), rehearsal.join("v0.1.0")] {
        for entry in std::fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_file() {
                places.push((path.display().to_string(), std::fs::read(&path)?));
            }
        }
    }
    let pinned = run.pinned()?;
    let (name, _) = pinned.split_once('@').context("the image has no digest")?;
    places.push(("the index".to_owned(), image::manifest(&pinned)?));
    for (platform, manifest) in image::platforms(&pinned, &image::json(&pinned)?)? {
        let config = image::config(&manifest)?;
        places.push((format!("the manifest of {platform}"), image::manifest(&manifest)?));
        places.push((format!("the configuration of {platform}"), config.to_string().into_bytes()));
        // The last layer is the service. Those below are the base image's, made before the secrets existed.
        let layers = image::json(&manifest)?["layers"].take();
        let own = layers.as_array().and_then(|layers| layers.last()).context("there is no layer")?;
        let blob = format!("{name}@{}", own["digest"].as_str().unwrap_or_default());
        let bytes = image::layer(&blob)?;
        ensure!(contains(&bytes, b"app/src/server.js"), "the last layer of {platform} is not the service");
        places.push((format!("a layer of {platform}"), bytes));
    }
    // Signatures and attestations in cosign's legacy format, and the index of the bundles.
    let tags = image::tags(&pinned)?;
    for tag in tags.iter().filter(|tag| tag.starts_with("sha256-")) {
        everything_of(name, &format!("{name}:{tag}"), &mut places)?;
    }
    Ok(places)
}

/// The manifest or index `reference`, and all manifests and layers that it names.
fn everything_of(name: &str, reference: &str, places: &mut Vec<(String, Vec<u8>)>) -> Result<()> {
    let manifest: Value = image::json(reference)?;
    places.push((format!("the manifest of `{reference}`"), image::manifest(reference)?));
    let of = |entry: &Value| format!("{name}@{}", entry["digest"].as_str().unwrap_or_default());
    let named = |field: &str| manifest[field].as_array().into_iter().flatten();
    for blob in named("layers").map(of) {
        places.push((format!("the blob `{blob}`"), image::blob(&blob)?));
    }
    named("manifests").try_for_each(|entry| everything_of(name, &of(entry), places))
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}
