//! `verify` as used by people who did not make the release: without a clone, without a network, and for all releases at
//! once.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::conflicts::push_foreign;
use super::project::{Project, new_key};
use super::released::{TAG, released};
use crate::harness::checkout::text;
use crate::harness::run::{Finished, Xtask};
use crate::harness::{read, test};

/// A separate network without any reachable address.
const NO_NETWORK: &str = "unshare --map-root-user --net";

/// The claim that the forge has the run on record.
const RUN: &str = "provenance.run";

/// A claim could not be checked.
const UNCHECKED: i32 = 4;

/// The document of a run that exited with `code`.
pub(super) fn document(run: &Finished, code: i32) -> Result<Value> {
    ensure!(run.code == code, "exit code {}, expected {code}:\n{}{}", run.code, run.stdout, run.stderr);
    let document: Value = serde_json::from_str(&run.stdout).context("standard output is no JSON")?;
    ensure!(document["schema"] == "xtask-verify/2", "{}", document["schema"]);
    Ok(document)
}

/// The claims of each release, with their verdicts.
pub(super) fn verdicts(document: &Value) -> Result<BTreeMap<String, BTreeMap<String, String>>> {
    let releases = document["releases"].as_array().context("no releases")?;
    let of_release = |release: &Value| {
        let claims = release["claims"].as_array().context("no claims")?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let claims = claims.iter().map(|claim| (text(&claim["id"]), text(&claim["verdict"]))).collect();
        Ok((text(&release["tag"]), claims))
    };
    releases.iter().map(of_release).collect()
}

/// The claims of a release that are false.
pub(super) fn broken<'a>(of: &'a BTreeMap<String, BTreeMap<String, String>>, tag: &str) -> Vec<&'a str> {
    let claims = of.get(tag).into_iter().flatten();
    claims.filter(|(_, verdict)| *verdict == "false").map(|(id, _)| id.as_str()).collect()
}

/// A directory with git, cosign and curl, and nothing else.
fn three_tools(beside: &Path) -> Result<String> {
    let dir = beside.join("three-tools");
    fs::create_dir_all(&dir)?;
    for tool in ["git", "cosign", "curl"] {
        let program = read("sh", &["-c", &format!("command -v {tool}")])?;
        let link = dir.join(tool);
        if !link.exists() {
            std::os::unix::fs::symlink(program, &link)?;
        }
    }
    Ok(text(&dir)?.to_owned())
}

#[test]
fn the_forge_knows_the_run_that_a_provenance_names() -> Result<()> {
    test(|| {
        let project = &released()?.project;
        let run = project.laptop(&["verify", TAG, "--login", "--json"]).run()?;
        assert_eq!(verdicts(&document(&run, 0)?)?[TAG][RUN], "holds");
        Ok(())
    })
}

#[test]
fn a_stranger_needs_only_the_digest_the_key_an_address_and_three_tools() -> Result<()> {
    test(|| {
        let project = &released()?.project;
        let digest = project.digest(TAG)?;
        let image = format!("{}@{digest}", project.repository.image());
        let key = project.checkout.beside("own.pub");
        let elsewhere = format!("cd / && PATH='{}'", three_tools(project.checkout.tmp())?);
        let url = project.repository.url();
        let arguments = ["verify", &image, "--key", text(&key)?, "--source", &url, "--json"];
        let run = Xtask::new(&project.checkout, &arguments).before(&elsewhere).run()?;
        let document = document(&run, 0)?;
        assert_eq!(verdicts(&document)?[TAG]["key"], "holds");
        // The forge decides whether a stranger may see its runs.
        match verdicts(&document)?[TAG].get(RUN).map(String::as_str) {
            None => assert_eq!(document["releases"][0]["not_asked"], json!([RUN])),
            mark => assert_eq!((mark, &document["releases"][0]["not_asked"]), (Some("holds"), &json!([]))),
        }

        new_key(&project.checkout, "another", &project.secrets.password)?;
        let key = project.checkout.beside("another.pub");
        let arguments = ["verify", &image, "--key", text(&key)?, "--source", &url, "--json"];
        let run = Xtask::new(&project.checkout, &arguments).before(&elsewhere).run()?;
        let verdicts = verdicts(&self::document(&run, 1)?)?;
        let of_image = ["page.commands", "provenance", "sbom", "signature", "signature.platforms"];
        let expected = [&["key", "key.history"], &of_image[..]].concat();
        assert_eq!(broken(&verdicts, TAG), expected);
        Ok(())
    })
}

#[test]
fn a_source_that_releases_under_another_name_is_rejected() -> Result<()> {
    test(|| {
        let project = &released()?.project;
        let image = format!("{}@{}", project.repository.image(), project.digest(TAG)?);
        let same_place = project.repository.url().replace("127.0.0.1", "localhost");
        let run = Xtask::new(&project.checkout, &["verify", &image, "--source", &same_place]).run()?;
        assert!(run.code == 2 && run.stderr.contains("releases as"), "{} {}", run.code, run.stderr);
        Ok(())
    })
}

