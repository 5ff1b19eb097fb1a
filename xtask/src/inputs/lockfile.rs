//! `package-lock.json`: its comparison with `package.json`, and the packages that npm installs from it for a platform,
//! computed only from the file.

mod address;
mod bundles;
mod edges;
mod elsewhere;
mod entry;
mod grammar;
mod graph;
mod in_sync;
mod local;
mod marks;
mod overrides;
pub mod pinned;
mod rules;
mod strict;
mod target;
#[cfg(test)]
mod tests;
mod workspaces;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, anyhow, bail, ensure};

use crate::inputs::config::Folder;
use crate::inputs::finding::{Rule, Unclear};
use crate::inputs::{PACKAGE_JSON, PACKAGE_LOCK};
use crate::refuse;
use edges::Edges;
use entry::{Entry, Lock, Manifest, Workspaces};
use grammar::is_in_node_modules;
use graph::{Graph, Selection};
use overrides::{Override, Overrides};

pub use address::Registries;
pub use entry::{MAX_MANIFEST_SIZE, manifest, without_mark};
pub use local::Local;
pub use target::{Libc, Target};

/// An entry of the lockfile that is installed for some platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locked {
    /// Its path in the lockfile, such as `node_modules/fastify`.
    pub path: String,
    /// The package's own name, even if it is installed under another one.
    pub name: String,
    /// Its exact version; empty for local code without one.
    pub version: String,
    /// The subresource integrity (`sha512-…`) of its archive. `None` for local code, and for a package that is bundled
    /// in another one's archive.
    pub integrity: Option<String>,
    /// Whether it is an optional dependency, or only optional dependencies need it.
    pub optional: bool,
    /// Whether it is a folder of the repository: a workspace or a `file:` dependency.
    pub local: bool,
    /// Whether it has a script that npm would run after unpacking it.
    pub has_install_script: bool,
}

/// A lockfile that agrees with its package.json.
pub struct Lockfile {
    lock: Lock,
    /// The dependencies between the entries of `lock`.
    edges: Edges,
    /// The `overrides` of package.json.
    overrides: Overrides,
}

impl Lockfile {
    /// The packages that `npm ci --omit=dev` installs for `target` and that an image for that platform must have, by
    /// path in the lockfile, such as `node_modules/fastify`. In place of a link, its target is listed.
    ///
    /// # Errors
    /// A [`crate::process::failure::Refusal`] when a required package does not fit the platform or has no entry.
    pub fn installed(&self, target: &Target) -> Result<BTreeMap<String, Locked>> {
        let selection = self.select(target)?;
        let optional = |path: &str| selection.optional.contains(path);
        Ok(selection.installed.iter().map(|path| self.locked(path, optional(path))).collect())
    }

    /// Those of [`Lockfile::installed`] that npm chooses by the processor, such as `@img/sharp-linux-x64`: optional
    /// dependencies that name a processor. Each with the packages that depend on it, the root as an empty path.
    ///
    /// # Errors
    /// As [`Lockfile::installed`].
    pub fn chosen_by_cpu(&self, target: &Target) -> Result<BTreeMap<String, Vec<String>>> {
        let graph = self.graph();
        let selection = graph.select(target)?;
        let mut chosen: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for from in selection.installed.iter().copied().chain([""]) {
            let says_cpu = |to: &&str| !self.lock.packages[*to].cpu.list().is_empty();
            for to in graph.needed_by(from).filter(says_cpu).filter(|to| selection.optional.contains(to)) {
                chosen.entry(to.to_owned()).or_default().push(from.to_owned());
            }
        }
        Ok(chosen)
    }

    /// What each package needs, without development dependencies, by path as in [`Lockfile::installed`]. The service
    /// itself has an empty path. An optional dependency or peer is listed whether or not it is installed.
    #[must_use]
    pub fn needs(&self) -> BTreeMap<String, Vec<String>> {
        let graph = self.graph();
        let paths = self.lock.packages.keys();
        paths.map(|path| (path.clone(), graph.needed_by(path).map(str::to_owned).collect())).collect()
    }

