//! The components of one platform's image, and their JSON.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::{PlatformImage, license, property, purl};
use crate::contents::image::{Contents, Kind, NpmPackage};
use crate::inputs::config::{Archive, Native};
use crate::inputs::lockfile::Locked;

/// Code of the repository has no package URL, because a public package of the same name is something else.
const LOCAL: (&str, &str) = ("xtask:local", "true");

/// A component with all of its places, on one platform or several.
pub(super) struct Component {
    /// Its `bom-ref`, which is the same wherever the component is the same.
    pub(super) reference: String,
    /// Its path in the lockfile, if it comes from there.
    pub(super) locked: Option<String>,
    /// Whether it is node itself.
    pub(super) is_node: bool,
    kind: &'static str,
    name: String,
    version: Option<String>,
    purl: Option<String>,
    cpe: Option<String>,
    license: Option<String>,
    /// The algorithm and hexadecimal digits of its archive's hash.
    hash: Option<(&'static str, String)>,
    /// The address of that archive, if it is not in a registry.
    distribution: Option<String>,
    properties: BTreeSet<(&'static str, &'static str)>,
    places: BTreeSet<String>,
    platforms: BTreeSet<String>,
}

impl Component {
    fn new(kind: &'static str, name: &str, version: Option<&str>, reference: String) -> Self {
        Self {
            reference,
            locked: None,
            is_node: false,
            kind,
            name: name.to_owned(),
            version: version.map(str::to_owned),
            purl: None,
            cpe: None,
            license: None,
            hash: None,
            distribution: None,
            properties: BTreeSet::new(),
            places: BTreeSet::new(),
            platforms: BTreeSet::new(),
        }
    }

    /// Merges the same component from another place or platform.
    pub(super) fn add(&mut self, other: Self) {
        self.license = self.license.take().or(other.license);
        self.properties.extend(other.properties);
        self.places.extend(other.places);
        self.platforms.extend(other.platforms);
    }

