//! A tar stream, entry by entry (POSIX.1-2017 pax, "ustar Interchange Format", and GNU tar's long names), as layers are
//! made of it. Engines read what is ambiguous in different ways, so that is refused: what is read here is what they unpack.

use std::io::Read;

use anyhow::{Context as _, Result, bail, ensure};

const BLOCK: usize = 512;

/// A path that is longer cannot be opened (`PATH_MAX`).
const LONGEST_PATH: usize = 4096;

/// Extended attributes and a long path fit in this many times over.
const LARGEST_HEADER: u64 = 1 << 20;

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Directory,
    /// With its target, as it is written.
    Symlink(String),
    /// With the path of the entry that it is the same file as.
    HardLink(String),
    /// A device or a pipe.
    Special,
}

/// One entry; what it holds comes next in the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Without a leading or trailing slash; empty for the root directory.
    pub(super) path: String,
    pub(super) kind: Kind,
    pub(super) size: u64,
}

/// The entries of a stream.
pub(super) struct Archive<R> {
    stream: R,
    /// What is left of the entry that was given last.
    left: u64,
    padding: u64,
}

/// What an extended header says of the entry after it.
#[derive(Default)]
struct Extended {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

impl<R: Read> Archive<R> {
    pub(super) fn new(stream: R) -> Self {
        Self { stream, left: 0, padding: 0 }
    }

    /// The next entry; `None` at the end, behind which nothing but zeros may come.
    pub(super) fn next(&mut self) -> Result<Option<Entry>> {
        let mut extended = Extended::default();
        loop {
            self.skip()?;
            let Some(block) = self.block()? else {
                self.check_end()?;
                return Ok(None);
            };
            if block.iter().all(|byte| *byte == 0) {
                self.check_end()?;
                return Ok(None);
            }
            let header = Header::parse(&block)?;
            (self.left, self.padding) = (header.size, padding(header.size));
            match header.kind {
                b'x' => self.pax(&mut extended)?,
                b'g' => self.pax(&mut Extended::default())?,
                b'L' => extended.path = Some(self.long_name()?),
                b'K' => extended.link = Some(self.long_name()?),
                _ => return self.entry(header, extended).map(Some),
            }
        }
    }

    fn entry(&mut self, header: Header, extended: Extended) -> Result<Entry> {
        let path = text(extended.path.unwrap_or(header.path));
        let doing = || format!("reading the entry `{}`", path.escape_debug());
        ensure!(extended.size.is_none_or(|size| size == header.size || header.size == 0), "it has two sizes");
        let size = extended.size.unwrap_or(header.size);
        let link = text(extended.link.unwrap_or(header.link));
        let kind = match header.kind {
            b'0' | 0 | b'7' if path.ends_with('/') => Kind::Directory,
            b'0' | 0 | b'7' => Kind::File,
            b'1' => Kind::HardLink(normal(&link).with_context(doing)?),
            b'2' => Kind::Symlink(link),
            b'3' | b'4' | b'6' => Kind::Special,
            b'5' => Kind::Directory,
            other => bail!(
                "{}: its type is `{}`, which builders do not write (a sparse file?)",
                doing(),
                char::from(other).escape_debug()
            ),
        };
        let path = normal(&path).with_context(doing)?;
        // What follows the header of a link or a directory is nothing, whatever its size says: readers differ there.
        ensure!(kind == Kind::File || size == 0, "{}: it is no file, and has {size} bytes", doing());
        (self.left, self.padding) = (size, padding(size));
        Ok(Entry { path, kind, size })
    }

    /// Reads what the last entry holds, as far as `buffer` goes.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let mut done = 0;
        while done < most {
            match self.stream.read(&mut buffer[done..most]).context("unpacking")? {
                0 => bail!("it ends within a file"),
                size => done += size,
            }
        }
        self.left -= done as u64;
        Ok(done)
    }

    fn skip(&mut self) -> Result<()> {
        let mut chunk = [0; 1 << 16];
        while self.left > 0 {
            self.read(&mut chunk)?;
        }
        self.left = std::mem::take(&mut self.padding);
        self.read(&mut chunk).map(|_| ())
    }

    fn block(&mut self) -> Result<Option<[u8; BLOCK]>> {
        let (mut block, mut done) = ([0; BLOCK], 0);
        while done < BLOCK {
            match self.stream.read(&mut block[done..]).context("unpacking")? {
                0 if done == 0 => return Ok(None),
                0 => bail!("it ends within a header"),
                size => done += size,
            }
        }
        Ok(Some(block))
    }

    fn check_end(&mut self) -> Result<()> {
        let mut chunk = vec![0; 1 << 16];
        loop {
            match self.stream.read(&mut chunk).context("unpacking")? {
                0 => return Ok(()),
                size => ensure!(chunk[..size].iter().all(|byte| *byte == 0), "there is more behind its end"),
            }
        }
    }

