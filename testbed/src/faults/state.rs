//! What a release leaves for others to see, and how it must look after a disturbed release.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use xtask::oci::reference::Tag;

use crate::forge_client::{Release, Repository};
use crate::watcher::{BUNDLE_TYPES, PREDICATE_TYPES, bundled, predicate_types, stored};

/// Everything that is public.
#[derive(Debug)]
pub(super) struct State {
    /// Tags of the image with their digests.
    pub(super) tags: BTreeMap<String, String>,
    /// For each of cosign's tags, the predicate types of its layers (empty for a signature), or those of the
    /// bundles.
    layers: BTreeMap<String, Vec<String>>,
    pages: Vec<Release>,
    /// The tag of the page that the forge shows as its latest.
    latest_page: Option<String>,
}

/// One release as it is when nothing disturbs it.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) tag: String,
    pub(super) digest: String,
    page: Release,
    /// cosign's tags: those of every signature, and those of the attestations.
    pub(super) signatures: BTreeSet<String>,
}

impl State {
    /// Queries the registry and the forge.
    pub(super) fn of(repository: &Repository) -> Result<Self> {
        let registry = repository.registry();
        let (mut tags, mut layers) = (BTreeMap::new(), BTreeMap::new());
        for tag in repository.registry_tags()? {
            let manifest = registry.manifest(&tag.parse::<Tag>()?)?;
            let manifest = manifest.with_context(|| format!("`{tag}` is listed but has no manifest"))?;
            if tag.starts_with("sha256-") {
                layers.insert(tag.clone(), predicate_types(&manifest.bytes)?);
            }
            tags.insert(tag, manifest.digest.to_string());
        }
        let latest_page = repository.latest_release()?.map(|page| page.tag_name);
        Ok(Self { tags, layers, pages: repository.releases()?, latest_page })
    }

    /// What the undisturbed release of `tag` left on an empty project.
    pub(super) fn into_made(self, tag: &str) -> Result<Made> {
        let digest = self.tags.get(tag).with_context(|| format!("`{tag}` is not in the registry"))?.clone();
        let mut pages = self.pages.into_iter().filter(|page| page.tag_name == tag);
        let page = pages.next().with_context(|| format!("`{tag}` has no page"))?;
        let signatures = self.layers.into_keys().collect();
        Ok(Made { tag: tag.to_owned(), digest, page, signatures })
    }

    /// Everything that is wrong if exactly the releases `made` should be there, with `latest` as the latest one.
    pub(super) fn faults(&self, made: &[&Made], latest: &Made) -> Vec<String> {
        let mut faults = Vec::new();
        let expected: BTreeSet<&str> = made
            .iter()
            .flat_map(|made| made.signatures.iter().map(String::as_str).chain([made.tag.as_str()]))
            .chain(["latest"])
            .collect();
        let found: BTreeSet<&str> = self.tags.keys().map(String::as_str).collect();
        faults.extend(expected.difference(&found).map(|tag| format!("there is no `{tag}`")));
        faults.extend(found.difference(&expected).map(|tag| format!("`{tag}` is left over")));
        if found.contains("latest") && self.tags["latest"] != latest.digest {
            faults.push(format!("`latest` is `{}` and not {}", self.tags["latest"], latest.tag));
        }
        if self.latest_page.as_ref() != Some(&latest.tag) {
            faults.push(format!("the forge's latest page is {:?} and not {}", self.latest_page, latest.tag));
        }
        for made in made {
            self.release_faults(made, &mut faults);
        }
        let tags: BTreeSet<_> = made.iter().map(|made| made.tag.as_str()).collect();
        let others = self.pages.iter().filter(|page| !tags.contains(&*page.tag_name));
        faults.extend(others.map(|page| format!("there is a page of `{}`", page.tag_name)));
        faults
    }

    fn release_faults(&self, made: &Made, faults: &mut Vec<String>) {
        let Made { tag, digest, page, signatures } = made;
        if self.tags.get(tag).is_some_and(|found| found != digest) {
            faults.push(format!("`{tag}` is `{}` and not `{digest}`", self.tags[tag]));
        }
        for name in signatures {
            let Some(types) = self.layers.get(name) else { continue };
            let mut types = types.clone();
            types.sort();
            let expected: &[&str] = match name {
                name if *name == stored(digest, "att") => &PREDICATE_TYPES,
                name if *name == bundled(digest) => &BUNDLE_TYPES,
                _ => &[""],
            };
            if types != expected {
                faults.push(format!("`{name}` has the layers {types:?}"));
            }
        }
        let pages: Vec<_> = self.pages.iter().filter(|page| page.tag_name == *tag).collect();
        match pages.as_slice() {
            [found] if is_same(found, page) => {
                let (found, expected) = (files(found), files(page));
                if found != expected {
                    faults.push(format!("the page of `{tag}` has the files {found:?} and not {expected:?}"));
                }
            }
            [found] => faults.push(format!("the page of `{tag}` is {found:?} and not {page:?}")),
            found => faults.push(format!("`{tag}` has {} pages", found.len())),
        }
    }
}

