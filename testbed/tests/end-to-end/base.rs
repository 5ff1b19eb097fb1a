//! Base images that only the build can read without help: behind a login, and from the engine's mirror of Docker Hub.

use anyhow::{Context as _, Result, ensure};
use testbed::forge_client::{Client, User};
use xtask::oci::reference::Registry;
use xtask::oci::registry::Credentials;
use xtask::tool::docker::DockerConfig;

use crate::bad_input::REFUSED;
use crate::harness::checkout::{Checkout, text};
use crate::harness::run::Xtask;
use crate::harness::{call, environment, export, test};

/// The variable that holds the token.
const VARIABLE: &str = "BASE_TOKEN";

/// Copies the stand-in for the base image to the registry of `owner`, at `host`. Nobody else may read it.
fn private_base(owner: &User, host: &str) -> Result<String> {
    let source = export("TESTBED_BASE_STAND_IN")?;
    let (tagged, digest) = source.split_once('@').context("the stand-in has no digest")?;
    let (untagged, _) = tagged.rsplit_once(':').context("the stand-in has no tag")?;
    let name = format!("{host}/{}/node:22-slim", owner.name());
    let registry: Registry = host.parse()?;
    let credentials = Credentials::new(owner.name(), owner.token().clone());
    let login = DockerConfig::new(&environment(), Some((&registry, &credentials)))?;
    let (file, from, to) = (
        login.path().join("config.json"),
        format!("docker://{untagged}@{digest}"),
        format!("docker://{name}"),
    );
    let insecure = ["--src-tls-verify=false", "--dest-tls-verify=false"];
    let copy = [&["copy", "--all", "--preserve-digests"], &insecure[..], &["--dest-authfile", text(&file)?]];
    call(export("TESTBED_SKOPEO")?, &[&copy.concat()[..], &[&from, &to]].concat())?.run()?;
    Ok(format!("{name}@{digest}"))
}

/// A clone that is built on `base`. Nothing is committed.
fn built_on(base: &str) -> Result<Checkout> {
    let checkout = Checkout::new()?;
    let recipe = String::from_utf8(checkout.committed("Dockerfile")?).context("reading the Dockerfile")?;
    let (_, pinned) = recipe.rsplit_once("\nFROM ").context("the Dockerfile has no `FROM`")?;
    let pinned = pinned.lines().next().context("an empty `FROM`")?;
    checkout.write("Dockerfile", &recipe.replace(pinned, base))?;
    Ok(checkout)
}

/// Like [`built_on`], with a login for the registry of `base`.
fn built_behind_login(base: &str, host: &str, user: &str) -> Result<Checkout> {
    let checkout = built_on(base)?;
    let login = format!(
        "[[workspace.metadata.release.registries]]\nhost = \"{host}\"\nuser-name = \"{user}\"\ntoken = \"{VARIABLE}\"\n\n"
    );
    let next = "[workspace.lints.rust]";
    checkout.replace("Cargo.toml", next, &format!("{login}{next}"))?;
    checkout.commit("a base image behind a login")?;
    Ok(checkout)
}

#[test]
fn a_base_image_behind_a_login_is_read_with_the_configured_token() -> Result<()> {
    test(|| {
        let client = Client::from_environment(&environment())?;
        let owner = client.new_hidden_user("base")?;
        let base = private_base(&owner, client.registry())?;
        let checkout = built_behind_login(&base, client.registry(), owner.name())?;

        let without = Xtask::new(&checkout, &["rehearse"]).run()?;
        ensure!(without.code == REFUSED, "exit code {}:\n{}", without.code, without.stderr);
        ensure!(without.stderr.contains(VARIABLE), "`{VARIABLE}` is not mentioned:\n{}", without.stderr);

        let token = owner.new_token(&["read:package"])?;
        let with = Xtask::new(&checkout, &["rehearse"]).env(VARIABLE, token.expose()).run()?.success()?;
        ensure!(with.pinned()?.contains('@'), "{}", with.stdout);
        for said in [&with.stdout, &with.stderr] {
            ensure!(!said.contains(token.expose()), "the token was printed");
        }
        checkout.ensure_nothing_is_left()
    })
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn a_base_image_that_only_the_engines_mirror_has_can_be_built_on_and_read() -> Result<()> {
    test(|| {
        let stand_in = export("TESTBED_BASE_STAND_IN")?;
        let (_, digest) = stand_in.split_once('@').context("the stand-in has no digest")?;
        // Docker Hub has no image with this digest, and is out of reach.
        let checkout = built_on(&format!("node:22-slim@{digest}"))?;
        checkout.commit("a base image from a mirror")?;
        let run = |arguments: &[&str]| {
            let run = Xtask::new(&checkout, arguments);
            // An empty cache, because this machine has read the stand-in before.
            let cache = checkout.beside("cache").display().to_string();
            run.env("TESTBED_BASE_STAND_IN", "")
                .env("TESTBED_BASE_STAND_IN_FOR", "")
                .env("XDG_CACHE_HOME", cache)
        };
        let on_first = run(&["rehearse"]).run()?;
        ensure!(
            on_first.code == REFUSED,
            "an engine without a mirror: {}\n{}",
            on_first.code,
            on_first.stderr
        );

        let released = run(&["rehearse"]).on_the_second_engine()?.run()?.success()?;
        ensure!(released.pinned()?.contains('@'), "{}", released.stdout);
        checkout.ensure_nothing_is_left()
    })
}
