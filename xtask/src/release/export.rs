//! Steps 3 and 4, export and lockfile: the commit as files, and nothing else; and what is read from it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::dockerfile::{self, BaseImages};
use crate::lockfile::{self, Lockfile};
use crate::reference::Digest;
use crate::refuse;
use crate::release::Release;
use crate::sbom;
use crate::scratch::Scratch;
use crate::tool::npm::Npm;

/// Files whose digest goes into the provenance: they decide what is built.
const INPUTS: [&str; 3] = ["Dockerfile", "service/package.json", "service/package-lock.json"];

/// The exported commit; the files go away with it.
pub struct Export {
    scratch: Scratch,
    /// What the Dockerfile pins.
    pub base: BaseImages,
    /// What the lockfile pins.
    pub lockfile: Lockfile,
    /// Path and digest of each input file.
    pub files: Vec<(String, Digest)>,
}

impl Export {
    /// The top of the exported tree: the build context.
    #[must_use]
    pub fn tree(&self) -> PathBuf {
        self.scratch.path().join("tree")
    }

    /// The digest of one of the input files.
    ///
    /// # Errors
    /// When it is none of them.
    pub fn digest_of(&self, path: &str) -> Result<&Digest> {
        let file = self.files.iter().find(|(name, _)| name == path);
        file.map(|(_, digest)| digest).with_context(|| format!("`{path}` is not among the inputs"))
    }
}

/// Exports the commit and reads what it pins.
///
/// # Errors
/// A [`crate::failure::Refusal`] when the Dockerfile or the lockfile breaks a rule.
pub fn run(release: &Release<'_>) -> Result<Export> {
    let Release { session, source, .. } = release;
    session.steps.run("export", source.commit.as_str(), || {
        let scratch = Scratch::new()?;
        session.git.export(&source.commit, scratch.path())?;
        let tree = scratch.path().join("tree");
        let base = dockerfile::read(&tree)?;
        let lockfile = lockfile::read(&tree.join("service"))?;
        let files = INPUTS.iter().map(|path| digest(&tree, path)).collect::<Result<_>>()?;
        Ok(Export { scratch, base, lockfile, files })
    })
}

/// Asks npm itself whether `npm ci` would accept the lockfile, before anything is built from it.
///
/// # Errors
/// A [`crate::failure::Refusal`] with npm's own words when it would not.
pub fn check_with_npm(release: &Release<'_>, export: &Export) -> Result<()> {
    if let Err(words) = Npm::new(release.session.runner, &export.tree().join("service")).check_lockfile()? {
        refuse!(
            "`npm ci` refuses the lockfile; run `npm install --package-lock-only` in `service/` and commit the result:\n{words}"
        );
    }
    Ok(())
}

/// The SBOM of the commit's production dependencies: the same bytes each time.
///
/// # Errors
/// When npm fails, or lists other packages than the lockfile.
pub fn sbom(release: &Release<'_>, export: &Export) -> Result<Vec<u8>> {
    let Release { session, source, .. } = release;
    let npm = Npm::new(session.runner, &export.tree().join("service")).sbom()?;
    let subject = sbom::Subject { tag: &source.tag, commit: &source.commit, time: source.time };
    sbom::finish(&npm, &subject, &export.lockfile)
}

fn digest(tree: &Path, path: &str) -> Result<(String, Digest)> {
    let bytes = std::fs::read(tree.join(path)).with_context(|| format!("reading `{path}` of the commit"))?;
    Ok((path.to_owned(), Digest::of(&bytes)))
}
