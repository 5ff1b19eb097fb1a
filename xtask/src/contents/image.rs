//! Layers upon each other, as an engine unpacks them: what is in the image, and from which layer it came.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};

use super::elf::{Elf, Libc};
use super::facts::{Fact, LayerFacts};
use super::npm::{self, Manifest, Place};
use super::system::{OsPackage, OsRelease};

/// What is in one platform's image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Such as `linux/arm64`.
    pub platform: String,
    /// How many of its layers are the base image's; `None` where that is not known.
    pub base_layers: Option<usize>,
    /// The npm packages, by path.
    pub packages: Vec<NpmPackage>,
    /// The operating system's packages, sorted.
    pub system: Vec<OsPackage>,
    /// Those are Alpine's, and not Debian's.
    pub is_alpine: bool,
    /// The operating system.
    pub release: Option<OsRelease>,
    /// Lists of packages that are there and not read.
    pub unread: Vec<String>,
    /// The programs called `node`.
    pub node: Vec<String>,
    /// `NODE_VERSION` of the image's environment.
    pub node_version: Option<String>,
    /// Every ELF file but the loaders, by path.
    pub elf: Vec<ElfFile>,
    /// The C libraries that have a loader.
    pub libcs: BTreeSet<Libc>,
}

/// One npm package, where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NpmPackage {
    /// Its directory.
    pub path: String,
    /// What its `package.json` says.
    pub manifest: Manifest,
    /// How it came there.
    pub kind: Kind,
    /// The paths in `node_modules` directories that lead here.
    pub links: Vec<String>,
    /// The layer that its `package.json` is in, from 0.
    pub layer: usize,
}

/// How a package came where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// npm put it there.
    Installed,
    /// It is among the files of another package.
    Inside,
    /// A folder of the repository that a link leads to: a workspace, or a `file:` dependency.
    Local,
}

/// One ELF file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElfFile {
    /// Where it is.
    pub path: String,
    /// What it says.
    pub elf: Elf,
    /// The layer that it is in, from 0.
    pub layer: usize,
}

impl Contents {
    /// Puts `layers` upon each other, the lowest first. `base_layers` of them are the base image's, where that is known;
    /// `node_version` is `NODE_VERSION` of the environment in the image's config.
    ///
    /// # Errors
    /// When a package's file is a hard link to nothing.
    pub fn of(
        platform: &str,
        layers: &[LayerFacts],
        base_layers: Option<usize>,
        node_version: Option<String>,
    ) -> Result<Self> {
        let seen = stack(layers)?;
        let mut contents = Self {
            platform: platform.to_owned(),
            base_layers,
            packages: packages(&seen),
            system: Vec::new(),
            is_alpine: false,
            release: None,
            unread: Vec::new(),
            node: Vec::new(),
            node_version,
            elf: Vec::new(),
            libcs: BTreeSet::new(),
        };
        for (path, (layer, fact)) in seen {
            match fact {
                Fact::Elf(elf) => {
                    if path.rsplit('/').next() == Some("node") {
                        contents.node.push(path.clone());
                    }
                    contents.elf.push(ElfFile { path, elf: elf.clone(), layer });
                }
                Fact::Debian(packages) | Fact::Alpine(packages) => {
                    contents.system.extend(packages.iter().cloned());
                    contents.is_alpine |= matches!(fact, Fact::Alpine(_));
                }
                // `etc/` comes first by name, and is what the system itself reads first.
                Fact::OsRelease(release) => drop(contents.release.get_or_insert_with(|| release.clone())),
                Fact::Loader(libc) => drop(contents.libcs.insert(*libc)),
                Fact::Unread => contents.unread.push(path),
                Fact::Manifest(_) | Fact::Link(_) => {}
            }
        }
        contents.system.sort();
        contents.system.dedup();
        Ok(contents)
    }

    /// Whether what is in `layer` was put upon the base image; also where that cannot be told.
    #[must_use]
    pub fn is_above(&self, layer: usize) -> bool {
        self.base_layers.is_none_or(|base| layer >= base)
    }
}

type Seen<'a> = BTreeMap<String, (usize, &'a Fact)>;

