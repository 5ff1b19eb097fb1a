//! Releases that are not simply the next version: a pre-release, and a backport to an older line.

use anyhow::{Context as _, Result};
use testbed::forge_client::State;
use xtask::oci::reference::Tag;
use xtask::process::temp_dir::random_hex;

use super::project::Project;
use super::snapshot::Snapshot;
use crate::harness::test;

/// Random hexadecimal text of at least `length` bytes. Compression cannot make it smaller than half of that.
fn noise(length: usize) -> Result<String> {
    let mut text = String::new();
    while text.len() < length {
        text += &random_hex()?;
    }
    Ok(text)
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn a_pre_release_and_a_backport_do_not_move_latest() -> Result<()> {
    test(|| {
        let project = Project::new()?;
        let first = project.head()?;
        let backport = project.commit("fix: for the old line")?;
        let candidate = project.commit("feat: new in the candidate")?;
        // Half a MiB, which is at least a quarter of a MiB in the compressed image.
        project.checkout.write("service/src/ballast", &noise(512 << 10)?)?;
        let second = project.commit("fix: found in the candidate")?;
        project.push_main()?;
        for commit in [&first, &backport, &candidate, &second] {
            project.set_status(commit, State::Success)?;
        }
        let watcher = project.watch()?;
        let release = |tag: &str, commit: &str| -> Result<Snapshot> {
            project.checkout.git(&["tag", tag, commit])?;
            project.push_tags()?;
            project.laptop(&["release", tag]).run()?.success()?;
            Snapshot::of(&project)
        };

        let v0_1_0 = release("v0.1.0", &first)?.tags["v0.1.0"].clone();
        let after = release("v0.2.0-rc.1", &candidate)?;
        assert!(after.page("v0.2.0-rc.1")?.prerelease && !after.page("v0.1.0")?.prerelease);
        assert_eq!(after.tags["latest"], v0_1_0, "a pre-release is not the latest");
        assert_eq!(project.latest_page()?, "v0.1.0");

        let after = release("v0.2.0", &second)?;
        let (v0_2_0, notes) = (&after.tags["v0.2.0"], &after.page("v0.2.0")?.body);
        assert_eq!(&after.tags["latest"], v0_2_0);
        assert_eq!(project.latest_page()?, "v0.2.0");
        for subject in ["for the old line", "new in the candidate", "found in the candidate"] {
            assert!(notes.contains(subject), "since v0.1.0, not since the candidate:\n{notes}");
        }
        assert!(!notes.contains("chore: another forge"), "v0.1.0 already had that:\n{notes}");
        let grown = notes.lines().find(|line| line.starts_with("- Image for `linux/")).context("no size")?;
        assert!(grown.contains(" MiB (+0."), "{grown}");

        // By the runner, because the automatic token must be allowed to move the forge's own "latest" back.
        project.switch_workflows_on()?;
        project.checkout.git(&["tag", "v0.1.1", &backport])?;
        project.push_tags()?;
        project.wait_for_green_run("v0.1.1")?;
        let after = Snapshot::of(&project)?;
        assert_eq!(&after.tags["latest"], v0_2_0, "a backport is not the latest");
        assert_eq!(project.latest_page()?, "v0.2.0");
        let page = after.page("v0.1.1")?;
        assert!(page.body.contains("for the old line") && !page.body.contains("candidate"), "{}", page.body);
        assert!(after.pages.iter().all(|page| !page.draft), "{:#?}", after.pages);
        watcher.finish(&["v0.1.0", "v0.2.0-rc.1", "v0.2.0", "v0.1.1"])?;

        // As if the run of v0.1.0 had moved `latest` late, and had been stopped before it noticed v0.2.0.
        let registry = project.repository.registry();
        registry.put(&Tag::latest(), &registry.known_manifest(&v0_1_0.parse()?)?)?;
        project.laptop(&["release", "v0.1.0"]).run()?.success()?;
        assert_eq!(
            &Snapshot::of(&project)?.tags["latest"],
            v0_2_0,
            "the run that moved `latest` does not correct it"
        );
        Ok(())
    })
}
