//! Collects the facts about a layer from its entries, one after the other.

use std::collections::BTreeMap;
use std::io::Read;

use anyhow::{Context as _, Result, ensure};

use super::super::archive::{Archive, Entry, Kind};
use super::super::budget::Budget;
use super::super::elf::{self, Elf};
use super::super::facts::{Fact, System};
use super::super::npm::{self, PackageJson};
use super::super::system;
use super::names::{ReadAs, is_loader, read_as};
use super::places::{EntryKind, Places};

/// Enough for the list of a system with every package of its distribution.
const MAX_LIST_SIZE: u64 = 256 << 20;

/// How the name of a native module of Node.js ends.
const MODULE: &str = ".node";

const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";

/// What is known of a layer so far.
pub(super) struct Collector<'a> {
    pub(super) facts: BTreeMap<String, Fact>,
    pub(super) hard_links: BTreeMap<String, String>,
    pub(super) places: Places,
    pub(super) whiteouts: Vec<String>,
    pub(super) opaque: Vec<String>,
    buffer: Vec<u8>,
    budget: &'a Budget,
}

impl<'a> Collector<'a> {
    pub(super) fn new(budget: &'a Budget) -> Self {
        Self {
            facts: BTreeMap::new(),
            hard_links: BTreeMap::new(),
            places: Places::default(),
            whiteouts: Vec::new(),
            opaque: Vec::new(),
            buffer: Vec::new(),
            budget,
        }
    }

    pub(super) fn entry<R: Read>(&mut self, entry: Entry, archive: &mut Archive<R>) -> Result<()> {
        // The target of a symbolic link counts with its fact, if it is kept.
        let target = if let Kind::HardLink(target) = &entry.kind { target.len() } else { 0 };
        self.budget.take(entry.path.len() + target)?;
        let Entry { path, kind, size, odd, .. } = entry;
        if let Some(why) = odd {
            self.places.record(&path, why);
        }
        if path.is_empty() {
            if kind != Kind::Directory {
                self.places.record(&path, "the root directory is not a directory");
            }
            return Ok(());
        }
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", &path));
        if directory.split('/').any(|word| word.starts_with(WHITEOUT)) {
            self.places.record(&path, "it is below a whiteout");
        }
        if let Some(hidden) = name.strip_prefix(WHITEOUT) {
            self.whiteout(&path, directory, hidden, name == OPAQUE);
            return Ok(());
        }
        let was = match &kind {
            Kind::Directory => EntryKind::Directory,
            Kind::Symlink(_) => EntryKind::Symlink,
            Kind::HardLink(_) | Kind::Special | Kind::File => EntryKind::File,
        };
        let linked = match &kind {
            Kind::HardLink(target) => self.places.at(target),
            _ => None,
        };
        self.forget(&path, was);
        self.places.add(&path, was);
        let fact = match kind {
            Kind::Directory | Kind::Special => None,
            Kind::HardLink(target) => {
                return self.hard_link(path, target, linked);
            }
            Kind::Symlink(target) => Some(self.symlink(&path, target)),
            Kind::File => {
                let doing = || format!("reading `{}`", path.escape_debug());
                self.file(&path, size, archive).with_context(doing)?
            }
        };
        if let Some(fact) = fact {
            // Each package of a list was counted when it was read.
            let is_counted = matches!(fact, Fact::Debian(_) | Fact::Alpine(_));
            self.budget.take(if is_counted { 0 } else { fact.size() })?;
            self.facts.insert(path, fact);
        }
        Ok(())
    }

    fn whiteout(&mut self, path: &str, directory: &str, hidden: &str, is_opaque: bool) {
        if is_opaque && self.places.has_below(directory) {
            self.places.record(path, "it comes after what is beside it");
        }
        if !is_opaque && (matches!(hidden, "" | "." | "..") || hidden.starts_with(WHITEOUT)) {
            self.places.record(path, "it hides a path that cannot be hidden");
        }
        self.places.add(path, EntryKind::Marker);
        match (is_opaque, directory) {
            (true, _) => self.opaque.push(directory.to_owned()),
            (false, "") => self.whiteouts.push(hidden.to_owned()),
            (false, _) => self.whiteouts.push(format!("{directory}/{hidden}")),
        }
    }

    /// Adds a hard link. `linked` is what was at `target` before.
    fn hard_link(&mut self, path: String, target: String, linked: Option<EntryKind>) -> Result<()> {
        if linked != Some(EntryKind::File) {
            self.places.record(&path, "it is a hard link, but not to an earlier file of this layer");
        }
        let target = self.hard_links.get(&target).cloned().unwrap_or(target);
        // The `package.json` of an installed package is refused in `image/stack.rs`, with another message.
        if !npm::is_installed_manifest(&path)
            && read_as(&path).is_some_and(|wanted| read_as(&target) != Some(wanted))
        {
            self.places.record(&path, "it is a hard link to a file that is not read");
        }
        // The path of a file may be longer than that of a link to it, and the fact about the file counts again for
        // each link.
        self.budget.take(target.len() + self.facts.get(&target).map_or(0, Fact::size))?;
        self.hard_links.insert(path, target);
        Ok(())
    }