    fn header_bytes(&mut self) -> Result<Vec<u8>> {
        ensure!(self.left <= LARGEST_HEADER, "it has a header of {} bytes", self.left);
        let mut bytes = vec![0; usize::try_from(self.left)?];
        self.read(&mut bytes)?;
        Ok(bytes)
    }

    fn long_name(&mut self) -> Result<Vec<u8>> {
        let mut name = self.header_bytes()?;
        name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
        Ok(name)
    }

    fn pax(&mut self, extended: &mut Extended) -> Result<()> {
        let bytes = self.header_bytes()?;
        for record in records(&bytes) {
            let (key, value) = record.context("reading an extended header")?;
            match key {
                b"path" => extended.path = Some(value.to_owned()),
                b"linkpath" => extended.link = Some(value.to_owned()),
                b"size" => extended.size = Some(std::str::from_utf8(value)?.parse()?),
                _ if key.starts_with(b"GNU.sparse.") => {
                    bail!("it has a sparse file, which builders do not write")
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The records of a pax header: length, blank, key, `=`, value, line break. The value may be any bytes.
fn records(mut rest: &[u8]) -> impl Iterator<Item = Result<(&[u8], &[u8])>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let record = (|| {
            let blank = rest.iter().take(20).position(|byte| *byte == b' ')?;
            let length: usize = std::str::from_utf8(&rest[..blank]).ok()?.parse().ok()?;
            let record = rest.get(blank + 1..length)?.strip_suffix(b"\n")?;
            let equals = record.iter().position(|byte| *byte == b'=')?;
            rest = &rest[length..];
            Some((&record[..equals], &record[equals + 1..]))
        })();
        if record.is_none() {
            rest = &[];
        }
        Some(record.context("a record is not of the form `length key=value`"))
    })
}

struct Header {
    path: Vec<u8>,
    link: Vec<u8>,
    size: u64,
    kind: u8,
}

impl Header {
    fn parse(block: &[u8; BLOCK]) -> Result<Self> {
        let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
        let own: u64 = block[148..156].iter().map(|byte| u64::from(*byte)).sum();
        let said = number(&block[148..156])?;
        ensure!(said == sum - own + 8 * u64::from(b' '), "a header's checksum is wrong: it is no tar file");
        let mut path = string(&block[..100]).to_owned();
        // GNU's own format has other things there.
        let prefix = if &block[257..263] == b"ustar\0" { string(&block[345..500]) } else { &[] };
        if !prefix.is_empty() {
            path = [prefix, b"/", &path].concat();
        }
        let link = string(&block[157..257]).to_owned();
        Ok(Self { path, link, size: number(&block[124..136])?, kind: block[156] })
    }
}

fn string(field: &[u8]) -> &[u8] {
    &field[..field.iter().position(|byte| *byte == 0).unwrap_or(field.len())]
}

/// Octal digits, or, with the first bit set, the number itself.
fn number(field: &[u8]) -> Result<u64> {
    if field[0] & 0x80 != 0 {
        let fits = field[0] == 0x80 && field[1..field.len() - 8].iter().all(|byte| *byte == 0);
        ensure!(fits, "a number in a header is too large");
        return Ok(field[field.len() - 8..].iter().fold(0, |number, byte| (number << 8) | u64::from(*byte)));
    }
    let digits = std::str::from_utf8(string(field)).context("a number in a header is none")?.trim();
    if digits.is_empty() {
        return Ok(0);
    }
    u64::from_str_radix(digits, 8)
        .with_context(|| format!("`{}` in a header is no number", digits.escape_debug()))
}

fn padding(size: u64) -> u64 {
    size.next_multiple_of(BLOCK as u64) - size
}

/// Names that are not UTF-8 are shown as they can be; no rule asks for such a name.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// The path from the root of the image, with neither `.` nor a slash at either end.
fn normal(path: &str) -> Result<String> {
    ensure!(path.len() <= LONGEST_PATH, "its path has {} bytes", path.len());
    ensure!(!path.contains('\0'), "its path has a zero byte");
    let words = path.split('/').filter(|word| !word.is_empty() && *word != ".");
    let words: Vec<_> = words.collect();
    ensure!(!words.contains(&".."), "its path leads upwards");
    Ok(words.join("/"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::{Archive, Entry, Kind};
    use anyhow::Result;

    /// One entry of a tar file, with its header in GNU's or POSIX's form.
    pub(crate) fn entry(kind: u8, path: &str, link: &str, content: &[u8]) -> Vec<u8> {
        let mut block = [0u8; 512];
        block[..path.len()].copy_from_slice(path.as_bytes());
        block[100..108].copy_from_slice(b"0000755\0");
        block[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
        block[156] = kind;
        block[157..157 + link.len()].copy_from_slice(link.as_bytes());
        block[257..265].copy_from_slice(b"ustar\x0000");
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let mut bytes = [&block, content].concat();
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        bytes
    }

    pub(crate) fn file(path: &str, content: &[u8]) -> Vec<u8> {
        entry(b'0', path, "", content)
    }

    pub(crate) fn pax(key: &str, value: &str) -> Vec<u8> {
        let rest = format!(" {key}={value}\n");
        let mut length = rest.len() + 2;
        if format!("{length}{rest}").len() != length {
            length = rest.len() + length.to_string().len();
            length += usize::from(format!("{length}{rest}").len() != length);
        }
        entry(b'x', "PaxHeaders", "", format!("{length}{rest}").as_bytes())
    }

    pub(crate) fn archive(entries: &[Vec<u8>]) -> Vec<u8> {
        [entries.concat(), vec![0; 1024]].concat()
    }

    fn entries(bytes: &[u8]) -> Result<Vec<Entry>> {
        let mut archive = Archive::new(bytes);
        let mut found = Vec::new();
        while let Some(entry) = archive.next()? {
            found.push(entry);
        }
        Ok(found)
    }

    fn paths(parts: &[Vec<u8>]) -> Result<Vec<String>> {
        Ok(entries(&archive(parts))?.into_iter().map(|entry| entry.path).collect())
    }

    #[test]
    fn entries_have_their_kind_and_one_form_of_path() {
        let bytes = archive(&[
            entry(b'5', "./", "", b""),
            entry(b'5', "app/", "", b""),
            file("/app//./a.txt", b"content"),
            entry(b'2', "app/link", "../a", b""),
            entry(b'1', "app/same", "app/a.txt", b""),
            entry(b'3', "dev/null", "", b""),
        ]);
        let found = entries(&bytes).unwrap();
        let paths: Vec<_> = found.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(paths, ["", "app", "app/a.txt", "app/link", "app/same", "dev/null"]);
        assert_eq!(found[2].size, 7);
        assert_eq!(found[3].kind, Kind::Symlink("../a".to_owned()));
        assert_eq!(found[4].kind, Kind::HardLink("app/a.txt".to_owned()));
        assert_eq!(found[5].kind, Kind::Special);
    }

    #[test]
    fn long_names_come_in_both_ways() {
        let long = format!("app/{}", "d/".repeat(200));
        let gnu = entry(b'L', "././@LongLink", "", format!("{long}x\0").as_bytes());
        assert_eq!(paths(&[gnu, file("cut", b"1")]).unwrap(), [format!("{long}x")]);
        assert_eq!(
            paths(&[pax("path", &format!("{long}y")), file("cut", b"1")]).unwrap(),
            [format!("{long}y")]
        );
        assert_eq!(paths(&[pax("SCHILY.xattr.user.a", "1\n2"), file("a", b"1")]).unwrap(), ["a"]);
        assert_eq!(paths(&[pax("path", "b"), file("a", b""), file("c", b"")]).unwrap(), ["b", "c"], "once");
    }

    #[test]
    fn what_readers_could_take_in_different_ways_is_refused() {
        let behind = [archive(&[file("a", b"1")]), file("b", b"2")].concat();
        let mut checksum = archive(&[file("a", b"1")]);
        checksum[0] = b'b';
        let cases: [(Vec<u8>, &str); 12] = [
            (archive(&[file("../etc/passwd", b"")]), "leads upwards"),
            (archive(&[file("a/../../b", b"")]), "leads upwards"),
            (archive(&[entry(b'1', "a", "../b", b"")]), "leads upwards"),
            (archive(&[entry(b'S', "sparse", "", b"")]), "sparse"),
            (archive(&[pax("GNU.sparse.major", "1"), file("a", b"")]), "sparse"),
            (archive(&[pax("size", "2"), file("a", b"1")]), "two sizes"),
            (archive(&[entry(b'2', "a", "b", b"content")]), "no file, and has 7 bytes"),
            (archive(&[pax("path", &"x".repeat(5000)), file("a", b"")]), "path has 5000 bytes"),
            (archive(&[pax("comment", &"x".repeat(1 << 20)), file("a", b"")]), "a header of"),
            (archive(&[entry(b'x', "p", "", b"99 path=a\n"), file("a", b"")]), "length key=value"),
            (behind, "more behind its end"),
            (checksum, "checksum"),
        ];
        for (bytes, expected) in cases {
            let error = format!("{:#}", entries(&bytes).unwrap_err());
            assert!(error.contains(expected), "expected `{expected}` in: {error}");
        }
        let whole = archive(&[file("a", &[1; 1000])]);
        assert!(entries(&whole[..700]).is_err(), "cut off within a file");
        assert!(entries(&whole[..300]).is_err(), "cut off within a header");
    }
}
