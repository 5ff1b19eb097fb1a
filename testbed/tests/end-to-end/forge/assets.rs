//! The files of a release page. The same command repairs what is missing, wrong or duplicated, and leaves alone the
//! files that people attached.

use anyhow::{Context as _, Result, ensure};
use xtask::evidence::assets::{SIGNATURE, SUMS, names, sbom_name};

use super::project::Project;
use super::snapshot::Snapshot;
use crate::harness::run::Xtask;
use crate::harness::test;

const TAG: &str = "v0.1.0";
const PICTURE: &str = "picture.png";

/// The names of the page's files, each as often as it occurs.
fn files(project: &Project) -> Result<Vec<String>> {
    let page = project.repository.release(TAG)?.context("there is no page")?;
    let mut names: Vec<_> = page.assets.into_iter().map(|asset| asset.name).collect();
    names.sort();
    Ok(names)
}

/// Whether `verify` finds that only the claim about the files is false.
fn is_detected(project: &Project) -> Result<bool> {
    let run = Xtask::new(&project.checkout, &["verify", TAG, "--json"]).run()?;
    let report: serde_json::Value = serde_json::from_str(&run.stdout)?;
    let claims = report["releases"][0]["claims"].as_array().context("no claims")?;
    let broken: Vec<_> = claims.iter().filter(|claim| claim["verdict"] != "holds").collect();
    Ok(run.code == 1 && broken.len() == 1 && broken[0]["id"] == "page.assets")
}

#[test]
fn the_files_of_a_page_are_repaired_and_other_files_are_left_alone() -> Result<()> {
    test(|| {
        let project = Project::ready()?;
        project.push_tag(TAG)?;
        project.laptop(&["release", TAG]).run()?.success()?;
        let tag = TAG.parse()?;
        let mut expected = names(&tag);
        expected.sort();
        assert_eq!(files(&project)?, expected);

        let repository = &project.repository;
        for bytes in [&b"one"[..], b"two"] {
            repository.attach(TAG, PICTURE, bytes)?;
        }
        Xtask::new(&project.checkout, &["verify", TAG]).run()?.success()?;
        expected.extend([PICTURE, PICTURE].map(str::to_owned));
        expected.sort();
        let damages: [&dyn Fn() -> Result<()>; 4] = [
            &|| repository.detach(TAG, &sbom_name(&tag)),
            &|| repository.detach(TAG, SIGNATURE),
            &|| repository.attach(TAG, SUMS, b"what somebody uploads once more"),
            &|| {
                repository.detach(TAG, SUMS)?;
                repository.attach(TAG, SUMS, b"other digests")
            },
        ];
        for (number, damage) in damages.iter().enumerate() {
            damage()?;
            ensure!(is_detected(&project)?, "after damage {number}, not exactly `page.assets` is false");
            project.laptop(&["release", TAG]).run()?.success()?;
            assert_eq!(files(&project)?, expected, "after damage {number}");
            Xtask::new(&project.checkout, &["verify", TAG]).run()?.success()?;
        }
        let before = Snapshot::of(&project)?;
        project.laptop(&["release", TAG]).run()?.success()?;
        ensure!(Snapshot::of(&project)? == before, "a finished release was changed");
        project.checkout.ensure_nothing_is_left()
    })
}
