//! Recognizes npm packages in an image by their place and their `package.json`.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context as _, Result};
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::inputs::PACKAGE_JSON;
use crate::inputs::lockfile::without_mark;

/// A larger file is not a `package.json`.
pub(super) const MAX_MANIFEST_SIZE: u64 = 4 << 20;

/// The directory in which packages are installed.
const MODULES: &str = "node_modules";

/// The fields of a `package.json` that are needed here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageJson {
    /// The name, with its scope.
    pub name: Option<String>,
    /// The version, in npm's cleaned form.
    pub version: Option<String>,
    /// The licence: an SPDX identifier or expression, or any other text.
    pub license: Option<String>,
}

impl PackageJson {
    /// Parses the file as npm and Node.js do: bytes that are not UTF-8 become replacement characters, and the last of
    /// several equal keys counts.
    ///
    /// # Errors
    /// When it is not a JSON object.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        let decoded = String::from_utf8_lossy(without_mark(bytes));
        let Fields(fields) = serde_json::from_str(&decoded).context("it is not a JSON object")?;
        let text = |value: Option<&Value>| {
            let text = value.and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
            text.map(|text| text.chars().filter(|c| !c.is_control()).take(MAX_LEN).collect::<String>())
        };
        let version = text(fields.get("version")).map(|version| clean_version(&version).to_owned());
        let old = fields.get("licenses").and_then(Value::as_array).map(|list| {
            let of = |entry: &Value| text(entry.get("type")).or_else(|| text(Some(entry)));
            list.iter().filter_map(of).collect::<Vec<_>>().join(" OR ")
        });
        let license = fields.get("license");
        let license = text(license).or_else(|| text(license?.get("type"))).or(old);
        Ok(Self { name: text(fields.get("name")), version, license: license.filter(|text| !text.is_empty()) })
    }
}

/// The members of the object that are needed. The others are skipped unread, because JavaScript accepts numbers,
/// characters and depths that `serde_json` refuses.
struct Fields(BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members).map(Self)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = BTreeMap<String, Value>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            if ["name", "version", "license", "licenses"].contains(&key.as_str()) {
                fields.insert(key, map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(fields)
    }
}

/// The longest value of a field, in characters; the rest is cut off. Names have at most 214 bytes and versions 256,
/// and licences are expressions.
const MAX_LEN: usize = 1024;

/// A version as npm writes it to a lockfile: without a leading `v` or `=` and without build metadata.
pub(super) fn clean_version(version: &str) -> &str {
    let version = version.trim_start_matches(['=', 'v', ' ']);
    version.split('+').next().unwrap_or(version)
}

/// The place of a directory among installed packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// `…/node_modules/NAME`, where npm installs a package.
    Installed,
    /// Also `…/node_modules/NAME`, but within the files of another package: it came in that package's archive.
    Inside,
    /// Below a directory such as `node_modules/.nitro`, but not in a `node_modules` there: a package if a link leads
    /// to it.
    Hidden,
    /// Elsewhere below a `node_modules`: part of a package, not a package itself.
    Part,
    /// Not in a `node_modules`: local code, or nothing that is installed.
    Outside,
}

/// The place of the directory `path`.
#[must_use]
pub fn place(path: &str) -> Place {
    let words: Vec<_> = path.split('/').collect();
    let Some(first) = words.iter().position(|word| *word == MODULES) else { return Place::Outside };
    let mut rest = &words[first..];
    let mut is_chain = true;
    loop {
        let size = match rest {
            [_, scope, name, ..] if scope.starts_with('@') && is_name(name) => 3,
            [_, name, ..] if !name.starts_with('@') && is_name(name) => 2,
            // No package has such a name, but packages may be below: `node_modules/.store/a@1.0.0/node_modules/a`.
            [_, name, ..] if name.starts_with('.') => 1,
            _ => return Place::Part,
        };
        rest = &rest[size..];
        if rest.is_empty() {
            return if is_chain { Place::Installed } else { Place::Inside };
        }
        let next = rest.iter().position(|word| *word == MODULES);
        match next {
            None if size == 1 => return Place::Hidden,
            None => return Place::Part,
            Some(next) => {
                is_chain &= next == 0 || size == 1;
                rest = &rest[next..];
            }
        }
    }
}

/// Whether `path` is the `package.json` of an installed package.
#[must_use]
pub fn is_installed_manifest(path: &str) -> bool {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    name == PACKAGE_JSON && place(directory) == Place::Installed
}

/// Whether a package can have this name. npm allows no name that begins with a dot, as in `.bin` and `.cache`.
fn is_name(word: &str) -> bool {
    !word.is_empty() && !word.starts_with('.') && word != MODULES
}