    /// Its JSON. `all` are the platforms of the image.
    pub(super) fn json(&self, all: &[&str]) -> Value {
        let (group, name) = match self.name.split_once('/') {
            Some((scope, name)) if scope.starts_with('@') => (Some(scope), name),
            _ => (None, self.name.as_str()),
        };
        let mut properties: Vec<_> =
            self.properties.iter().map(|(key, value)| property(key, value)).collect();
        if self.platforms.len() < all.len() {
            properties.extend(self.platforms.iter().map(|platform| property("xtask:platform", platform)));
        }
        let mut fields = Map::new();
        let mut put =
            |key: &str, value: Option<Value>| drop(value.map(|value| fields.insert(key.to_owned(), value)));
        put("type", Some(self.kind.into()));
        put("bom-ref", Some(self.reference.as_str().into()));
        put("group", group.map(Value::from));
        put("name", Some(name.into()));
        put("version", self.version.as_deref().map(Value::from));
        put("purl", self.purl.as_deref().map(Value::from));
        put("cpe", self.cpe.as_deref().map(Value::from));
        put("licenses", self.license.as_deref().map(license::json));
        put("hashes", self.hash.as_ref().map(|(alg, hash)| json!([{"alg": alg, "content": hash}])));
        let distribution = self.distribution.as_deref();
        put("externalReferences", distribution.map(|url| json!([{"type": "distribution", "url": url}])));
        put("properties", (!properties.is_empty()).then(|| properties.into()));
        let places: Vec<_> = self.places.iter().map(|place| json!({"location": place})).collect();
        put("evidence", (!places.is_empty()).then(|| json!({"occurrences": places})));
        Value::Object(fields)
    }
}

/// All components of one platform's image.
pub(super) fn of(platform: &PlatformImage<'_>) -> Vec<Component> {
    let PlatformImage { contents, held, archives } = platform;
    let mut components: Vec<_> =
        contents.packages.iter().map(|package| npm(package, held.locked.get(&package.path))).collect();
    components.extend(held.bundled.iter().map(bundled));
    components.extend(system(contents));
    components.extend(node(contents));
    components.extend(archives.iter().map(|(native, archive)| prebuilt(native, archive)));
    for component in &mut components {
        component.platforms.insert(contents.platform.clone());
    }
    components
}

/// The component of an npm package. Of the same name and version, packages with a hash of their archive and packages
/// without one are different components: they come from different sources.
fn npm(package: &NpmPackage, locked: Option<&Locked>) -> Component {
    let folder = package.path.rsplit("node_modules/").next().unwrap_or(&package.path);
    let name =
        package.manifest.name.as_deref().or(locked.map(|locked| locked.name.as_str())).unwrap_or(folder);
    let version = package.manifest.version.as_deref();
    let url = purl::npm(name, version);
    let hash = locked.and_then(|locked| sha512(locked.integrity.as_deref()?));
    let mut component = match package.kind {
        Kind::Local => Component::new("library", name, version, format!("{url}#local")),
        Kind::Installed | Kind::Inside => match &hash {
            Some(_) => Component::new("library", name, version, url.clone()),
            None => Component::new("library", name, version, format!("{url}#unhashed")),
        },
    };
    if package.kind == Kind::Local {
        component.properties.insert(LOCAL);
    } else {
        component.purl = Some(url);
    }
    component.hash = hash;
    component.locked = locked.map(|locked| locked.path.clone());
    component.license.clone_from(&package.manifest.license);
    component.places.insert(format!("/{}", package.path));
    component
}

/// A package that a bundler put into the service's own files: only the lockfile describes it.
fn bundled(locked: &Locked) -> Component {
    let version = Some(locked.version.as_str()).filter(|version| !version.is_empty());
    let url = purl::npm(&locked.name, version);
    let reference = if locked.local { format!("{url}#local") } else { url.clone() };
    let mut component = Component::new("library", &locked.name, version, reference);
    component.hash = locked.integrity.as_deref().and_then(sha512);
    component.locked = Some(locked.path.clone());
    component.properties.insert(("xtask:bundled", "true"));
    if locked.local {
        component.properties.insert(LOCAL);
    } else {
        component.purl = Some(url);
    }
    component
}

/// What the build used from an archive instead of running a package's install script.
fn prebuilt(native: &Native, archive: &Archive) -> Component {
    let Native { package, version, .. } = native;
    let reference = reference_of_archive(native, archive);
    let mut component =
        Component::new("file", &format!("{package} (prebuilt)"), version.as_deref(), reference);
    component.hash = Some(("SHA-256", archive.sha256.hex().to_owned()));
    component.distribution = Some(archive.url.to_string());
    component
}

/// The `bom-ref` of such an archive.
pub(super) fn reference_of_archive(native: &Native, archive: &Archive) -> String {
    let Native { package, version, .. } = native;
    let of_version = version.as_ref().map(|version| format!("@{version}")).unwrap_or_default();
    format!("native:{package}{of_version}:{}", archive.platform)
}

fn system(contents: &Contents) -> Vec<Component> {
    let release = contents.release.as_ref();
    let mut components = Vec::new();
    if let Some(release) = release {
        let version = release.version.as_deref();
        let reference = format!("os:{}@{}", release.id, version.unwrap_or_default());
        components.push(Component::new("operating-system", &release.id, version, reference));
    }
    let kind = if contents.is_alpine { "apk" } else { "deb" };
    for package in &contents.system {
        let url = purl::system(kind, package, release);
        let mut component = Component::new("library", &package.name, Some(&package.version), url.clone());
        component.purl = Some(url);
        component.license.clone_from(&package.license);
        component.is_node = package.is_node();
        components.push(component);
    }
    components
}

/// node itself, unless it is one of the system's packages.
fn node(contents: &Contents) -> Option<Component> {
    if contents.node.is_empty() || contents.has_packaged_node() {
        return None;
    }
    let version = contents.node_version.as_deref();
    let url = purl::node(version);
    let unread = version.is_none().then_some(("xtask:not-read", "version"));
    let mut component = Component::new("application", "node", version, url.clone());
    component.is_node = true;
    component.purl = Some(url);
    component.cpe = version.map(|version| format!("cpe:2.3:a:nodejs:node.js:{version}:*:*:*:*:*:*:*"));
    component.license = Some("MIT".to_owned());
    component.places.extend(contents.node.iter().map(|path| format!("/{path}")));
    component.properties.extend(unread);
    Some(component)
}

/// The hexadecimal digits of an integrity that is a single SHA-512 hash (Subresource Integrity, "The integrity
/// attribute").
pub(super) fn sha512(integrity: &str) -> Option<(&'static str, String)> {
    let bytes = STANDARD.decode(integrity.strip_prefix("sha512-")?).ok()?;
    (bytes.len() == 64).then(|| ("SHA-512", bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
}
