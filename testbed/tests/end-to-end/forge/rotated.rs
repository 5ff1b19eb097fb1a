//! Four keys of one project, and what strangers can tell about its releases: `verify` with the final history, and
//! skopeo with the policies of each period.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use testbed::forge_client::State;
use xtask::inputs::keys::{Keys, public_file};
use xtask::process::secret::Secret;

use super::policies::{ensure_copied, ensure_refused, skopeo_with};
use super::project::Project;
use super::verifying::{broken, document, verdicts};
use crate::harness::checkout::{Checkout, text};
use crate::harness::run::Xtask;
use crate::harness::{environment, export, test};

/// Commits, merges, and releases as `tag`.
fn release(project: &Project, tag: &str) -> Result<()> {
    merge(project, &format!("feat: what is new in {tag}"))?;
    project.push_tag(tag)?;
    project.laptop(&["release", tag]).run()?.success().map(drop)
}

fn merge(project: &Project, subject: &str) -> Result<()> {
    project.commit(subject)?;
    project.push_main()?;
    project.set_status(&project.head()?, State::Success)
}

/// Rotates with the cosign that a variable of the testbed names, switches to the new secrets, and merges.
fn rotate(project: &mut Project, number: usize, cosign: &str, more: &[&str]) -> Result<()> {
    let directory = project.checkout.beside(&format!("key-{number}"));
    let program = export(cosign)?;
    let bin = Path::new(&program).parent().context("a program without a directory")?;
    let path = format!("{}:{}", text(bin)?, environment().get("PATH")?.unwrap_or_default());
    let arguments = [&["rotate", text(&directory)?], more].concat();
    let run = project.laptop(&arguments).env("PATH", path).run()?.success()?;
    ensure!(run.stdout.contains(&format!("key {number} of keys/history.toml")), "{}", run.stdout);
    let read = |name: &str| fs::read_to_string(directory.join(name)).map(Secret::new);
    project.secrets.private_key = read("cosign.key")?;
    project.secrets.password = read("cosign.password")?;
    merge(project, &format!("keys: key {number}"))
}

/// skopeo's answer for an image, with the current policy and the keys that docs/keys.md says to install.
fn pulled(project: &Project, tag: &str) -> Result<xtask::process::Output> {
    skopeo_with(&project.checkout, &project.image(tag)?, |requirement| {
        let installed = |path: &Value| {
            let number = path.as_str().and_then(|path| path.strip_prefix("/etc/containers/carol-"));
            let number = number.and_then(|number| number.strip_suffix(".pub")?.parse().ok());
            let file = public_file(number.with_context(|| format!("installed as {path}"))?);
            Ok::<_, anyhow::Error>(json!(text(&project.checkout.top().join(file))?))
        };
        if let Some(paths) = requirement["keyPaths"].as_array() {
            requirement["keyPaths"] = json!(paths.iter().map(installed).collect::<Result<Vec<_>>>()?);
        } else {
            // A single key has no list, so that older programs can read the policy.
            requirement["keyPath"] = installed(&requirement["keyPath"])?;
        }
        Ok(())
    })
}

fn evidence<'a>(document: &'a Value, tag: &str, id: &str) -> Result<&'a str> {
    let releases = document["releases"].as_array().context("no releases")?;
    let release = releases.iter().find(|release| release["tag"] == tag).context("no such release")?;
    let claims = release["claims"].as_array().context("no claims")?;
    let claim = claims.iter().find(|claim| claim["id"] == id).with_context(|| format!("no `{id}`"))?;
    claim["evidence"].as_str().context("no evidence")
}

const REFUSED: &str = "cryptographic signature verification failed";

