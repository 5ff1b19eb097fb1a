//! A directory instead of a forge: a rehearsal publishes its page there, as Markdown to read and JSON to read back.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::evidence::assets::{Asset, Listed};
use crate::evidence::page::{Page, PublishedPage};
use crate::forge::{BranchHead, CiState, Protections, Read, Rule, RunLookup, Write};
use crate::inputs::signers::SignedTag;
use crate::inputs::version::ReleaseTag;
use crate::process::file::{if_any, replace};
use crate::process::problem::Problem;
use crate::tool::git::Commit;

/// The forge of a rehearsal.
pub struct Directory {
    path: PathBuf,
}

/// The page's data besides its text.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    tag: String,
    commit: String,
    title: String,
    prerelease: bool,
    /// Whether files may still be missing.
    #[serde(default)]
    draft: bool,
}

impl Directory {
    /// Pages go to `path`, which exists.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    fn file(&self, tag: &ReleaseTag, extension: &str) -> PathBuf {
        self.path.join(format!("{tag}.{extension}"))
    }

    /// The directory with the files of a page. This program chooses their names.
    fn files(&self, tag: &ReleaseTag) -> PathBuf {
        self.path.join(tag.to_string())
    }

    fn listed(&self, tag: &ReleaseTag) -> Result<Vec<Listed>> {
        let files = self.files(tag);
        let doing = || format!("listing `{}`", files.display());
        let Some(entries) = if_any(fs::read_dir(&files)).with_context(doing)? else {
            return Ok(Vec::new());
        };
        let mut listed = Vec::new();
        for entry in entries {
            let entry = entry.with_context(doing)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            listed.push(Listed { id: 0, name, size: entry.metadata().with_context(doing)?.len() });
        }
        Ok(listed)
    }

    fn write(&self, page: &Page, draft: bool) -> Result<PublishedPage> {
        let text = self.file(&page.tag, "md");
        replace(&text, page.body.as_bytes())?;
        let record = Record {
            tag: page.tag.to_string(),
            commit: page.commit.to_string(),
            title: page.title.clone(),
            prerelease: page.prerelease,
            draft,
        };
        // Written last: the page exists once its record does.
        replace(&self.file(&page.tag, "json"), &serde_json::to_vec_pretty(&record)?)?;
        let (page, address) = (page.clone(), text.display().to_string());
        Ok(PublishedPage { id: 0, draft, address, assets: self.listed(&page.tag)?, page })
    }
}

impl Read for Directory {
    fn run(&self, _id: u64) -> Result<RunLookup> {
        Ok(RunLookup::Refused("a directory runs nothing".to_owned()))
    }

    fn ci_state(&self, _commit: &Commit) -> Result<CiState> {
        Ok(CiState::Green)
    }

    fn check_tag(&self, _tag: &ReleaseTag, _commit: &Commit) -> Result<Option<Problem>> {
        Ok(None)
    }

    /// A directory has no tags of its own, so this is the commit that the page was published for.
    fn tag(&self, tag: &ReleaseTag) -> Result<Option<Commit>> {
        Ok(self.page(tag)?.map(|published| published.page.commit))
    }

    fn tag_object(&self, tag: SignedTag<'_>) -> Result<Option<Commit>> {
        match tag {
            SignedTag::Release(tag) => self.tag(tag),
            SignedTag::Approval(_) => Ok(None),
        }
    }

    fn default_branch(&self) -> Result<Option<BranchHead>> {
        Ok(None)
    }

    fn branch(&self, _name: &str) -> Result<Option<Commit>> {
        Ok(None)
    }

    fn file(&self, _commit: &Commit, _path: &str) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }

    fn page(&self, tag: &ReleaseTag) -> Result<Option<PublishedPage>> {
        let path = self.file(tag, "json");
        let json = if_any(fs::read(&path)).with_context(|| format!("reading `{}`", path.display()))?;
        let Some(json) = json else { return Ok(None) };
        let record: Record =
            serde_json::from_slice(&json).with_context(|| format!("reading `{}`", path.display()))?;
        ensure!(record.tag == tag.to_string(), "`{}` is about `{}`", path.display(), record.tag);
        let text = self.file(tag, "md");
        let body = fs::read_to_string(&text).with_context(|| format!("reading `{}`", text.display()))?;
        let commit = Commit::parse(&record.commit)?;
        let page =
            Page { tag: tag.clone(), commit, title: record.title, body, prerelease: record.prerelease };
        let (draft, address, assets) = (record.draft, text.display().to_string(), self.listed(tag)?);
        Ok(Some(PublishedPage { id: 0, page, draft, address, assets }))
    }

    fn pages(&self) -> Result<Vec<PublishedPage>> {
        let doing = || format!("listing `{}`", self.path.display());
        let mut pages = Vec::new();
        for entry in fs::read_dir(&self.path).with_context(doing)? {
            let name = entry.with_context(doing)?.file_name();
            let tag = name.to_str().and_then(|name| name.strip_suffix(".json")?.parse().ok());
            if let Some(tag) = tag {
                pages.extend(self.page(&tag)?);
            }
        }
        Ok(pages)
    }

    fn assets(&self, tag: &ReleaseTag, wanted: &[&Listed]) -> Vec<Result<Option<Vec<u8>>>> {
        let read = |listed: &&Listed| {
            let file = self.files(tag).join(&listed.name);
            if_any(fs::read(&file)).with_context(|| format!("reading `{}`", file.display()))
        };
        wanted.iter().map(read).collect()
    }

    fn shows_as_latest(&self, _highest: &ReleaseTag) -> Result<bool> {
        Ok(true)
    }

    fn raw_address(&self, _commit: &Commit, _path: &str) -> Option<String> {
        None
    }
}