    /// The packages that may be present in addition to [`Lockfile::installed`]. They fit the platform, and either came
    /// in an installed package's archive, or some versions of npm leave them in place although everything that depends
    /// on them is omitted.
    ///
    /// # Errors
    /// As [`Lockfile::installed`].
    pub fn tolerated(&self, target: &Target) -> Result<BTreeMap<String, Locked>> {
        Ok(self.select(target)?.tolerated.iter().map(|path| self.locked(path, true)).collect())
    }

    fn select(&self, target: &Target) -> Result<Selection<'_>> {
        self.graph().select(target)
    }

    fn graph(&self) -> Graph<'_> {
        Graph::new(&self.lock, &self.edges)
    }

    /// The folders to which the lockfile links (workspaces and `file:` dependencies), each with the path of its
    /// package.json in the repository.
    ///
    /// # Errors
    /// When a folder is outside the repository.
    pub fn local_manifests(&self, service: &Folder) -> Result<Vec<(String, String)>> {
        let folders = self.lock.packages.keys().filter(|path| is_local(path));
        folders
            .map(|path| Ok((path.clone(), in_repository(service, &format!("{path}/package.json"))?)))
            .collect()
    }

    /// The entry at `path`, and whether only development needs it. The latter is the entry's own mark, so
    /// [`Lockfile::wrong_marks`] must have found nothing.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<(Locked, bool)> {
        let entry = self.lock.packages.get(path)?;
        Some((self.locked(path, entry.optional).1, entry.dev))
    }

    fn locked(&self, path: &str, optional: bool) -> (String, Locked) {
        let entry = &self.lock.packages[path];
        let locked = Locked {
            path: path.to_owned(),
            name: package_name(path, entry),
            version: entry.version.clone().unwrap_or_default(),
            integrity: entry.integrity.clone(),
            optional,
            local: !is_in_node_modules(path),
            has_install_script: entry.has_install_script,
        };
        (path.to_owned(), locked)
    }
}

/// The name in the entry at `path`, else the name of its folder, including the scope.
fn package_name(path: &str, entry: &Entry) -> String {
    entry.name.clone().unwrap_or_else(|| folder_name(path).to_owned())
}

fn folder_name(path: &str) -> &str {
    let folder = path.rsplit_once("node_modules/").map_or(path, |(_, folder)| folder);
    match folder.rsplit_once('/') {
        Some((above, name)) => {
            let scope = above.rsplit('/').next().unwrap_or_default();
            if scope.starts_with('@') { &folder[above.len() - scope.len()..] } else { name }
        }
        None => folder,
    }
}

/// Compares the ranges for which the lockfile was made with those in package.json. npm itself accepts a changed range
/// as long as the locked version satisfies it.
///
/// # Errors
/// A [`crate::process::failure::Refusal`] when they disagree or a package has no integrity. Other errors when they
/// cannot be read. Each has the rule and the file as an [`Unclear`].
pub fn check(service: &Folder, package_json: &[u8], package_lock: &[u8]) -> Result<Lockfile> {
    let within = |name, rule| move |error| Unclear::error(rule, &service.join(name), error);
    let manifest: Manifest = manifest(package_json).map_err(within(PACKAGE_JSON, Rule::InputsUnreadable))?;
    if let Some(Workspaces::Other(_)) = manifest.workspaces {
        let error =
            anyhow!("`workspaces` is neither a list of patterns nor a table with the list `packages`");
        return Err(within(PACKAGE_JSON, Rule::InputsUnreadable)(error));
    }
    let lock = parse(package_lock, service).map_err(within(PACKAGE_LOCK, Rule::InputsUnreadable))?;
    in_sync::check(&manifest, &lock, service).map_err(within(PACKAGE_LOCK, Rule::LockfileOutOfSync))?;
    let edges = check_packages(&lock, service).map_err(within(PACKAGE_LOCK, Rule::LockfileMissingEntry))?;
    Ok(Lockfile { lock, edges, overrides: manifest.overrides.map(Override::into_all).unwrap_or_default() })
}

