//! Files that may be missing, and files that are replaced.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// What an operation on a file answers; `None` if there is no such file.
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

/// Writes `bytes` to `path`. Readers see the old file or the new one, and never a part of it. A run that is killed leaves
/// `<path>.new` behind, which the next one overwrites.
///
/// # Errors
/// When the file cannot be written. The old one is then unchanged, and nothing is left beside it.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut part = path.as_os_str().to_owned();
    part.push(".new");
    let part = PathBuf::from(part);
    let written = write(&part, bytes).and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        if_any(fs::remove_file(&part))?;
    }
    written
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::ErrorKind;

    use super::{if_any, replace};
    use crate::process::scratch::Scratch;

    #[test]
    fn only_a_file_that_is_not_there_is_none() {
        let scratch = Scratch::new().unwrap();
        let path = scratch.path().join("file");
        assert_eq!(if_any(fs::read(&path)).unwrap(), None);
        fs::write(&path, "text").unwrap();
        assert_eq!(if_any(fs::read(&path)).unwrap().as_deref(), Some(&b"text"[..]));
        let below_a_file = if_any(fs::read(path.join("below"))).unwrap_err();
        assert_eq!(below_a_file.kind(), ErrorKind::NotADirectory);
    }

    #[test]
    fn a_file_is_replaced_whatever_an_earlier_run_left() {
        let scratch = Scratch::new().unwrap();
        let path = scratch.path().join("cosign.pub");
        for text in ["first", "second"] {
            fs::write(scratch.path().join("cosign.pub.new"), "half of a much longer text").unwrap();
            replace(&path, text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1);
        }
        let directory = scratch.path().join("directory");
        fs::create_dir(&directory).unwrap();
        assert!(replace(&directory, b"text").is_err());
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 2, "nothing is left of it");
    }
}