    fn symlink(&mut self, path: &str, target: String) -> Fact {
        if npm::is_installed_manifest(path) {
            self.places.record(path, "it is a symbolic link, and is not read");
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        if npm::is_link_place(path) {
            return Fact::Link(target);
        }
        elf::libc_of(name).filter(|_| is_loader(path)).map_or(Fact::Symlink, Fact::Loader)
    }

    /// Forgets what an earlier entry said about `path`. The last entry of a path counts, and only a directory keeps
    /// what is below it.
    fn forget(&mut self, path: &str, now: EntryKind) {
        self.facts.remove(path);
        self.hard_links.remove(path);
        if now == EntryKind::Directory || !self.places.has_below(path) {
            return;
        }
        let prefix = format!("{path}/");
        let is_below = |name: &&String| name.starts_with(&prefix);
        let facts = self.facts.range(prefix.clone()..).map(|(name, _)| name);
        let links = self.hard_links.range(prefix.clone()..).map(|(name, _)| name);
        let below: Vec<_> = facts.take_while(is_below).chain(links.take_while(is_below)).cloned().collect();
        for name in &below {
            self.facts.remove(name);
            self.hard_links.remove(name);
        }
    }

    fn file<R: Read>(&mut self, path: &str, size: u64, archive: &mut Archive<R>) -> Result<Option<Fact>> {
        let budget = self.budget;
        match read_as(path) {
            Some(ReadAs::Manifest) => self.manifest(path, size, archive),
            Some(ReadAs::Debian) => {
                Ok(Some(Fact::Debian(system::debian(self.whole(size, MAX_LIST_SIZE, archive)?, budget)?)))
            }
            Some(ReadAs::Alpine) => {
                Ok(Some(Fact::Alpine(system::alpine(self.whole(size, MAX_LIST_SIZE, archive)?, budget)?)))
            }
            Some(ReadAs::OsRelease) => {
                Ok(system::os_release(self.whole(size, 1 << 20, archive)?).map(Fact::OsRelease))
            }
            Some(ReadAs::Unread) => Ok(Some(Fact::Unread)),
            None => self.elf(path, size, archive),
        }
    }

    /// Reads a `package.json`. A broken one that is not of an installed package is no reason to refuse an image:
    /// packages contain such files for their tests.
    fn manifest<R: Read>(&mut self, path: &str, size: u64, archive: &mut Archive<R>) -> Result<Option<Fact>> {
        let is_installed = npm::is_installed_manifest(path);
        if size > npm::MAX_MANIFEST_SIZE && !is_installed {
            return self.elf(path, size, archive);
        }
        match PackageJson::parse(self.whole(size, npm::MAX_MANIFEST_SIZE, archive)?) {
            Ok(manifest) => Ok(Some(Fact::Manifest(manifest))),
            Err(_) if is_installed => Ok(Some(Fact::Manifest(PackageJson::default()))),
            // A binary remains a binary under this name, too.
            Err(_) => Ok(Elf::parse(&self.buffer).map(Fact::Elf)),
        }
    }

    fn elf<R: Read>(&mut self, path: &str, size: u64, archive: &mut Archive<R>) -> Result<Option<Fact>> {
        if size < 52 {
            return Ok(None);
        }
        self.part(elf::MAGIC.len() as u64, archive)?;
        if self.buffer != elf::MAGIC {
            return Ok(System::of(&self.buffer).filter(|_| path.ends_with(MODULE)).map(Fact::Module));
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        if let Some(libc) = elf::libc_of(name).filter(|_| is_loader(path)) {
            return Ok(Some(Fact::Loader(libc)));
        }
        let read = Elf::read(elf::MAGIC, size, |pass, take, buffer| archive.read_after(pass, take, buffer))?;
        Ok(read.map(Fact::Elf))
    }

    /// The contents of the whole file.
    fn whole<R: Read>(&mut self, size: u64, most: u64, archive: &mut Archive<R>) -> Result<&[u8]> {
        ensure!(size <= most, "it has {size} bytes");
        self.buffer.clear();
        self.part(size, archive)?;
        Ok(&self.buffer)
    }

    /// Reads on until the buffer has `size` bytes.
    fn part<R: Read>(&mut self, size: u64, archive: &mut Archive<R>) -> Result<()> {
        let size = usize::try_from(size)?;
        if size <= elf::MAGIC.len() {
            self.buffer.clear();
        }
        let more = size.saturating_sub(self.buffer.len()) as u64;
        archive.read_after(0, more, &mut self.buffer)
    }
}
