//! What another branch's build leaves in the cache of the same builder. A release and a rebuild use nothing of that.

use anyhow::{Result, ensure};
use xtask::process::temp_dir::random_hex;

use super::project::Project;
use super::rebuild::ensure_rebuilt;
use crate::harness::run::Xtask;
use crate::harness::{call, export, read, test};

const TAG: &str = "v0.1.0";

/// What the step that reads the cache writes, and the file that it writes.
const CLEAN: &str = "nothing";
const POISON: &str = "poisoned";
const FILE: &str = "/app/found";

/// A build of something else that writes into the cache mount `cache`.
fn poison(cache: &str) -> Result<()> {
    let images = export("TESTBED_BASE_STAND_IN")?;
    let image = images.split(' ').next().unwrap_or_default();
    let recipe = format!(
        "FROM {image}\nRUN --network=none --mount=type=cache,target={cache} echo {POISON} > {cache}/x\n"
    );
    call("docker", &["buildx", "build", "--no-cache", "--output=type=cacheonly", "-"])?.stdin(recipe).run()
}

/// The content of the file in an image.
fn found(image: &str) -> Result<String> {
    read("docker", &["run", "--rm", "--network=none", "--entrypoint=cat", image, FILE])
}

#[test]
fn a_poisoned_cache_reaches_neither_a_release_nor_a_rebuild() -> Result<()> {
    test(|| {
        let project = Project::ready()?;
        let cache = format!("/cache-{}", &random_hex()?[..12]);
        let step = format!(
            "COPY service/src ./src\nRUN --network=none --mount=type=cache,target={cache} cat {cache}/x > found || echo {CLEAN} > found\n"
        );
        project.checkout.replace("Dockerfile", "COPY service/src ./src\n", &step)?;
        project.commit("build: read a cache")?;
        project.push_main()?;
        project.set_status(&project.head()?, testbed::forge_client::State::Success)?;
        poison(&cache)?;

        // The poison works: a rehearsal shares its cache with every build, and also leaves a poisoned layer.
        let rehearsed = Xtask::new(&project.checkout, &["rehearse"]).run()?.success()?;
        ensure!(found(&rehearsed.pinned()?)? == POISON, "the cache was not poisoned");

        project.push_tag(TAG)?;
        let released = project.laptop(&["release", TAG]).run()?.success()?;
        let image = format!("{}@{}", project.repository.image(), released.digest()?);
        ensure!(found(&image)? == CLEAN, "the release used what another build had left");
        ensure_rebuilt(&Xtask::new(&project.checkout, &["verify", TAG, "--rebuild"]).run()?)
    })
}
