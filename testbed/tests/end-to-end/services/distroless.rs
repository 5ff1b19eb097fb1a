//! This repository's service on a distroless image, which has no shell, and a file for each package of the system. No
//! such image is available, so a stand-in replaces it: it has only node, its libraries and what distroless images say
//! about themselves.

use anyhow::{Context as _, Result, ensure};

use crate::evidence::predicate;
use crate::harness::checkout::{Checkout, text};
use crate::harness::run::Xtask;
use crate::harness::{export, read, test};

/// Makes the stand-in. Only its first stage has a shell.
const RECIPE: &str = "FROM STAND_IN AS full\n\
    RUN mkdir -p /root/nodejs/bin /root/usr/lib /root/var/lib/dpkg/status.d && \\\n\
    cp \"$(command -v node)\" /root/nodejs/bin/node && cp -L /etc/os-release /root/usr/lib/os-release && \\\n\
    for file in $(ldd /root/nodejs/bin/node | grep -o '/[^ )]*'); do cp -L --parents $file /root; done && \\\n\
    printf 'Package: libc6\\nVersion: 2.36-9\\nSource: glibc\\n' > /root/var/lib/dpkg/status.d/libc6\n\
    FROM scratch\nCOPY --from=full /root/ /\nENV PATH=/usr/bin:/bin\nENTRYPOINT [\"/nodejs/bin/node\"]\n";

/// Pushes the stand-in for both platforms, and returns its reference.
fn stand_in(checkout: &Checkout) -> Result<String> {
    let base = format!("{}/testbed/distroless:node-22", export("TESTBED_REGISTRY")?);
    let (directory, metadata) = (checkout.beside("distroless"), checkout.beside("distroless.json"));
    std::fs::create_dir(&directory)?;
    let recipe = RECIPE.replace("STAND_IN", &export("TESTBED_BASE_STAND_IN")?);
    std::fs::write(directory.join("Dockerfile"), recipe)?;
    let file = format!("--metadata-file={}", metadata.display());
    let build = ["buildx", "build", "--platform=linux/amd64,linux/arm64", "--provenance=false", "--push"];
    read("docker", &[&build[..], &["--tag", &base, &file, text(&directory)?]].concat())?;
    let metadata: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(metadata)?)?;
    let digest = metadata["containerimage.digest"].as_str().context("the builder names no digest")?;
    Ok(format!("{base}@{digest}"))
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn a_service_on_a_distroless_image_is_started_and_its_packages_are_read() -> Result<()> {
    test(|| {
        let checkout = Checkout::for_both_platforms()?;
        let base = stand_in(&checkout)?;
        let recipe = String::from_utf8(checkout.committed("Dockerfile")?)?;
        let (stages, last) = recipe.rsplit_once("\nFROM ").context("the Dockerfile has no `FROM`")?;
        let (_, last) = last.split_once('\n').context("the last stage is empty")?;
        let last = last.replace("[\"node\"", "[\"/nodejs/bin/node\"");
        checkout.write("Dockerfile", &format!("{stages}\nFROM {base}\n{last}"))?;
        checkout.commit("a distroless base image")?;
        let run = Xtask::new(&checkout, &["rehearse"]).run()?.success()?;
        ensure!(run.stderr.contains("the SBOM has node without a version"), "{}", run.stderr);
        let page = checkout.page(&run)?;
        ensure!(!page.contains("not run"), "a platform was not run:\n{page}");
        let sbom = predicate(&checkout, &run, 2)?;
        let components = sbom["components"].as_array().context("the SBOM has no components")?;
        let has = |name: &str| components.iter().any(|component| component["name"] == name);
        ensure!(has("libc6") && has("node") && has("fastify"), "{components:#?}");
        checkout.ensure_nothing_is_left()
    })
}
