//! `verify --rebuild`: anyone with a clone can build the released commit again and get the released digest, with
//! any builder, directory, umask and cache.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::released::{TAG, released};
use crate::harness::builder::Builder;
use crate::harness::checkout::{Checkout, text};
use crate::harness::run::{Finished, Xtask};
use crate::harness::test;

/// `verify --rebuild` on `builder`, without secrets.
fn rebuild<'a>(builder: &Builder, checkout: &'a Checkout) -> Result<Xtask<'a>> {
    let run = Xtask::new(checkout, &["verify", TAG, "--rebuild", "--builder", builder.name()]);
    Ok(run.env("DOCKER_CONFIG", builder.configuration()?))
}

/// The verdict on the digest, such as `ok`, and the reason.
pub(super) fn verdict(run: &Finished) -> Result<(&str, &str)> {
    let mut claims = run.stdout.lines().filter_map(|line| line.split_once(' '));
    let claim =
        claims.find_map(|(mark, rest)| Some((mark, rest.trim_start().strip_prefix("rebuild ")?.trim())));
    claim.with_context(|| format!("there is no verdict on the rebuild:\n{}{}", run.stdout, run.stderr))
}

/// Checks that all claims hold, including the rebuild.
pub(crate) fn ensure_rebuilt(run: &Finished) -> Result<()> {
    let (mark, why) = verdict(run)?;
    ensure!(run.code == 0 && mark == "ok", "exit code {}, {mark}: {why}\n{}", run.code, run.stdout);
    Ok(())
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn with_another_builder_and_an_empty_cache() -> Result<()> {
    test(|| {
        let checkout = &released()?.project.checkout;
        let builder = Builder::second()?;
        let inspected = builder.buildx(&["inspect", builder.name()])?;
        assert!(inspected.contains("Driver:        remote"), "{inspected}");
        builder.buildx(&["prune", "--builder", builder.name(), "--all", "--force"])?;
        ensure_rebuilt(&rebuild(&builder, checkout)?.run()?)?;

        // Named builders may also be kept in a separate place.
        let configuration = Path::new(builder.configuration()?);
        let elsewhere = configuration.join("elsewhere");
        fs::rename(configuration.join("buildx"), &elsewhere)?;
        let run = rebuild(&builder, checkout)?.run()?;
        let (mark, why) = verdict(&run)?;
        assert!(mark == "?" && why.contains(builder.name()), "a builder that nobody knows: {mark} {why}");
        ensure_rebuilt(&rebuild(&builder, checkout)?.env("BUILDX_CONFIG", text(&elsewhere)?).run()?)
    })
}

#[test]
fn in_another_directory_with_another_umask() -> Result<()> {
    test(|| {
        let elsewhere = clone_of_the_release()?;
        let rebuild = Xtask::new(&elsewhere, &["verify", TAG, "--rebuild"]).before("umask 077");
        ensure_rebuilt(&rebuild.run()?)
    })
}

fn clone_of_the_release() -> Result<Checkout> {
    Checkout::of(&released()?.project.repository.url())
}

/// The other tests rely on this when the digest is the same.
#[test]
fn another_commit_gives_another_digest() -> Result<()> {
    test(|| {
        let checkout = &clone_of_the_release()?;
        checkout.replace("service/src/server.js", "\n", "\n\n")?;
        checkout.commit("chore: one byte more")?;
        checkout.git(&["tag", "--force", TAG])?;
        // Without a known default branch, the clone cannot tell that the commit is on none.
        checkout.git(&["remote", "set-head", "origin", "--delete"])?;
        let run = Xtask::new(checkout, &["verify", TAG, "--rebuild"]).run()?;
        let (mark, why) = verdict(&run)?;
        assert!(
            run.code == 1 && mark == "FALSE" && why.contains("the commit gives `sha256:"),
            "{mark} {why}"
        );
        Ok(())
    })
}

/// What a person may have in the environment for other work.
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";

#[test]
fn a_commit_can_choose_neither_the_secrets_of_its_rebuild_nor_whether_it_is_built() -> Result<()> {
    test(|| {
        let checkout = &clone_of_the_release()?;
        let token = &released()?.project.secrets.registry_token;
        let manifest = String::from_utf8(checkout.committed("Cargo.toml")?)?;
        let login = format!(
            "[[workspace.metadata.release.registries]]\nhost = \"127.0.0.1:9\"\nuser-name = \"x\"\ntoken = \"{SECRET}\"\n\n"
        );
        let manifest_with = |key: &str| {
            let (title, smoke) = ("\ntitle =", "[workspace.metadata.release.smoke]");
            let changed = manifest.replacen(title, &format!("\n{key}title ="), 1);
            let changed = changed.replacen(smoke, &format!("{login}{smoke}"), 1);
            ensure!(
                changed.len() >= manifest.len() + login.len() + key.len(),
                "the manifest has another form: {manifest}"
            );
            anyhow::Ok(changed)
        };
        let tagged = |manifest: &str| {
            checkout.write("Cargo.toml", manifest)?;
            checkout.commit("chore: ask for more")?;
            checkout.git(&["tag", "--force", TAG])
        };
        let unchecked = |run: &Finished, words: &[&str]| {
            let (mark, why) = verdict(run)?;
            let is_stated = words.iter().all(|words| why.contains(words));
            ensure!(mark == "?" && is_stated, "{mark} {why}\n{}", run.stderr);
            anyhow::Ok(())
        };
        let verify = |more: &[&str]| {
            let run = Xtask::new(checkout, &[&["verify", TAG, "--rebuild"], more].concat());
            run.env(SECRET, "canary-of-somebody").env("REGISTRY_TOKEN", token.expose()).run()
        };

        // The commit is on no branch: it is not built, and the host that it names is queried without the secret.
        tagged(&manifest_with("")?)?;
        let doubtful = verify(&[])?;
        unchecked(&doubtful, &["`source.branch` is false"])?;
        ensure!(doubtful.stderr.contains("`127.0.0.1:9` is asked without a login"), "{}", doubtful.stderr);

        tagged(&manifest_with(&format!("build-secrets = [\"{SECRET}\"]\n"))?)?;
        unchecked(&verify(&[])?, &[SECRET, "add `--login`"])?;
        checkout.write("Cargo.toml", &manifest)?;
        let asked = format!("`build-secrets`: `{SECRET}`; `registries`: `127.0.0.1:9` with `{SECRET}`");
        unchecked(&verify(&["--login"])?, &[&asked, "work tree does not name"])
    })
}