/// Three keys and five releases, the last of them on an older line.
fn release_five(project: &mut Project) -> Result<()> {
    release(project, "v0.1.0")?;
    release(project, "v0.1.1")?;
    rotate(project, 2, "TESTBED_COSIGN_2", &[])?;
    ensure_copied(&pulled(project, "v0.1.1")?, "what the old key signed, during the overlap")?;
    release(project, "v0.2.0")?;
    for tag in ["v0.1.0", "v0.2.0"] {
        ensure_copied(&pulled(project, tag)?, tag)?;
    }
    rotate(project, 3, "TESTBED_COSIGN_3", &[])?;
    release(project, "v0.3.0-rc.1")?;
    for tag in ["v0.2.0", "v0.3.0-rc.1"] {
        ensure_copied(&pulled(project, tag)?, tag)?;
    }
    ensure_refused(&pulled(project, "v0.1.0")?, "what the first key signed, after the overlap", REFUSED)?;

    project.push_tag("v0.1.2")?;
    let words = ["`keys/history.toml` names key 2, sha256:", "add \"0.1.2\" to `also` of key 3"];
    project.refused(&["release", "v0.1.2"], &words)?;
    let list = fs::read_to_string(project.checkout.top().join("keys/history.toml"))?;
    project.checkout.write("keys/history.toml", &format!("{list}also = [\"0.1.2\"]\n"))?;
    merge(project, "keys: a release of an older line")?;
    project.laptop(&["release", "v0.1.2"]).run()?.success().map(drop)
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn every_release_verifies_after_rotations_and_a_lost_key_stays_on_record() -> Result<()> {
    test(|| {
        let mut project = Project::ready()?;
        release_five(&mut project)?;
        let stranger = Checkout::of(&project.repository.url())?;
        let all = document(&Xtask::new(&stranger, &["verify", "--all", "--json"]).run()?, 0)?;
        let keys = Keys::of_work_tree(stranger.top())?.context("there is no history")?;
        let signed_by = [("v0.1.0", 1), ("v0.1.1", 1), ("v0.1.2", 3), ("v0.2.0", 2), ("v0.3.0-rc.1", 3)];
        let of_all = verdicts(&all)?;
        ensure!(of_all.keys().map(String::as_str).eq(signed_by.map(|(tag, _)| tag)), "{of_all:#?}");
        for (tag, number) in signed_by {
            let fingerprint = &keys.keys[number - 1].entry.fingerprint;
            let said = evidence(&all, tag, "key.history")?;
            ensure!(said.starts_with(&format!("{fingerprint}, key {number} of 3")), "{tag}: {said}");
            ensure!(of_all[tag]["key.continuity"] == "holds", "{tag}");
        }
        let words = "each key since then is endorsed";
        for (tag, words) in [("v0.1.1", "the same key as v0.1.0"), ("v0.2.0", words), ("v0.1.2", words)] {
            let said = evidence(&all, tag, "key.continuity")?;
            ensure!(said.contains(words), "{tag}: {said}");
        }

        rotate(&mut project, 4, "TESTBED_COSIGN_2", &["--lost", "both media were flooded"])?;
        release(&project, "v0.4.0")?;
        release(&project, "v0.4.1")?;
        ensure_copied(&pulled(&project, "v0.4.1")?, "what the new key signed")?;
        ensure_refused(&pulled(&project, "v0.3.0-rc.1")?, "what the lost key signed", REFUSED)?;
        // The clone from before the rotation does not know the new key, and says so.
        stranger.git(&[
            "fetch",
            "--quiet",
            "origin",
            "refs/tags/v0.4.1:refs/tags/v0.4.1",
            "refs/tags/v0.4.0:refs/tags/v0.4.0",
        ])?;
        stranger.git(&["update-ref", "refs/remotes/origin/main", "HEAD"])?;
        let old = document(&Xtask::new(&stranger, &["verify", "v0.4.1", "--json"]).run()?, 4)?;
        let said = evidence(&old, "v0.4.1", "key.history")?;
        ensure!(said.contains("run `git fetch origin`"), "{said}");

        stranger.git(&["fetch", "--quiet", "origin"])?;
        let verify =
            |tag: &str, code| document(&Xtask::new(&stranger, &["verify", tag, "--json"]).run()?, code);
        let first = verify("v0.4.0", 1)?;
        ensure!(broken(&verdicts(&first)?, "v0.4.0") == ["key.continuity"], "{first:#}");
        let next = verify("v0.4.1", 0)?;
        let said = evidence(&next, "v0.4.1", "key.history")?;
        ensure!(said.contains("no key endorses key 4") && said.contains("both media were flooded"), "{said}");
        ensure!(evidence(&verify("v0.1.0", 0)?, "v0.1.0", "key.history")?.contains("key 1 of 4"));
        Ok(())
    })
}