/// What is seen at each path, and the layer that it is from.
fn stack(layers: &[LayerFacts]) -> Result<Seen<'_>> {
    let mut seen = Seen::new();
    for (number, layer) in layers.iter().enumerate() {
        layer.opaque.iter().for_each(|directory| hide_below(&mut seen, directory));
        for path in &layer.whiteouts {
            hide(&mut seen, path);
        }
        let names = layer.facts.keys().chain(layer.hard_links.keys()).chain(&layer.others);
        if !seen.is_empty() {
            replace(&mut seen, names);
        }
        for (path, fact) in &layer.facts {
            seen.insert(path.clone(), (number, fact));
        }
        for (path, target) in &layer.hard_links {
            if let Some((_, fact)) = seen.get(target) {
                seen.insert(path.clone(), (number, fact));
            } else {
                let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
                ensure!(
                    name != npm::MANIFEST || npm::place(directory) != Place::Installed,
                    "`{path}` is a hard link to `{target}`, which is not read: copy the packages into the image as files"
                );
            }
        }
    }
    Ok(seen)
}

/// A path that is no directory hides what was there, and what was below; and above it there are only directories.
fn replace<'a>(seen: &mut Seen<'_>, paths: impl Iterator<Item = &'a String>) {
    let mut last = "";
    for path in paths {
        hide(seen, path);
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        if directory != last {
            let ends = directory.match_indices('/').map(|(at, _)| at).chain([directory.len()]);
            for end in ends {
                seen.remove(&directory[..end]);
            }
            last = directory;
        }
    }
}

fn hide(seen: &mut Seen<'_>, path: &str) {
    seen.remove(path);
    hide_below(seen, path);
}

fn hide_below(seen: &mut Seen<'_>, directory: &str) {
    let prefix = if directory.is_empty() { String::new() } else { format!("{directory}/") };
    let below =
        seen.range(prefix.clone()..).map(|(path, _)| path).take_while(|path| path.starts_with(&prefix));
    let below: Vec<_> = below.cloned().collect();
    for path in &below {
        seen.remove(path);
    }
}

fn packages(seen: &Seen<'_>) -> Vec<NpmPackage> {
    let mut links: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, (_, fact)) in seen {
        if let Fact::Link(target) = fact {
            links.entry(resolve(path, target)).or_default().push(path.clone());
        }
    }
    let mut packages = Vec::new();
    for (file, (layer, fact)) in seen {
        let (Fact::Manifest(manifest), Some((path, _))) = (fact, file.rsplit_once('/')) else { continue };
        let links = links.remove(path).unwrap_or_default();
        let kind = match npm::place(path) {
            Place::Installed => Kind::Installed,
            Place::Inside if manifest.name.is_some() && manifest.version.is_some() => Kind::Inside,
            Place::Outside if !links.is_empty() => Kind::Local,
            Place::Inside | Place::Part | Place::Outside => continue,
        };
        packages.push(NpmPackage {
            path: path.to_owned(),
            manifest: manifest.clone(),
            kind,
            links,
            layer: *layer,
        });
    }
    packages.sort_by(|a, b| a.path.cmp(&b.path));
    packages
}