impl Write for Directory {
    fn check_source(&self, _tag: &ReleaseTag, _commit: &Commit) -> Result<Vec<Problem>> {
        Ok(Vec::new())
    }

    fn preflight(&self, _tag: &ReleaseTag, _commit: &Commit) -> Result<Vec<Problem>> {
        Ok(Vec::new())
    }

    fn has_left_branches(&self, _commit: &Commit) -> Result<Option<String>> {
        Ok(None)
    }

    fn check_access(&self) -> Result<Vec<Problem>> {
        Ok(Vec::new())
    }

    fn protections(&self) -> Result<Protections> {
        Ok(Protections::default())
    }

    fn protect(&self, rule: &Rule, _maintainers: &[String]) -> Result<()> {
        bail!("a directory has no rules, and was asked for one about {rule}")
    }

    fn draft(&self, page: &Page) -> Result<PublishedPage> {
        self.write(page, true)
    }

    fn upload(&self, published: &PublishedPage, asset: &Asset) -> Result<()> {
        let files = self.files(&published.page.tag);
        replace(&files.join(&asset.name), &asset.bytes)
    }

    fn remove(&self, published: &PublishedPage, listed: &Listed) -> Result<()> {
        let file = self.files(&published.page.tag).join(&listed.name);
        let doing = || format!("removing `{}`", file.display());
        if_any(fs::remove_file(&file)).with_context(doing).map(|_removed| ())
    }

    fn update(&self, _published: &PublishedPage, page: &Page) -> Result<()> {
        self.write(page, false).map(|_page| ())
    }

    fn fix_latest_mark(&self, _highest: &ReleaseTag) -> Result<bool> {
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::Directory;
    use crate::evidence::assets::Asset;
    use crate::evidence::page::Page;
    use crate::forge::{Read as _, Write as _};
    use crate::process::temp_dir::TempDir;
    use crate::tool::git::Commit;

    #[test]
    fn a_page_reads_back_as_published_and_leaves_no_temporary_file() {
        let scratch = TempDir::new().unwrap();
        let forge = Directory::new(scratch.path());
        let page = Page {
            tag: "v1.0.0-rc.1".parse().unwrap(),
            commit: Commit::parse(&"a".repeat(40)).unwrap(),
            title: "carol v1.0.0-rc.1".to_owned(),
            body: "## notes\n".to_owned(),
            prerelease: true,
        };
        assert_eq!(forge.page(&page.tag).unwrap(), None);
        let draft = forge.draft(&page).unwrap();
        assert!(draft.draft);
        let asset = Asset { name: "SHA256SUMS".to_owned(), bytes: b"x".to_vec() };
        forge.upload(&draft, &asset).unwrap();
        forge.update(&draft, &page).unwrap();
        let found = forge.page(&page.tag).unwrap().unwrap();
        assert_eq!((&found.page, found.draft), (&page, false));
        let listed = &found.assets[0];
        assert_eq!((listed.name.as_str(), listed.size), ("SHA256SUMS", 1));
        assert_eq!(forge.assets(&page.tag, &[listed]).pop().unwrap().unwrap(), Some(asset.bytes));
        forge.remove(&found, listed).unwrap();
        assert_eq!(forge.page(&page.tag).unwrap().unwrap().assets, []);
        assert_eq!(forge.assets(&page.tag, &[listed]).pop().unwrap().unwrap(), None);
        forge.remove(&found, listed).unwrap();
        let mut names: Vec<_> = scratch
            .path()
            .read_dir()
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["v1.0.0-rc.1", "v1.0.0-rc.1.json", "v1.0.0-rc.1.md"]);
    }
}
