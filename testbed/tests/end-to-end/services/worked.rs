//! A worked service in its own repository, and its release.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use testbed::forge_client::State;

use super::configuration::merged;
use crate::forge::image::forget;
use crate::forge::project::Project;
use crate::forge::rebuild::ensure_rebuilt;
use crate::harness::builder::Builder;
use crate::harness::image;
use crate::harness::run::{Finished, Xtask};
use crate::harness::uncached::run_uncached;

/// The directory of the services.
const SERVICES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/services");

/// The files with values that are only known when a test runs.
const FILLED_IN: [&str; 4] = ["Dockerfile", "release.toml", ".npmrc", "package-lock.json"];

/// The tag that is released.
pub(super) const TAG: &str = "v0.1.0";

/// A service with everything that it needs for a release.
pub(super) struct Worked {
    pub(super) project: Project,
    /// Additional environment variables of a release and a rebuild.
    variables: Vec<(String, String)>,
}

/// A release of it.
pub(super) struct Released {
    run: Finished,
    pinned: String,
}

impl Worked {
    /// This repository's own service.
    pub(super) fn own() -> Result<Self> {
        Ok(Self { project: Project::for_both_platforms()?, variables: Vec::new() })
    }

    /// The service in `testbed/services/NAME`, in place of this repository's own. In the files of [`FILLED_IN`],
    /// each name in `values` is replaced by its value. The content of `release.toml` is merged into `Cargo.toml`.
    pub(super) fn new(name: &str, values: &[(&str, &str)]) -> Result<Self> {
        Self::filled_in(name, |text| {
            Ok(values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value)))
        })
    }

    /// Like [`Worked::new`], with each of these files transformed by `fill_in`.
    pub(super) fn filled_in(name: &str, fill_in: impl Fn(&str) -> Result<String>) -> Result<Self> {
        let worked = Self::own()?;
        let checkout = &worked.project.checkout;
        checkout.git(&["rm", "-r", "--quiet", "service", "Dockerfile", ".dockerignore"])?;
        let directory = Path::new(SERVICES).join(name);
        for file in files_below(&directory)? {
            let text = fs::read_to_string(&file).with_context(|| format!("reading `{}`", file.display()))?;
            let path = file.strip_prefix(&directory).context("a file that is not below its directory")?;
            let path = path.to_str().context("a path that is not UTF-8")?;
            let text = if FILLED_IN.contains(&path) { fill_in(&text)? } else { text };
            if path == "release.toml" {
                let manifest = String::from_utf8(checkout.committed("Cargo.toml")?)?;
                checkout.write("Cargo.toml", &merged(&manifest, &text))?;
            } else {
                checkout.write(path, &text)?;
            }
        }
        checkout.commit(&format!("the service {name}"))?;
        Ok(worked)
    }

    /// Adds a variable to the environment of releases and rebuilds.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The service's name in its `package.json`.
    pub(super) fn package_name(&self) -> Result<String> {
        let checkout = &self.project.checkout;
        let at_the_top = checkout.top().join("package.json").exists();
        let file = if at_the_top { "package.json" } else { "service/package.json" };
        let package: serde_json::Value = serde_json::from_slice(&checkout.committed(file)?)?;
        Ok(package["name"].as_str().context("a package without a name")?.to_owned())
    }

    /// `xtask` with the secrets of a release, as a person runs it.
    pub(super) fn run(&self, arguments: &[&str]) -> Xtask<'_> {
        let run = self.project.laptop(arguments);
        self.variables.iter().fold(run, |run, (name, value)| run.env(name, value))
    }

    /// Releases it twice; the second time must change nothing.
    pub(super) fn release(&self) -> Result<Released> {
        let project = &self.project;
        project.push_main()?;
        project.set_status(&project.head()?, State::Success)?;
        project.push_tag(TAG)?;
        let run = self.run(&["release", TAG]).run()?.success()?;
        let again = self.run(&["release", TAG]).run()?.success()?;
        ensure!(again.digest()? == run.digest()?, "the second release has the digest {}", again.digest()?);
        forget(project)?;
        Ok(Released { pinned: run.pinned()?, run })
    }
}

impl Released {
    /// Each platform with its image.
    pub(super) fn platforms(&self) -> Result<Vec<(String, String)>> {
        image::platforms(&self.pinned, &image::json(&self.pinned)?)
    }

    /// Built again on the same engine without cached layers, it must be the same image. On the second engine and on
    /// the second `BuildKit`, it must have the same content.
    pub(super) fn is_the_same_everywhere(&self, worked: &Worked) -> Result<()> {
        let here = run_uncached(worked.run(&["rehearse", TAG]))?.success()?;
        ensure!(here.digest()? == self.run.digest()?, "on the same engine the digest is {}", here.digest()?);
        let elsewhere = worked.run(&["rehearse", TAG]).on_the_second_engine()?.run()?.success()?;
        ensure!(
            content(&elsewhere.pinned()?)? == content(&self.pinned)?,
            "the content from the second engine differs"
        );
        let rebuild = ["verify", TAG, "--rebuild", "--login"];
        ensure_rebuilt(&worked.run(&rebuild).on_the_second_engine()?.run()?)?;
        let builder = Builder::second()?;
        let rebuild = worked.run(&["verify", TAG, "--rebuild", "--login", "--builder", builder.name()]);
        ensure_rebuilt(&rebuild.env("DOCKER_CONFIG", builder.configuration()?).run()?)
    }

    /// The SBOM of the release.
    pub(super) fn sbom(&self, worked: &Worked) -> Result<serde_json::Value> {
        crate::evidence::predicate(&worked.project.checkout, &self.run, 2)
    }
}

/// The digest of each platform's configuration, which names every layer by its uncompressed bytes.
fn content(pinned: &str) -> Result<BTreeMap<String, String>> {
    let platforms = image::platforms(pinned, &image::json(pinned)?)?;
    let of_platform = |(platform, manifest): (String, String)| {
        let manifest = image::json(&manifest)?;
        let digest = manifest["config"]["digest"].as_str().context("a manifest without a configuration")?;
        Ok((platform, digest.to_owned()))
    };
    platforms.into_iter().map(of_platform).collect()
}

/// Every file, sorted by path. What npm has installed for experiments is not part of a service.
fn files_below(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).with_context(|| format!("listing `{}`", directory.display()))? {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with("node_modules") {
            files.extend(files_below(&path)?);
        } else if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
