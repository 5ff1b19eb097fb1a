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

/// Takes the first answer of `git cat-file --batch` off `rest`: `<name> <type> <size>`, the bytes and a line break, or
/// `<what was asked> missing`.
pub(super) fn next(rest: &mut &[u8]) -> Result<Option<Vec<u8>>> {
    let end = rest.iter().position(|byte| *byte == b'\n').context("the answer ends too early")?;
    let head = std::str::from_utf8(&rest[..end]).context("the answer is not UTF-8")?;
    *rest = &rest[end + 1..];
    if head.ends_with(" missing") {
        return Ok(None);
    }
    let size = match head.split(' ').collect::<Vec<_>>()[..] {
        [_, "blob", size] => size,
        [_, "tree" | "commit" | "tag", _] => return Err(NoFile(head.to_owned()).into()),
        _ => bail!("`{head}` is not the answer for a file"),
    };
    let size: usize = size.parse().with_context(|| format!("`{head}` has no size"))?;
    ensure!(rest.len() > size && rest[size] == b'\n', "the answer ends too early");
    let bytes = rest[..size].to_vec();
    *rest = &rest[size + 1..];
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::next;

    #[test]
    fn batch_answers_are_taken_one_by_one_and_cut_ones_refused() {
        let mut rest = &b"abc blob 3\na\nb\nHEAD:x missing\ndef blob 0\n\n"[..];
        assert_eq!(next(&mut rest).unwrap(), Some(b"a\nb".to_vec()));
        assert_eq!(next(&mut rest).unwrap(), None);
        assert_eq!(next(&mut rest).unwrap(), Some(Vec::new()));
        for bad in [
            &b""[..],
            b"abc blob 3\nab",
            b"abc tree 1\nx\n",
            b"abc blob 99999999999999999999\nx\n",
            b"abc blob 1\nxy\n",
        ] {
            assert!(next(&mut &*bad).is_err());
        }
    }
}