/// The innermost installed package to which the file `path` belongs.
#[must_use]
pub fn package_of(path: &str) -> Option<&str> {
    let directories = path.match_indices('/').rev().map(|(end, _)| &path[..end]);
    // The place is only computed for directories that may be packages, so that a long path takes no time.
    let is_near = |directory: &&str| directory.rsplit('/').skip(1).take(2).any(|word| word == MODULES);
    directories.filter(is_near).find(|directory| place(directory) == Place::Installed)
}

/// Whether a link in a `node_modules` directory may be at `path`: `node_modules/NAME` or `node_modules/@SCOPE/NAME`.
pub(super) fn is_link_place(path: &str) -> bool {
    matches!(place(path), Place::Installed | Place::Inside)
}

#[cfg(test)]
mod tests {
    use super::{PackageJson, Place, clean_version, package_of, place};

    #[test]
    fn the_place_of_a_package_follows_from_its_directory() {
        for (path, expected) in [
            ("app/node_modules/a", Place::Installed),
            ("node_modules/@s/a", Place::Installed),
            ("app/node_modules/a/node_modules/@s/b", Place::Installed),
            ("app/packages/core/node_modules/a", Place::Installed),
            ("app/node_modules/a/test/node_modules/b", Place::Inside),
            ("app/node_modules/a/test/node_modules/b/node_modules/c", Place::Inside),
            ("app/node_modules/.pnpm/a@1.0.0/node_modules/a", Place::Installed),
            ("app/node_modules/.store/a@1.0.0/node_modules/@s/b/node_modules/c", Place::Installed),
            ("app/node_modules/a/test/node_modules/.x/node_modules/b", Place::Inside),
            ("app/node_modules/.store/a@1.0.0/node_modules/a/dist", Place::Part),
            ("app/node_modules/.store/a@1.0.0/node_modules", Place::Part),
            ("app/node_modules/.nitro/a@1.0.0", Place::Hidden),
            ("app/node_modules/a/dist/cjs", Place::Part),
            ("app/node_modules/@s", Place::Part),
            ("app/node_modules/.bin", Place::Hidden),
            ("app/node_modules", Place::Part),
            ("app/packages/core", Place::Outside),
            ("app", Place::Outside),
        ] {
            assert_eq!(place(path), expected, "{path}");
        }
        assert_eq!(package_of("app/node_modules/a/build/x.node"), Some("app/node_modules/a"));
        assert_eq!(package_of("app/node_modules/a/t/node_modules/b/x"), Some("app/node_modules/a"));
        assert_eq!(package_of("app/src/x.node"), None);
    }

    #[test]
    fn a_manifest_is_read_as_javascript_reads_it() {
        let of = |text: &str| PackageJson::parse(text.as_bytes()).unwrap();
        let plain = of(r#"{"name": "a", "version": "v1.0.0+x", "license": "MIT"}"#);
        assert_eq!(plain.version.as_deref(), Some("1.0.0"));
        assert_eq!(of("\u{feff}{\"name\": \"a\", \"name\": \"b\"}").name.as_deref(), Some("b"));
        for (license, expected) in [
            (r#""license": {"type": "ISC", "url": "x"}"#, Some("ISC")),
            (r#""licenses": [{"type": "MIT"}, {"type": "Apache-2.0"}]"#, Some("MIT OR Apache-2.0")),
            (r#""license": 3"#, None),
            (r#""licenses": []"#, None),
        ] {
            assert_eq!(of(&format!("{{{license}}}")).license.as_deref(), expected, "{license}");
        }
        assert_eq!(of(r#"{"name": ["a"], "version": 1}"#), PackageJson::default());
        for wrong in ["", "[]", "null", "{\"name\":", "{\"x\": nan}", "{} {}", "\u{feff}\u{feff}{}"] {
            assert!(PackageJson::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
        let latin1 = b"\xef\xbb\xbf{\"author\": \"Jos\xe9\", \"name\": \"a\"}";
        assert_eq!(PackageJson::parse(latin1).unwrap().name.as_deref(), Some("a"));
        // Fields that are not needed, with values that only JavaScript can hold.
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        for odd in [r#""\ud800""#, "1e999", deep.as_str()] {
            let text = format!(r#"{{"x": {odd}, "name": "a", "x": {odd}}}"#);
            assert_eq!(of(&text).name.as_deref(), Some("a"), "{odd}");
        }
        assert_eq!([clean_version("=v1.2.3"), clean_version(" 1.0.0-rc.1")], ["1.2.3", "1.0.0-rc.1"]);
    }
}
