//! What a commit says about its image: its name and key, the packages, the base image, and what it requires of the
//! person who runs it. It is read to compare two releases. A part that cannot be read, for example because it follows
//! older rules, is left out of the comparison and is no error.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::inputs::config::{Config, Folder, MANIFEST};
use crate::inputs::dockerfile::{self, runtime};
use crate::inputs::keys::PublicKey;
use crate::inputs::lockfile::pinned::Pinned;
use crate::inputs::{DOCKERFILE, PACKAGE_LOCK, PUBLIC_KEY, is_placeholder};
use crate::oci::reference::Digest;
use crate::tool::git::{Commit, Git, NoFile};

/// The largest Dockerfile or configuration that is read, in bytes.
const MAX_SIZE: usize = 1 << 20;

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

/// What the configuration promises to those who pull the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The name of the image.
    pub image: String,
    /// The platforms that it is for.
    pub platforms: BTreeSet<String>,
    /// The licences of the service.
    pub licenses: String,
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
    /// From the configuration.
    pub offer: Part<Offer>,
    /// The fingerprint of the key that signs.
    pub key: Part<Digest>,
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
        let wanted = [before, after].map(|at| [(at, MANIFEST), (at, DOCKERFILE), (at, PUBLIC_KEY)]);
        let [[before_config, before_image, before_key], [after_config, after_image, after_key]] =
            files(git, wanted)?;
        let (before_config, after_config) = (config(before_config), config(after_config));
        let folder = |config: &Part<Config>| match config {
            Part::Read(config) => Some(config.service.clone()),
            Part::Absent | Part::Unread => None,
        };
        let after_folder = folder(&after_config);
        let before_folder = folder(&before_config).or_else(|| after_folder.clone());
        let lockfile = |folder: Option<Folder>| {
            folder.map_or_else(|| PACKAGE_LOCK.to_owned(), |folder| folder.join(PACKAGE_LOCK))
        };
        let (before_lock, after_lock) = (lockfile(before_folder), lockfile(after_folder));
        let [[before_lock], [after_lock]] = files(git, [[(before, &*before_lock)], [(after, &*after_lock)]])?;
        Ok(Self {
            before: Shape::of(before_config, before_image, before_lock, before_key),
            after: Shape::of(after_config, after_image, after_lock, after_key),
        })
    }
}

impl Shape {
    fn of(
        config: Part<Config>,
        dockerfile: Part<Vec<u8>>,
        lockfile: Part<Vec<u8>>,
        key: Part<Vec<u8>>,
    ) -> Self {
        let key = match key {
            Part::Read(pem) if is_placeholder(&pem) => Part::Absent,
            key => key.read(|pem| PublicKey::parse(&pem).ok()).read(|key| Some(key.fingerprint())),
        };
        Self {
            packages: lockfile.read(|bytes| Pinned::read(&bytes).ok()),
            runtime: dockerfile.read(|bytes| image(&bytes, &config)),
            offer: config.clone().read(|config| offer(&config)),
            trial: config.read(|config| Some(trial(&config))),
            key,
        }
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

/// The files at the `wanted` paths. A folder at such a path counts as a file that cannot be read.
fn files<const N: usize>(git: &Git, wanted: [[(&Commit, &str); N]; 2]) -> Result<[[Part<Vec<u8>>; N]; 2]> {
    let mut found = git.files_of(wanted.as_flattened())?.into_iter();
    Ok(wanted.map(|of_commit| {
        of_commit.map(|_| match found.next() {
            Some(Ok(Some(bytes))) => Part::Read(bytes),
            Some(Ok(None)) => Part::Absent,
            Some(Err(NoFile { .. })) | None => Part::Unread,
        })
    }))
}

/// A repository without the table counts as having no configuration. It still gets its notes.
fn config(manifest: Part<Vec<u8>>) -> Part<Config> {
    match manifest {
        Part::Read(bytes) if matches!(Config::is_in(Some(&bytes)), Ok(false)) => Part::Absent,
        manifest => manifest.read(|bytes| Config::from_manifest(text(&bytes)?).ok()),
    }
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| text.len() <= MAX_SIZE)
}

/// The base image is read by the rules if the Dockerfile follows them, and otherwise as it is written.
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

fn offer(config: &Config) -> Option<Offer> {
    Some(Offer {
        image: config.image().ok()?.to_string(),
        platforms: config.platforms.iter().map(ToString::to_string).collect(),
        licenses: config.licenses.clone(),
    })
}

fn trial(config: &Config) -> Trial {
    let smoke = &config.smoke;
    Trial {
        variables: smoke.env.keys().cloned().collect(),
        port: smoke.http().map(|http| http.port),
        writable: smoke.tmpfs.iter().chain(&smoke.writable).cloned().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Part, config};

    #[test]
    fn a_manifest_that_cannot_be_read_is_not_an_absent_configuration() {
        let of = |manifest: &[u8]| config(Part::Read(manifest.to_owned()));
        assert!(matches!(of(b"[workspace]\nmembers = []\n"), Part::Absent));
        for manifest in [&b"[workspace"[..], b"\xff", b"[workspace.metadata.release]\nx = 1\n"] {
            assert!(matches!(of(manifest), Part::Unread), "{manifest:?}");
        }
    }
}
