//! Files that may be missing, files that somebody else has made, and files that are replaced.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, ErrorKind, Read as _, Take, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use nix::errno::Errno;
use nix::fcntl::OFlag;

/// The result of an operation on a file; `None` if there is no such file.
///
/// # Errors
/// All other errors of the operation.
pub fn if_any<T>(answer: io::Result<T>) -> io::Result<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Opens the regular file at `path`, of at most `most` bytes; `None` if there is none. Somebody else may have made
/// it: a pipe or a device, or a link to one, may never end, and a link may lead to a file that its maker must not
/// read.
///
/// # Errors
/// When it is not a regular file, is larger, or cannot be read.
pub fn open(path: &Path, most: u64) -> Result<Option<Take<File>>> {
    // Opening a pipe would wait for somebody to write into it.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = match if_any(File::options().read(true).custom_flags(flags.bits()).open(path)) {
        Ok(Some(file)) => file,
        Ok(None) => return Ok(None),
        Err(error) if error.raw_os_error() == Some(Errno::ELOOP as i32) => bail!("it is a symbolic link"),
        Err(error) => return Err(error.into()),
    };
    let found = file.metadata()?;
    ensure!(found.is_file(), "it is not a file");
    ensure!(found.len() <= most, "it is larger than {} MiB", most >> 20);
    // If the file grows meanwhile, the added bytes are not read.
    Ok(Some(file.take(found.len())))
}

/// The bytes of the file that [`open`] opens.
///
/// # Errors
/// As [`open`].
pub fn read(path: &Path, most: u64) -> Result<Option<Vec<u8>>> {
    let Some(mut file) = open(path, most)? else { return Ok(None) };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Writes `bytes` to `path`, and makes its directory if there is none. Readers see the old file or the new one, never
/// a part of it. The new one has the permissions of the old one. A run that is killed leaves `<path>.part` behind,
/// which the next one removes.
///
/// # Errors
/// When the file cannot be written. The old one is then unchanged, and nothing is left beside it.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let doing = || format!("writing `{}`", path.display());
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(doing)?;
    }
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let old = if_any(fs::metadata(path)).with_context(doing)?;
    let permissions = old.filter(Metadata::is_file).map(|old| old.permissions());
    // Its permissions may forbid writing to it.
    if_any(fs::remove_file(&part)).with_context(doing)?;
    let written = write(&part, permissions, bytes).and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        if_any(fs::remove_file(&part)).with_context(doing)?;
    }
    written.with_context(doing)
}

/// Sets the permissions first, so that nobody else can read the bytes even briefly.
fn write(path: &Path, permissions: Option<Permissions>, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    if let Some(permissions) = permissions {
        file.set_permissions(permissions)?;
    }
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::ErrorKind;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use nix::sys::stat::Mode;

    use super::{if_any, read, replace};
    use crate::process::temp_dir::TempDir;

    #[test]
    fn only_a_regular_file_of_a_bounded_size_is_read() {
        let scratch = TempDir::new().unwrap();
        let path = scratch.path().join("file");
        let found = || read(&path, 1 << 20).map_err(|error| error.to_string());
        assert_eq!(found(), Ok(None));
        fs::write(&path, "text").unwrap();
        assert_eq!(found(), Ok(Some(b"text".to_vec())));
        fs::File::create(&path).unwrap().set_len(1 << 20).unwrap();
        assert_eq!(found().unwrap().unwrap().len(), 1 << 20);
        fs::File::create(&path).unwrap().set_len((1 << 20) + 1).unwrap();
        assert_eq!(found(), Err("it is larger than 1 MiB".to_owned()));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(found(), Err("it is not a file".to_owned()));
        fs::remove_dir(&path).unwrap();
        symlink("/dev/zero", &path).unwrap();
        assert_eq!(found(), Err("it is a symbolic link".to_owned()));
        fs::remove_file(&path).unwrap();
        nix::unistd::mkfifo(&path, Mode::S_IRWXU).unwrap();
        assert_eq!(found(), Err("it is not a file".to_owned()), "opening a pipe does not wait for a writer");
    }

    #[test]
    fn only_a_missing_file_is_none() {
        let scratch = TempDir::new().unwrap();
        let path = scratch.path().join("file");
        assert_eq!(if_any(fs::read(&path)).unwrap(), None);
        fs::write(&path, "text").unwrap();
        assert_eq!(if_any(fs::read(&path)).unwrap().as_deref(), Some(&b"text"[..]));
        let below_a_file = if_any(fs::read(path.join("below"))).unwrap_err();
        assert_eq!(below_a_file.kind(), ErrorKind::NotADirectory);
    }

    #[test]
    fn a_file_is_replaced_whatever_an_earlier_run_left() {
        let scratch = TempDir::new().unwrap();
        let keys = scratch.path().join("keys");
        let (path, part) = (keys.join("cosign.pub"), keys.join("cosign.pub.part"));
        fs::create_dir(&keys).unwrap();
        fs::write(scratch.path().join("other"), "other").unwrap();
        for text in ["first", "second"] {
            fs::write(&part, "half of a much longer text").unwrap();
            replace(&path, text.as_bytes()).unwrap();
            symlink("../other", &part).unwrap();
            replace(&path, text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(fs::read_dir(&keys).unwrap().count(), 1);
        }
        assert_eq!(fs::read_to_string(scratch.path().join("other")).unwrap(), "other");
        let directory = keys.join("directory");
        fs::create_dir(&directory).unwrap();
        assert!(replace(&directory, b"text").is_err());
        assert_eq!(fs::read_dir(&keys).unwrap().count(), 2, "nothing is left of it");
    }

    #[test]
    fn a_file_keeps_its_permissions_and_a_new_one_gets_its_directory() {
        let scratch = TempDir::new().unwrap();
        let path = scratch.path().join("some/where/file");
        replace(&path, b"new").unwrap();
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        for kept in [0o600, 0o440, 0o755] {
            fs::set_permissions(&path, fs::Permissions::from_mode(kept)).unwrap();
            replace(&path, b"text").unwrap();
            assert_eq!((fs::read_to_string(&path).unwrap().as_str(), mode()), ("text", kept));
        }
    }
}
