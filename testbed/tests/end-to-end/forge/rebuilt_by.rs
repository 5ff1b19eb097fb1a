//! A rebuild by another person: attested beside the image with that person's key and listed, but not a claim of the
//! release.

use anyhow::{Result, ensure};
use xtask::process::secret::Secret;
use xtask::process::temp_dir::random_hex;

use super::project::{Project, new_key};
use super::rebuild::ensure_rebuilt;
use super::snapshot::Snapshot;
use crate::harness::checkout::text;
use crate::harness::run::Xtask;
use crate::harness::test;

const TAG: &str = "v0.1.0";

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn a_rebuild_is_attested_with_the_rebuilders_key_and_changes_no_claim() -> Result<()> {
    test(|| {
        let project = Project::ready()?;
        project.push_tag(TAG)?;
        project.laptop(&["release", TAG]).run()?.success()?;
        let released = Snapshot::of(&project)?;
        let password = Secret::new(random_hex()?);
        new_key(&project.checkout, "alice", &password)?;
        let (private, public) = (project.checkout.beside("alice.key"), project.checkout.beside("alice.pub"));
        let attest = ["verify", TAG, "--rebuild", "--attest", "--attest-key", text(&private)?];

        let without_login = Xtask::new(&project.checkout, &attest).run()?;
        ensure!(
            without_login.code == 2 && without_login.stderr.contains("--login"),
            "{}",
            without_login.stderr
        );
        ensure!(Snapshot::of(&project)? == released, "the refused run changed something");

        let attest = [&attest[..], &["--login"]].concat();
        let attest = || project.laptop(&attest).env("COSIGN_PASSWORD", password.expose()).run();
        let first = attest()?;
        ensure_rebuilt(&first)?;
        ensure!(first.stderr.contains("signed by sha256:"), "{}", first.stderr);
        let after = Snapshot::of(&project)?;
        let more: Vec<_> = after.tags.keys().filter(|tag| !released.tags.contains_key(*tag)).collect();
        ensure!(more.len() == 1 && more[0].contains(".rebuilt-"), "the run wrote {more:?}");
        let again = attest()?;
        ensure_rebuilt(&again)?;
        ensure!(again.stderr.contains("was there"), "{}", again.stderr);
        ensure!(Snapshot::of(&project)? == after, "the second run changed something");

        let listed = || Xtask::new(&project.checkout, &["verify", TAG]).run()?.success();
        let unknown = listed()?;
        ensure!(unknown.stdout.contains("by somebody, key sha256:"), "{}", unknown.stdout);
        project.checkout.write("keys/rebuilders/alice.pub", &std::fs::read_to_string(public)?)?;
        project.checkout.commit("keys: alice rebuilds")?;
        project.push_main()?;
        let known = listed()?;
        let says = ["by alice, key sha256:", "the same content, and the same digest"];
        ensure!(says.iter().all(|words| known.stdout.contains(words)), "{}", known.stdout);
        project.clean_up()
    })
}