#[test]
fn a_saved_release_verifies_without_a_network_and_a_changed_blob_is_detected() -> Result<()> {
    test(|| {
        let project = &released()?.project;
        let dir = project.checkout.tmp().join("saved");
        let saved = text(&dir)?;
        Xtask::new(&project.checkout, &["verify", TAG, "--save", saved]).run()?.success()?;
        let offline = || {
            let words = ["verify", TAG, "--offline", saved, "--json"];
            Xtask::new(&project.checkout, &words).within(NO_NETWORK).run()
        };
        let whole = document(&offline()?, 0)?;
        let nothing_known = project.checkout.tmp().join("empty-cache");
        let words = ["verify", TAG, "--offline", saved, "--json"];
        let anew = Xtask::new(&project.checkout, &words).within(NO_NETWORK);
        let anew = anew.env("XDG_CACHE_HOME", text(&nothing_known)?).run()?;
        assert_eq!(document(&anew, 0)?, whole, "on a machine that has seen nothing of it");
        fs::remove_dir_all(&nothing_known)?;
        let left_out = whole["releases"][0]["not_asked"].to_string();
        assert!(left_out.contains("page.state") && left_out.contains("latest"), "{left_out}");

        for (number, file) in blobs(&dir)?.iter().enumerate() {
            let bytes = fs::read(file)?;
            let mut changed = bytes.clone();
            *changed.last_mut().context("an empty blob")? ^= 1;
            fs::write(file, changed)?;
            let run = offline()?;
            ensure!(run.code == 1, "{number} {}: exit code {}\n{}", file.display(), run.code, run.stdout);
            fs::write(file, bytes)?;
        }
        document(&offline()?, 0)?;
        fs::remove_dir_all(&dir)?;
        Ok(())
    })
}

fn blobs(layout: &Path) -> Result<Vec<std::path::PathBuf>> {
    let entries = fs::read_dir(layout.join("blobs/sha256"))?.collect::<std::io::Result<Vec<_>>>()?;
    ensure!(entries.len() > 8, "{} blobs", entries.len());
    Ok(entries.into_iter().map(|entry| entry.path()).collect())
}

#[test]
fn verify_all_includes_tags_pages_and_images_without_a_counterpart() -> Result<()> {
    test(|| {
        let project = Project::ready()?;
        project.push_tag("v0.1.0")?;
        project.laptop(&["release", "v0.1.0"]).run()?.success()?;
        let all = || Xtask::new(&project.checkout, &["verify", "--all", "--json"]).run();
        let good = verdicts(&document(&all()?, 0)?)?;

        project.push_tag("v0.0.1")?;
        push_foreign(&project, "v0.0.1")?;
        project.push_tag("v0.0.2")?;
        let page =
            json!({"tag_name": "v0.0.2", "target_commitish": "main", "name": "a page", "body": "no image"});
        project.repository.publish(&page)?;
        push_foreign(&project, "v0.0.3")?;
        let found = verdicts(&document(&all()?, 1)?)?;
        assert_eq!(found.keys().collect::<Vec<_>>(), ["v0.0.1", "v0.0.2", "v0.0.3", "v0.1.0"]);
        assert_eq!(found["v0.1.0"], good["v0.1.0"], "the good release is not affected");
        let unsigned = broken(&found, "v0.0.1");
        assert!(["signature", "provenance", "sbom", "page.state"].iter().all(|id| unsigned.contains(id)));
        assert_eq!(broken(&found, "v0.0.2"), ["tag.image"], "a page without an image");
        assert_eq!(broken(&found, "v0.0.3"), ["tag.git"], "an image without a git tag");
        // A person released it, so the forge has no run on record.
        let is_asked = |id: &&String| *id != "provenance.run";
        let ids = |tag: &str| found[tag].keys().filter(is_asked).collect::<Vec<_>>();
        assert_eq!(ids("v0.0.2"), ids("v0.1.0"), "every claim is listed, whether or not it could be checked");
        Ok(())
    })
}

#[test]
fn a_release_whose_git_tag_is_gone_leaves_the_key_of_the_next_one_open() -> Result<()> {
    test(|| {
        let project = Project::ready()?;
        for tag in ["v0.1.0", "v0.1.1"] {
            project.push_tag(tag)?;
            project.laptop(&["release", tag]).run()?.success()?;
        }
        let verify = || Xtask::new(&project.checkout, &["verify", "v0.1.1", "--json"]).run();
        let good = verdicts(&document(&verify()?, 0)?)?;
        project.checkout.git(&["tag", "--delete", "v0.1.0"])?;
        let found = verdicts(&document(&verify()?, UNCHECKED)?)?;
        let changed: Vec<_> = found["v0.1.1"]
            .iter()
            .filter(|(id, verdict)| good["v0.1.1"].get(*id) != Some(*verdict))
            .collect();
        ensure!(changed.len() == 1 && found["v0.1.1"]["key.continuity"] == "unchecked", "{changed:?}");
        Ok(())
    })
}

#[test]
fn without_a_network_every_claim_that_needs_it_is_unchecked() -> Result<()> {
    test(|| {
        let project = &released()?.project;
        let words = ["verify", TAG, "--json"];
        let run = Xtask::new(&project.checkout, &words).within(NO_NETWORK).run()?;
        let verdicts = verdicts(&document(&run, UNCHECKED)?)?;
        // The claims about the key need only the clone.
        let asked: Vec<_> = verdicts[TAG].iter().filter(|(id, _)| !id.starts_with("key.")).collect();
        ensure!(asked.len() > 10, "only {} claims: {verdicts:#?}", asked.len());
        ensure!(asked.iter().all(|(_, verdict)| *verdict == "unchecked"), "{verdicts:#?}");
        Ok(())
    })
}
