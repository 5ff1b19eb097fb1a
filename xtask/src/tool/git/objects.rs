//! Parses the output of `git cat-file --batch` (its manual page, "BATCH OUTPUT").

use std::fmt;

use anyhow::{Context as _, Result, bail, ensure};

/// A path is a folder or a submodule where a file was expected.
#[derive(Debug)]
pub struct NoFile(String);

impl fmt::Display for NoFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not the answer for a file", self.0)
    }
}

impl std::error::Error for NoFile {}

/// An object as git stores it.
pub(super) struct Object<'a> {
    /// Its full name.
    pub(super) id: &'a str,
    kind: &'a str,
    pub(super) bytes: &'a [u8],
}

impl Object<'_> {
    /// The bytes, if it is a file.
    pub(super) fn into_file(self) -> Result<Vec<u8>, NoFile> {
        let Self { id, kind, bytes } = self;
        if kind == "blob" { Ok(bytes.to_vec()) } else { Err(NoFile(format!("{id} {kind} {}", bytes.len()))) }
    }
}

/// Takes the first answer of `git cat-file --batch` off `rest`: `<name> <type> <size>`, the bytes and a line break, or
/// `<what was asked> missing`.
pub(super) fn next<'a>(rest: &mut &'a [u8]) -> Result<Option<Object<'a>>> {
    let end = rest.iter().position(|byte| *byte == b'\n').context("the answer ends too early")?;
    let head = std::str::from_utf8(&rest[..end]).context("the answer is not UTF-8")?;
    *rest = &rest[end + 1..];
    if head.ends_with(" missing") {
        return Ok(None);
    }
    let [id, kind @ ("blob" | "tree" | "commit" | "tag"), size] = head.split(' ').collect::<Vec<_>>()[..]
    else {
        bail!("`{head}` is not the answer for an object");
    };
    let size: usize = size.parse().with_context(|| format!("`{head}` has no size"))?;
    ensure!(rest.len() > size && rest[size] == b'\n', "the answer ends too early");
    let bytes = &rest[..size];
    *rest = &rest[size + 1..];
    Ok(Some(Object { id, kind, bytes }))
}

#[cfg(test)]
mod tests {
    use super::next;

    #[test]
    fn batch_answers_are_taken_one_by_one_and_cut_ones_refused() {
        let mut rest = &b"abc blob 3\na\nb\nHEAD:x missing\nfed tree 2\nx\n\ndef blob 0\n\n"[..];
        let mut file =
            || next(&mut rest).unwrap().map(|found| found.into_file().map_err(|no| no.to_string()));
        assert_eq!(file(), Some(Ok(b"a\nb".to_vec())));
        assert_eq!(file(), None);
        assert_eq!(file(), Some(Err("`fed tree 2` is not the answer for a file".to_owned())));
        assert_eq!(file(), Some(Ok(Vec::new())));
        for bad in [
            &b""[..],
            b"abc blob 3\nab",
            b"abc folder 1\nx\n",
            b"HEAD ambiguous\n",
            b"abc blob 99999999999999999999\nx\n",
            b"abc blob 1\nxy\n",
        ] {
            assert!(next(&mut &*bad).is_err());
        }
    }
}
