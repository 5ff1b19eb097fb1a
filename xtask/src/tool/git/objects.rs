//! Objects by name, from one `git cat-file --batch` that runs as long as the repository is in use (its manual page,
//! "BATCH OUTPUT"): a release reads dozens of small files.

use std::fmt;
use std::io::{BufRead, Read as _};
use std::sync::PoisonError;

use anyhow::{Context as _, Result, bail, ensure};

use super::Git;

/// The longest first line of an answer, in bytes: it may repeat the requested name.
const MAX_HEAD_LEN: u64 = 8 << 10;

/// The largest object that is read, in bytes. A larger file of a release is refused elsewhere, with its name.
const MAX_SIZE: u64 = 64 << 20;

/// Something other than a file is at a path. Holds its kind in git's terms, such as `tree` for a folder.
#[derive(Debug)]
pub struct NoFile(String);

impl fmt::Display for NoFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_str() {
            "tree" => write!(f, "it is a folder, and a file is needed under this name"),
            other => write!(f, "it is not a file but a {other}"),
        }
    }
}

impl std::error::Error for NoFile {}

/// An object as git stores it.
pub(super) struct Object {
    /// Its full name.
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) bytes: Vec<u8>,
}

impl Object {
    /// The bytes, if it is a file.
    pub(super) fn into_file(self) -> Result<Vec<u8>, NoFile> {
        if self.kind == "blob" { Ok(self.bytes) } else { Err(NoFile(self.kind)) }
    }
}

impl Git {
    /// The object with the name `name` (gitrevisions(7)); `None` when there is none.
    pub(super) fn object(&self, name: &str) -> Result<Option<Object>> {
        // A line break would begin a second question, and git reads no further than a NUL.
        ensure!(!name.contains(['\n', '\0']), "a name with a line break or a NUL cannot be requested");
        let mut running = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut answers = match running.take() {
            Some(answers) => answers,
            None => self.call(&["cat-file", "--batch"])?.converse()?,
        };
        let answer = answers.ask(format!("{name}\n").as_bytes(), next)?;
        // After an error, it is unknown where the next answer would begin, so the next request starts another
        // process.
        *running = Some(answers);
        Ok(answer)
    }
}

/// Reads one answer: `<name> <type> <size>`, the bytes and a line break, or `<requested name> missing`. An
/// abbreviation that fits several objects is `ambiguous`, and counts as missing. So does the commit of a submodule,
/// which is in another repository: newer versions of git answer `<name> submodule`.
pub(super) fn next(from: &mut dyn BufRead) -> Result<Option<Object>> {
    let mut head = Vec::new();
    (&mut *from).take(MAX_HEAD_LEN).read_until(b'\n', &mut head)?;
    let head = head.strip_suffix(b"\n").context("the answer ends too early")?;
    let head = std::str::from_utf8(head).context("the answer is not UTF-8")?;
    if [" missing", " ambiguous", " submodule"].iter().any(|end| head.ends_with(end)) {
        return Ok(None);
    }
    let [id, kind @ ("blob" | "tree" | "commit" | "tag"), size] = head.split(' ').collect::<Vec<_>>()[..]
    else {
        bail!("`{head}` is not the answer for an object");
    };
    let size: u64 = size.parse().with_context(|| format!("`{head}` has no size"))?;
    ensure!(size <= MAX_SIZE, "`{id}` has {size} bytes, and at most {MAX_SIZE} are read");
    let (id, kind, mut bytes) = (id.to_owned(), kind.to_owned(), Vec::new());
    from.take(size + 1).read_to_end(&mut bytes)?;
    ensure!(bytes.len() as u64 > size && bytes.pop() == Some(b'\n'), "the answer ends too early");
    Ok(Some(Object { id, kind, bytes }))
}

#[cfg(test)]
mod tests {
    use super::next;

    #[test]
    fn batch_answers_are_read_one_by_one_and_malformed_ones_are_refused() {
        let mut rest =
            &b"abc blob 3\na\nb\nHEAD:x missing\nfed tree 2\nx\n\ndef blob 0\n\n75a3 ambiguous\nfed submodule\n"[..];
        let mut file =
            || next(&mut rest).unwrap().map(|found| found.into_file().map_err(|no| no.to_string()));
        assert_eq!(file(), Some(Ok(b"a\nb".to_vec())));
        assert_eq!(file(), None);
        assert_eq!(file(), Some(Err("it is a folder, and a file is needed under this name".to_owned())));
        assert_eq!(file(), Some(Ok(Vec::new())));
        assert_eq!(file(), None);
        assert_eq!(file(), None, "as of an older git, for which the commit of a submodule is missing");
        for bad in [
            &b""[..],
            b"abc blob 3",
            b"abc blob 3\nab",
            b"abc folder 1\nx\n",
            b"abc blob 99999999999999999999\nx\n",
            b"abc blob 67108865\nx\n",
            b"abc blob 1\nxy\n",
        ] {
            assert!(next(&mut &*bad).is_err());
        }
    }
}