/// The names of a page's files, each as often as it occurs. Their content is for `xtask verify` to check.
fn files(page: &Release) -> Vec<&str> {
    let mut names: Vec<_> = page.assets.iter().map(|asset| asset.name.as_str()).collect();
    names.sort_unstable();
    names
}

/// Whether two pages have the same title, text and flags. Their address and the forge's own number may differ.
fn is_same(one: &Release, other: &Release) -> bool {
    (&one.name, &one.body, one.draft, one.prerelease, &one.target_commitish)
        == (&other.name, &other.body, other.draft, other.prerelease, &other.target_commitish)
}

#[cfg(test)]
mod tests {
    use super::State;
    use crate::forge_client::{Asset, Release};
    use crate::watcher::{BUNDLE_TYPES, PREDICATE_TYPES};
    use std::collections::BTreeMap;

    fn state() -> State {
        let attested = PREDICATE_TYPES.map(str::to_owned).to_vec();
        let tags = ["latest", "v0.1.0"].map(|tag| (tag.to_owned(), "sha256:aa".to_owned()));
        let bundles = BUNDLE_TYPES.map(str::to_owned).to_vec();
        let own = ["sha256-aa.att", "sha256-aa.sig", "sha256-aa"]
            .map(|tag| (tag.to_owned(), "sha256:bb".to_owned()));
        let layers = [attested, vec![String::new()], bundles];
        let page = Release {
            id: 1,
            tag_name: "v0.1.0".to_owned(),
            target_commitish: "c".to_owned(),
            name: "carol".to_owned(),
            body: "text".to_owned(),
            draft: false,
            prerelease: false,
            html_url: String::new(),
            assets: vec![Asset { id: 1, name: "SHA256SUMS".to_owned() }],
        };
        State {
            layers: own.iter().map(|(tag, _)| tag.clone()).zip(layers).collect(),
            tags: tags.into_iter().chain(own).collect::<BTreeMap<_, _>>(),
            pages: vec![page],
            latest_page: Some("v0.1.0".to_owned()),
        }
    }

    type Change = fn(&mut State);

    #[test]
    fn every_difference_from_the_undisturbed_release_is_reported() {
        let made = state().into_made("v0.1.0").unwrap();
        let faults = |change: Change| {
            let mut state = state();
            change(&mut state);
            state.faults(&[&made], &made).join("; ")
        };
        assert_eq!(faults(|_| {}), "");
        let cases: [(Change, &str); 13] = [
            (|s| drop(s.tags.remove("sha256-aa")), "there is no `sha256-aa`"),
            (|s| drop(s.layers.get_mut("sha256-aa").unwrap().pop()), "`sha256-aa` has the layers"),
            (
                |s| drop(s.tags.insert("candidate-v0.1.0-1".to_owned(), String::new())),
                "`candidate-v0.1.0-1` is left over",
            ),
            (|s| drop(s.tags.remove("sha256-aa.sig")), "there is no `sha256-aa.sig`"),
            (|s| drop(s.tags.insert("latest".to_owned(), "sha256:cc".to_owned())), "`latest` is `sha256:cc`"),
            (|s| drop(s.tags.insert("v0.1.0".to_owned(), "sha256:cc".to_owned())), "`v0.1.0` is `sha256:cc`"),
            (|s| drop(s.layers.get_mut("sha256-aa.att").unwrap().pop()), "`sha256-aa.att` has the layers"),
            (
                |s| s.layers.get_mut("sha256-aa.sig").unwrap().push(String::new()),
                "`sha256-aa.sig` has the layers",
            ),
            (|s| s.pages[0].body.push('x'), "the page of `v0.1.0` is "),
            (|s| s.pages.push(s.pages[0].clone()), "`v0.1.0` has 2 pages"),
            (|s| drop(s.pages[0].assets.pop()), "the page of `v0.1.0` has the files []"),
            (
                |s| s.pages[0].assets.push(Asset { id: 2, name: "SHA256SUMS".to_owned() }),
                "has the files [\"SHA256SUMS\", \"SHA256SUMS\"]",
            ),
            (|s| s.latest_page = None, "the forge's latest page is None"),
        ];
        for (change, expected) in cases {
            let found = faults(change);
            assert!(found.contains(expected), "expected `{expected}` in `{found}`");
        }
    }
}