fn parse(package_lock: &[u8], service: &Folder) -> Result<Lock> {
    let lock = Lock::parse(package_lock)?;
    if !matches!(lock.lockfile_version, 2 | 3) {
        refuse!(
            "`package-lock.json` has format {}: expected 2 or 3; run `npm install --package-lock-only --lockfile-version=3` {} \
             and commit the result",
            lock.lockfile_version,
            service.in_words()
        );
    }
    ensure!(lock.packages.contains_key(""), "`package-lock.json` has no entry for the package itself");
    Ok(lock)
}

/// Checks the packages that `npm ci --omit=dev` installs on at least one platform. Returns what each package depends
/// on.
fn check_packages(lock: &Lock, service: &Folder) -> Result<Edges> {
    let edges = Edges::of(lock)?;
    for path in Graph::new(lock, &edges).production() {
        if is_in_node_modules(path) {
            check_package(path, &lock.packages[path], service)?;
        }
    }
    Ok(edges)
}

fn out_of_sync(manifest: &str, difference: &str, service: &Folder) -> String {
    format!("`package-lock.json` is out of sync with `{manifest}`: {difference}; {}", remedy(service))
}

/// The command to type when npm would write the lockfile of `service` differently.
#[must_use]
pub fn remedy(service: &Folder) -> String {
    format!("run `npm install --package-lock-only` {} and commit the result", service.in_words())
}

fn is_local(path: &str) -> bool {
    !path.is_empty() && !is_in_node_modules(path)
}

/// `path`, relative to the service's folder, as a path in the repository.
fn in_repository(service: &Folder, path: &str) -> Result<String> {
    let whole = service.join(path);
    let mut components = Vec::new();
    for component in whole.split('/') {
        if component != ".." {
            components.push(component);
        } else if components.pop().is_none() {
            bail!("`package-lock.json` links to `{path}`, which is outside of the repository");
        }
    }
    Ok(components.join("/"))
}

/// Checks that the package's version and bytes are pinned.
fn check_package(path: &str, entry: &Entry, service: &Folder) -> Result<()> {
    let name = package_name(path, entry);
    let version = entry.version.as_ref();
    let version = version.with_context(|| format!("`package-lock.json` has no version for `{path}`"))?;
    let is_strong = |integrity: &String| integrity.split_whitespace().any(|hash| hash.starts_with("sha512-"));
    if !entry.in_bundle && !entry.integrity.as_ref().is_some_and(is_strong) {
        let found = if entry.integrity.is_none() { "no integrity" } else { "no sha512 integrity" };
        let remedy = match entry.resolved.as_deref().unwrap_or_default() {
            _ if entry.integrity.is_some() => write_anew(service),
            git if git.starts_with("git") => {
                format!("it comes from git, which has none; {}", strict::PUBLISHED)
            }
            folder if folder.starts_with("file:") && !folder.ends_with(".tgz") => {
                format!("it is the copy of a folder, which has none; {}", edges::IN_REACH)
            }
            _ => write_anew(service),
        };
        refuse!(
            "`package-lock.json` has {found} for `{name}` {version}, so what is installed could change: {remedy}"
        );
    }
    Ok(())
}

/// npm does not repair a lockfile entry while the package is installed. No npm before 11.11 writes `libc`.
fn write_anew(service: &Folder) -> String {
    format!(
        "delete `node_modules` and `package-lock.json` {}, run `npx npm@11 install` there, then try \
         `npx npm@10 ci --dry-run` if the base image has npm 10, and commit the result",
        service.in_words()
    )
}