/// Where the link `path` leads, by its words alone.
fn resolve(path: &str, target: &str) -> String {
    let mut words: Vec<_> = if target.starts_with('/') { Vec::new() } else { path.split('/').collect() };
    words.pop();
    for word in target.split('/') {
        match word {
            "" | "." => {}
            ".." => drop(words.pop()),
            word => words.push(word),
        }
    }
    words.join("/")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::archive::tests::{entry, file};
    use super::super::elf::{Libc, tests as elf};
    use super::super::facts::LayerFacts;
    use super::super::layer::tests::facts;
    use super::{Contents, Kind, resolve};

    pub(crate) fn manifest(path: &str, name: &str, version: &str) -> Vec<u8> {
        let content = format!(r#"{{"name": "{name}", "version": "{version}", "license": "MIT"}}"#);
        file(&format!("{path}/package.json"), content.as_bytes())
    }

    pub(crate) fn contents(layers: &[LayerFacts]) -> Contents {
        Contents::of("linux/amd64", layers, Some(1), Some("22.1.0".to_owned())).unwrap()
    }

    fn paths(layers: &[LayerFacts]) -> Vec<String> {
        contents(layers).packages.into_iter().map(|package| package.path).collect()
    }

    #[test]
    fn a_layer_hides_replaces_and_adds() {
        let base = || {
            facts(&[
                manifest("app/node_modules/a", "a", "1.0.0"),
                manifest("app/node_modules/b", "b", "1.0.0"),
                manifest("app/node_modules/b/node_modules/c", "c", "1.0.0"),
            ])
        };
        const ALL: [&str; 3] =
            ["app/node_modules/a", "app/node_modules/b", "app/node_modules/b/node_modules/c"];
        let cases: [(Vec<u8>, &[&str]); 8] = [
            (file("app/other", b""), &ALL),
            (file("app/node_modules/.wh.b", b""), &ALL[..1]),
            (file("app/node_modules/b/.wh.package.json", b""), &["app/node_modules/a", ALL[2]]),
            (file("app/.wh..wh..opq", b""), &[]),
            (file("app/node_modules/b/.wh..wh..opq", b""), &ALL[..1]),
            (entry(b'2', "app/node_modules", "/elsewhere", b""), &[]),
            (file("app/node_modules/a/package.json/x", b""), &ALL[1..]),
            (file("app/node_modules/ab", b""), &ALL),
        ];
        for (upper, expected) in cases {
            assert_eq!(paths(&[base(), facts(&[upper])]), expected);
        }
        let both = facts(&[file("app/.wh..wh..opq", b""), manifest("app/node_modules/d", "d", "1.0.0")]);
        assert_eq!(paths(&[base(), both]), ["app/node_modules/d"], "opaque is about what is below");
        let replaced = contents(&[base(), facts(&[manifest("app/node_modules/a", "a", "2.0.0")])]);
        assert_eq!(
            (replaced.packages[0].manifest.version.as_deref(), replaced.packages[0].layer),
            (Some("2.0.0"), 1)
        );
    }

    #[test]
    fn local_packages_are_those_that_a_link_leads_to() {
        let found = contents(&[facts(&[
            manifest("app", "service", "0.0.0"),
            manifest("app/packages/core", "@acme/core", "1.0.0"),
            manifest("app/packages/unused", "unused", "1.0.0"),
            manifest("app/node_modules/x/test/node_modules/y", "y", "3.0.0"),
            entry(b'2', "app/node_modules/@acme/core", "../../packages/core", b""),
            entry(b'2', "app/node_modules/gone", "../packages/gone", b""),
        ])]);
        let found: Vec<_> =
            found.packages.iter().map(|package| (package.path.as_str(), package.kind)).collect();
        assert_eq!(
            found,
            [("app/node_modules/x/test/node_modules/y", Kind::Inside), ("app/packages/core", Kind::Local)]
        );
        assert_eq!(resolve("a/node_modules/b", "../../../../x"), "x");
        assert_eq!(resolve("a/node_modules/b", "/srv/./x"), "srv/x");
    }

    #[test]
    fn a_hard_link_is_the_file_that_it_is_linked_to() {
        let x64 = elf::file(62, true, false, "", "");
        let linked = contents(&[
            facts(&[file("app/a.node", &x64)]),
            facts(&[entry(b'1', "app/b.node", "app/a.node", b"")]),
        ]);
        let found: Vec<_> = linked.elf.iter().map(|file| (file.path.as_str(), file.layer)).collect();
        assert_eq!(found, [("app/a.node", 0), ("app/b.node", 1)]);
        let lost =
            facts(&[file("store/1", b"{}"), entry(b'1', "app/node_modules/a/package.json", "store/1", b"")]);
        let error = Contents::of("linux/amd64", &[lost], None, None).unwrap_err();
        assert!(error.to_string().contains("hard link to `store/1`"), "{error}");
    }

    #[test]
    fn the_system_and_node_are_known() {
        let base = facts(&[
            file("usr/local/bin/node", &elf::file(62, true, false, "", "libc.so.6")),
            file("lib64/ld-linux-x86-64.so.2", &elf::file(62, true, false, "", "")),
            file("var/lib/dpkg/status", b"Package: b\nVersion: 1\n\nPackage: a\nVersion: 2\n"),
            file("usr/lib/os-release", b"ID=debian\nVERSION_ID=\"12\"\n"),
        ]);
        let found = contents(&[base]);
        assert_eq!(found.node, ["usr/local/bin/node"]);
        assert_eq!(found.libcs.into_iter().collect::<Vec<_>>(), [Libc::Glibc]);
        let names: Vec<_> = found.system.iter().map(|package| package.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(found.release.unwrap().id, "debian");
    }
}
