//! What a commit says about its image: the packages, the base image, and what it asks of the person who runs it. It is
//! read to compare two releases. A part that cannot be read, for example because it follows older rules, is left out of
//! the comparison and is no error.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::inputs::config::{Config, Folder, MANIFEST};
use crate::inputs::dockerfile::{self, runtime};
use crate::inputs::lockfile::pinned::Pinned;
use crate::inputs::{DOCKERFILE, PACKAGE_LOCK};
use crate::tool::git::{Commit, Git, NoFile};

/// A larger Dockerfile or configuration is not read; in bytes.
const LARGEST: usize = 1 << 20;

/// One part of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<T> {
    /// It has this content.
    Read(T),
    /// There is no such file.
    Absent,
    /// The file cannot be read.
    Unread,
}

/// The parameters of the smoke test.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trial {
    /// The names of the service's variables.
    pub variables: BTreeSet<String>,
    /// The port on which it listens.
    pub port: Option<u16>,
    /// The directories to which it writes: in memory and on volumes.
    pub writable: BTreeSet<String>,
}

/// What a commit says about its image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// From the lockfile.
    pub packages: Part<Pinned>,
    /// From the Dockerfile.
    pub runtime: Part<runtime::Runtime>,
    /// From the configuration.
    pub trial: Part<Trial>,
}

/// The shapes of two releases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shapes {
    /// The earlier release.
    pub before: Shape,
    /// The release that the notes are about.
    pub after: Shape,
}

impl Shapes {
    /// Reads both from git. If the older configuration cannot be read, its lockfile is expected in the newer one's
    /// folder.
    ///
    /// # Errors
    /// When git does not answer: another run might get an answer and write different notes.
    pub fn of(git: &Git, before: &Commit, after: &Commit) -> Result<Self> {
        let config = |commit| anyhow::Ok(config(file(git, commit, MANIFEST)?));
        let (after_config, before_config) = (config(after)?, config(before)?);
        let folder = |config: &Part<Config>| match config {
            Part::Read(config) => Some(config.service.clone()),
            Part::Absent | Part::Unread => None,
        };
        let after_folder = folder(&after_config);
        let before_folder = folder(&before_config).or_else(|| after_folder.clone());
        Ok(Self {
            before: Shape::of(git, before, before_config, before_folder.as_ref())?,
            after: Shape::of(git, after, after_config, after_folder.as_ref())?,
        })
    }
}

impl Shape {
    fn of(git: &Git, commit: &Commit, config: Part<Config>, folder: Option<&Folder>) -> Result<Self> {
        let lockfile = folder.map_or_else(|| PACKAGE_LOCK.to_owned(), |folder| folder.join(PACKAGE_LOCK));
        Ok(Self {
            packages: file(git, commit, &lockfile)?.read(|bytes| Pinned::read(&bytes).ok()),
            runtime: file(git, commit, DOCKERFILE)?.read(|bytes| image(&bytes, &config)),
            trial: config.read(|config| Some(trial(&config))),
        })
    }
}

impl<T> Part<T> {
    fn read<R>(self, read: impl FnOnce(T) -> Option<R>) -> Part<R> {
        match self {
            Self::Read(value) => read(value).map_or(Part::Unread, Part::Read),
            Self::Absent => Part::Absent,
            Self::Unread => Part::Unread,
        }
    }
}

/// A folder in place of a file counts as a file that cannot be read.
fn file(git: &Git, commit: &Commit, path: &str) -> Result<Part<Vec<u8>>> {
    match git.files(commit, [path]) {
        Ok([Some(bytes)]) => Ok(Part::Read(bytes)),
        Ok([None]) => Ok(Part::Absent),
        Err(error) if error.is::<NoFile>() => Ok(Part::Unread),
        Err(error) => Err(error),
    }
}

/// A repository without the table counts as having no configuration. It still gets its notes.
fn config(manifest: Part<Vec<u8>>) -> Part<Config> {
    match manifest {
        Part::Read(bytes) if !Config::is_in(Some(&bytes)) => Part::Absent,
        manifest => manifest.read(|bytes| Config::from_manifest(text(&bytes)?).ok()),
    }
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| text.len() <= LARGEST)
}

/// The base image by the rules, if the Dockerfile follows them; otherwise as it is written.
fn image(bytes: &[u8], config: &Part<Config>) -> Option<runtime::Runtime> {
    let text = text(bytes)?;
    let platforms = match config {
        Part::Read(config) => &config.platforms[..],
        Part::Absent | Part::Unread => &[],
    };
    let mut found = runtime::read(text);
    if let Ok(recipe) = dockerfile::read(text, platforms) {
        found.base = Some(recipe.base.last.reference);
    }
    Some(found)
}

fn trial(config: &Config) -> Trial {
    let smoke = &config.smoke;
    Trial {
        variables: smoke.env.keys().cloned().collect(),
        port: smoke.http().map(|http| http.port),
        writable: smoke.tmpfs.iter().chain(&smoke.writable).cloned().collect(),
    }
}
