//! A service on alpine, with a module that has a different binary for musl. If alpine's image is not available, the
//! testbed's stand-in replaces it; its musl is a real one.

use anyhow::{Result, ensure};

use super::asked::Asked;
use super::worked::{Released, TAG, Worked};
use crate::harness::{environment, test};

/// The base image of the service.
const BASE: &str = "node:22-alpine";

/// The same image under a tag that does not say what it is. If there is a digest, the tag is only for people.
const UNNAMED: &str = "node:22-own";

/// Replaces `base` by the stand-in, if there is one.
fn on_musl(worked: Worked, base: &str) -> Result<Worked> {
    Ok(match environment().get("TESTBED_MUSL_STAND_IN")? {
        None => worked,
        Some(image) => worked.with("TESTBED_BASE_STAND_IN", image).with("TESTBED_BASE_STAND_IN_FOR", base),
    })
}

/// The service, and its release.
fn released() -> Result<(Worked, Released)> {
    let worked = on_musl(Worked::new("alpine", &[])?, BASE)?;
    let released = worked.release()?;
    Ok((worked, released))
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn a_service_on_alpine_answers_on_both_platforms() -> Result<()> {
    test(|| {
        let (worked, released) = released()?;
        for (platform, image) in released.platforms()? {
            let said = Asked::new(&platform, &image, 3000).ask(&worked, &["/healthz"])?;
            let works = said.iter().all(|said| said["libc"] == "musl" && said["size"].as_u64() > Some(0));
            ensure!(works, "{platform}: it says {said:?}");
        }
        released.sbom_is_what_the_scanner_finds(&worked)
    })
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn a_service_on_alpine_is_the_same_everywhere() -> Result<()> {
    test(|| {
        let (worked, released) = released()?;
        released.is_the_same_everywhere(&worked)
    })
}

/// `check` only looks at the name of the base image, which does not show the C library here.
#[test]
fn packages_for_the_wrong_libc_stop_the_release_if_only_the_image_shows_it() -> Result<()> {
    test(|| {
        let worked = on_musl(Worked::new("alpine", &[])?, UNNAMED)?;
        let checkout = &worked.project.checkout;
        let dockerfile = String::from_utf8(checkout.committed("Dockerfile")?)?;
        let dockerfile = dockerfile.replace(BASE, UNNAMED);
        checkout.write("Dockerfile", &dockerfile.replace("--libc=musl", "--libc=glibc"))?;
        checkout.commit("packages for glibc")?;
        worked.project.tag(TAG)?;
        worked.run(&["check"]).run()?.success()?;
        let run = worked.run(&["rehearse", TAG]).run()?;
        // The service does not start either.
        ensure!(run.code == 1 && run.stdout.is_empty(), "exit code {}:\n{}", run.code, run.stderr);
        for words in [
            "the image for `linux/amd64` with musl has binaries that cannot run there",
            "sharp-linux-x64.node` of the npm package `@img/sharp-linux-x64` is for x64 with glibc",
            "`npm ci --os=linux --cpu=x64 --libc=musl`",
            "nothing was signed or published",
        ] {
            ensure!(run.stderr.contains(words), "the message does not say `{words}`:\n{}", run.stderr);
        }
        Ok(())
    })
}
