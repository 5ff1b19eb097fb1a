//! Finds the first difference between two layers, in one pass over both in parallel. Only a digest of each file is
//! kept.

use std::io::{BufReader, Read};

use anyhow::Result;
use flate2::bufread::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

use super::archive::{Archive, Entry, Kind, Rights};
use super::layer::{Compression, MAX_BYTES};
use crate::process::time::rfc3339;

/// Describes the first entry that differs in kind, mode, owner, size, time or name, or else in its contents.
///
/// # Errors
/// When one of the two cannot be read.
pub fn first(theirs: (impl Read, Compression), ours: (impl Read, Compression)) -> Result<String> {
    let (mut theirs, mut ours) = (Archive::new(unpacked(theirs)), Archive::new(unpacked(ours)));
    loop {
        match (theirs.next()?, ours.next()?) {
            (None, None) => return Ok("its headers or padding: the entries are the same".to_owned()),
            (Some(their), Some(our)) if their == our => {
                if their.kind == Kind::File && content(&mut theirs)? != content(&mut ours)? {
                    return Ok(format!("the content of `{}`", their.path.escape_debug()));
                }
            }
            (Some(their), Some(our)) if words(&their) == words(&our) => {
                let [of_theirs, of_ours] = [&their, &our].map(|entry| entry.odd.unwrap_or("nothing is odd"));
                let entry = words(&their);
                return Ok(format!("the headers of `{entry}`: {of_theirs}; in the rebuild, {of_ours}"));
            }
            (their, our) => {
                let [their, our] =
                    [their, our].map(|entry| entry.as_ref().map_or("missing".to_owned(), words));
                return Ok(format!("the entry `{their}` is `{our}` in the rebuild"));
            }
        }
    }
}

fn unpacked<'a>((layer, compression): (impl Read + 'a, Compression)) -> Box<dyn Read + 'a> {
    match compression {
        Compression::None => Box::new(layer.take(MAX_BYTES)),
        Compression::Gzip => Box::new(MultiGzDecoder::new(BufReader::new(layer)).take(MAX_BYTES)),
    }
}

/// The digest of the current entry's contents.
fn content<R: Read>(archive: &mut Archive<R>) -> Result<Vec<u8>> {
    let (mut hash, mut chunk) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match archive.read(&mut chunk)? {
            0 => return Ok(hash.finalize().to_vec()),
            size => hash.update(&chunk[..size]),
        }
    }
}

fn words(entry: &Entry) -> String {
    let Entry { path, kind, size, rights: Rights { mode, owner, group, time }, odd: _ } = entry;
    let (kind, target) = match kind {
        Kind::File => ("file", None),
        Kind::Directory => ("directory", None),
        Kind::Symlink(target) => ("symbolic link", Some(target)),
        Kind::HardLink(target) => ("hard link", Some(target)),
        Kind::Special => ("device or pipe", None),
    };
    let target = target.map(|target| format!(" -> {}", target.escape_debug())).unwrap_or_default();
    let path = path.escape_debug();
    format!("{path}{target}, {kind}, mode {mode:o}, {owner}:{group}, {size} bytes, {}", rfc3339(*time))
}

#[cfg(test)]
mod tests {
    use super::super::archive::tests::{archive, entry, file, pax};
    use super::{Compression, first};
    use crate::process::time::of_this_thread;

    fn found(theirs: &[Vec<u8>], ours: &[Vec<u8>]) -> String {
        let (theirs, ours) = (archive(theirs), archive(ours));
        first((theirs.as_slice(), Compression::None), (ours.as_slice(), Compression::None)).unwrap()
    }

    #[test]
    fn the_first_difference_is_reported_whatever_the_file_is_called() {
        let odd = "app/a\"b\n\\ü.js";
        let same = || file("app/first.js", b"1");
        assert_eq!(
            found(&[same(), file(odd, b"1")], &[same(), file(odd, b"2")]),
            "the content of `app/a\\\"b\\n\\\\ü.js`"
        );
        assert_eq!(
            found(&[same(), file("x", b"1")], &[same(), file("x", b"22")]),
            "the entry `x, file, mode 755, 0:0, 1 bytes, 1970-01-01T00:00:00Z` is `x, file, mode 755, 0:0, 2 bytes, \
             1970-01-01T00:00:00Z` in the rebuild"
        );
        assert!(
            found(&[same()], &[same(), entry(b'2', "l", "to", b"")])
                .contains("`missing` is `l -> to, symbolic")
        );
        assert!(found(&[same()], &[same()]).starts_with("its headers or padding"));
        let odd = || [pax("hdrcharset", "BINARY"), file("x", b"1")].concat();
        let words = "builders do not write";
        for (theirs, ours) in [(odd(), file("x", b"1")), (file("x", b"1"), odd())] {
            let report = found(&[same(), theirs], &[same(), ours]);
            assert!(report.contains("`x, file") && report.matches(words).count() == 1, "{report}");
        }
    }

    #[test]
    fn a_layer_with_thousands_of_files_is_read_once() {
        let files = |last: &[u8]| {
            let mut all: Vec<_> = (0..5000).map(|number| file(&format!("f{number}"), b"x")).collect();
            all.push(file("last", last));
            all
        };
        let before = of_this_thread();
        assert_eq!(found(&files(b"1"), &files(b"2")), "the content of `last`");
        let took = of_this_thread() - before;
        assert!(took.as_secs() < 10, "{took:?}");
    }
}
