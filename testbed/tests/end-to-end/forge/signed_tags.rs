//! If main requires signed tags, a release needs a signature by someone whom main lists, in addition to the
//! release's own key.

use anyhow::Result;
use testbed::forge_client::State;

use super::project::Project;
use crate::harness::checkout::text;
use crate::harness::run::{Finished, Xtask};
use crate::harness::{read, test};

const TAG: &str = "v0.1.0";

/// Makes a key for `who` and returns its line for `allowed_signers`.
pub(super) fn new_signer(project: &Project, who: &str) -> Result<String> {
    let file = project.checkout.beside(who);
    read("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", text(&file)?])?;
    let key = std::fs::read_to_string(file.with_extension("pub"))?;
    Ok(format!("{who}@example.org namespaces=\"git\" {key}"))
}

/// Signs HEAD as `who`, with the tag `tag`.
pub(super) fn sign(project: &Project, who: &str, tag: &str) -> Result<()> {
    let key = format!("user.signingKey={}", text(&project.checkout.beside(who))?);
    let sign = ["-c", "gpg.format=ssh", "-c", &key, "tag", "--sign", "--force", "--message", tag, tag];
    project.checkout.git(&sign).map(|_| ())
}

#[test]
fn a_tag_that_no_listed_maintainer_signed_is_refused() -> Result<()> {
    test(|| {
        let project = Project::new()?;
        project.checkout.replace(
            "Cargo.toml",
            "branches = [\"main\"]",
            "branches = [\"main\"]\ntags = \"signed\"",
        )?;
        project.checkout.commit("release: only signed tags")?;
        let project = project.pushed()?;
        let release = ["release", TAG];
        project.push_tag(TAG)?;
        project.refused(&release, &["which has no `keys/allowed_signers`"])?;

        let alice = new_signer(&project, "alice")?;
        new_signer(&project, "mallory")?;
        project.checkout.write("keys/allowed_signers", &alice)?;
        project.checkout.commit("keys: who may sign tags")?;
        project.push_main()?;
        project.set_status(&project.head()?, State::Success)?;
        let push = || project.repository.push(project.checkout.top(), &["--force", "--tags"]);
        project.checkout.git(&["tag", "--force", TAG])?;
        push()?;
        project.refused(&release, &["it is a lightweight tag", "tag --sign --force v0.1.0"])?;
        sign(&project, "mallory", TAG)?;
        push()?;
        project.refused(&release, &["No principal matched"])?;

        // Signed in this clone, but not yet on the forge.
        sign(&project, "alice", TAG)?;
        project.refused(&release, &["it is another tag at the same commit"])?;
        push()?;
        project.laptop(&release).run()?.success()?;

        let url = project.repository.url();
        let verify = || Xtask::new(&project.checkout, &["verify", TAG, "--source", &url]).run();
        let verified = verify()?.success()?.stdout;
        for words in
            ["in the history of `main`, one of", "signed by `alice@example.org` with the key SHA256:"]
        {
            assert!(verified.contains(words), "{verified}");
        }
        project.checkout.write("keys/allowed_signers", "# nobody\n")?;
        project.checkout.commit("keys: alice has left")?;
        project.push_main()?;
        let Finished { code, stdout, .. } = verify()?;
        assert!(code == 1 && stdout.contains("FALSE  tag.signed"), "{code}: {stdout}");
        Ok(())
    })
}
