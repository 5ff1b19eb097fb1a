//! Step 3, export: the commit as files, and nothing else; and what npm says of them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::inputs::{PACKAGE_JSON, PACKAGE_LOCK};
use crate::refuse;
use crate::release::Release;
use crate::sbom;
use crate::scratch::Scratch;
use crate::tool::git::{Commit, Git};
use crate::tool::npm::Npm;

/// The exported commit; the files go away with it.
pub struct Export {
    scratch: Scratch,
}

impl Export {
    /// Exports the commit. Its configuration counts as well, and not the work tree's: a newer xtask that finishes an
    /// older tag gives the same digest.
    ///
    /// # Errors
    /// When git fails or the disk is full.
    pub fn of(git: &Git, commit: &Commit) -> Result<Self> {
        let scratch = Scratch::new()?;
        git.export(commit, scratch.path()).with_context(|| {
            format!(
                "writing the commit's files to `{}`; if that disk is full, free some, or set `TMPDIR` to a directory on \
                 another disk",
                scratch.path().display()
            )
        })?;
        Ok(Self { scratch })
    }

    /// The top of the exported tree: the build context.
    #[must_use]
    pub fn tree(&self) -> PathBuf {
        self.scratch.path().join("tree")
    }
}

/// A directory with `package.json` and `package-lock.json` of the commit and nothing else: npm runs what an `.npmrc` beside
/// them names, as this user.
fn package(release: &Release<'_>) -> Result<Scratch> {
    let Release { session, source, .. } = release;
    let (scratch, paths) = (Scratch::new()?, [PACKAGE_JSON, PACKAGE_LOCK]);
    for (path, bytes) in paths.into_iter().zip(session.git.files(&source.commit, paths)?) {
        let bytes = bytes.with_context(|| format!("commit {} has no `{path}`", source.commit))?;
        let name = Path::new(path).file_name().context("a path without a name")?;
        fs::write(scratch.path().join(name), bytes).with_context(|| format!("writing `{path}` for npm"))?;
    }
    Ok(scratch)
}

/// Why a build or an SBOM failed: when npm itself refuses the lockfile, that is the reason, in its own words. Else gives
/// `error` back, as it was or with the reason why npm could not say.
///
/// # Errors
/// A [`crate::failure::Refusal`] for the lockfile; when a signal stopped it.
pub fn explain(release: &Release<'_>, error: anyhow::Error) -> Result<anyhow::Error> {
    crate::interrupt::check()?;
    match Npm::new(release.session.runner, package(release)?.path()).check_lockfile() {
        Ok(Ok(())) => Ok(error),
        Ok(Err(words)) => refuse!(
            "`npm ci` refuses the lockfile; run `npm install --package-lock-only` in `service/` and commit the result:\n{words}"
        ),
        Err(unasked) => {
            Ok(error.context(format!("could not ask npm whether it is the lockfile ({unasked:#})")))
        }
    }
}

/// The SBOM of the commit's production dependencies: the same bytes each time.
///
/// # Errors
/// When npm fails, or lists other packages than the lockfile.
pub fn sbom(release: &Release<'_>) -> Result<Vec<u8>> {
    let Release { session, source, .. } = release;
    let npm = Npm::new(session.runner, package(release)?.path()).sbom()?;
    let subject = sbom::Subject {
        title: &session.config.title,
        tag: &source.tag,
        commit: &source.commit,
        time: source.time,
    };
    sbom::finish(&npm, &subject, &release.inputs.lockfile)
}
