//! Platforms: in the only spelling that this program uses, and in the fields of an image's documents.

use std::fmt;

use anyhow::{Result, bail, ensure};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// `os/architecture` with an optional variant, in the only spelling that `BuildKit` writes into an index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Platform(String);

impl Platform {
    /// Node.js's name for the architecture (`process.arch`), if it has one. Node.js runs on Linux in an image.
    #[must_use]
    pub fn node_architecture(&self) -> Option<&'static str> {
        let (architecture, variant) = match self.0.split('/').collect::<Vec<_>>()[..] {
            ["linux", architecture] => (architecture, None),
            ["linux", architecture, variant] => (architecture, Some(variant)),
            _ => return None,
        };
        match (architecture, variant) {
            ("amd64", None | Some("v2" | "v3" | "v4")) => Some("x64"),
            ("arm64", None) => Some("arm64"),
            ("arm", Some("v6" | "v7")) => Some("arm"),
            ("386", None) => Some("ia32"),
            ("ppc64le", None) => Some("ppc64"),
            ("s390x", None) => Some("s390x"),
            ("riscv64", None) => Some("riscv64"),
            ("loong64", None) => Some("loong64"),
            _ => None,
        }
    }

    /// The platform that builders understand by `text`, which may lack the operating system, and may use any name of
    /// the architecture.
    ///
    /// # Errors
    /// When it is not a platform.
    pub(crate) fn of_builder(text: &str) -> Result<Self> {
        let text = text.to_ascii_lowercase();
        let (os, rest) = text.split_once('/').unwrap_or(("linux", &text));
        let (architecture, variant) = rest.split_once('/').unwrap_or((rest, ""));
        Self::try_from(ours(os, architecture, variant).unwrap_or_else(|| format!("{os}/{rest}")))
    }
}

/// Other programs' names for the architectures of `BuildKit`, and what to write instead.
const OTHER_NAMES: [(&str, &str); 8] = [
    ("x86_64", "amd64"),
    ("x86-64", "amd64"),
    ("x64", "amd64"),
    ("aarch64", "arm64"),
    ("armhf", "arm/v7"),
    ("armv7l", "arm/v7"),
    ("armel", "arm/v6"),
    ("i386", "386"),
];

/// `BuildKit`'s name for a platform whose architecture has another program's name. The variant may be empty, and a name
/// such as `armhf` says which one it is.
fn ours(os: &str, architecture: &str, variant: &str) -> Option<String> {
    let (_, ours) = OTHER_NAMES.iter().find(|(name, _)| *name == architecture)?;
    let is_stated = variant.is_empty() || ours.contains('/');
    Some(if is_stated { format!("{os}/{ours}") } else { format!("{os}/{ours}/{variant}") })
}

impl TryFrom<String> for Platform {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self> {
        let words: Vec<_> = text.split('/').collect();
        let ours = match words[..] {
            [os, architecture] => ours(os, architecture, ""),
            [os, architecture, variant] => ours(os, architecture, variant),
            _ => None,
        };
        if let Some(ours) = ours {
            bail!("`{text}` is not a platform: write `{ours}`");
        }
        let plain = |word: &&str| {
            !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        };
        ensure!(
            (2..=3).contains(&words.len()) && words.iter().all(plain),
            "`{text}` is not a platform such as `linux/amd64`"
        );
        // The result is compared with the index that is built.
        Ok(Self(normalized(&text)))
    }
}

/// The spelling of `platform` in which a default variant is left out, as in containerd's `platforms.Normalize`.
fn normalized(platform: &str) -> String {
    match platform.split('/').collect::<Vec<_>>()[..] {
        [os, "arm64", "v8" | "8"] => format!("{os}/arm64"),
        [os, "amd64", "v1"] => format!("{os}/amd64"),
        [os, "arm"] => format!("{os}/arm/v7"),
        [os, "arm", variant @ ("5" | "6" | "7" | "8")] => format!("{os}/arm/v{variant}"),
        _ => platform.to_owned(),
    }
}

/// Whether `listed`, of an index that somebody else made, is the platform `wanted`. Some publishers call `linux/arm64`
/// `linux/arm64/v8`; any other variant is another platform.
#[must_use]
pub fn is_same(listed: &str, wanted: &str) -> bool {
    normalized(listed) == normalized(wanted)
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A platform in the fields of an index or of an image's config, as the program that built the image spells it.
#[derive(Deserialize)]
pub struct PlatformFields {
    #[serde(deserialize_with = "word")]
    os: String,
    #[serde(deserialize_with = "word")]
    architecture: String,
    #[serde(default, deserialize_with = "word_or_none")]
    variant: Option<String>,
}

/// Platforms are compared in the form `linux/arm/v7`, so a part with a `/` in it would look like two parts.
fn word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let word = String::deserialize(deserializer)?;
    if word.is_empty() || word.contains('/') {
        return Err(D::Error::custom(format!("{word:?} is no part of a platform")));
    }
    Ok(word)
}

fn word_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    struct Word(#[serde(deserialize_with = "word")] String);
    Ok(Option::<Word>::deserialize(deserializer)?.map(|Word(word)| word))
}

/// `linux/arm64`, with the variant if there is one.
impl fmt::Display for PlatformFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

#[cfg(test)]
mod tests {
    use super::Platform;

    #[test]
    fn a_platform_is_normalized_to_its_spelling_in_the_index() {
        for (written, meant) in [
            ("linux/amd64", "linux/amd64"),
            ("linux/amd64/v1", "linux/amd64"),
            ("linux/amd64/v2", "linux/amd64/v2"),
            ("linux/arm64", "linux/arm64"),
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/arm", "linux/arm/v7"),
            ("linux/arm/7", "linux/arm/v7"),
            ("linux/arm/v6", "linux/arm/v6"),
            ("linux/riscv64", "linux/riscv64"),
        ] {
            assert_eq!(Platform::try_from(written.to_owned()).unwrap().to_string(), meant, "{written}");
        }
    }

    #[test]
    fn a_wrong_name_of_an_architecture_is_rejected_with_the_right_one() {
        for (written, right) in [
            ("linux/x86_64", "`linux/amd64`"),
            ("linux/x86_64/v2", "`linux/amd64/v2`"),
            ("linux/x64", "`linux/amd64`"),
            ("linux/aarch64", "`linux/arm64`"),
            ("linux/aarch64/v8", "`linux/arm64/v8`"),
            ("linux/armhf", "`linux/arm/v7`"),
            ("linux/armel/v6", "`linux/arm/v6`"),
            ("linux/x86_64/", "`linux/amd64`"),
            ("linux/x86_64/v2/x", "not a platform such as"),
            ("linux", "not a platform"),
            ("linux/ARM64", "not a platform"),
            ("linux//v8", "not a platform"),
            ("linux/arm/v7/x", "not a platform"),
        ] {
            let error = Platform::try_from(written.to_owned()).unwrap_err().to_string();
            assert!(error.contains(right), "{written}: {error}");
        }
    }

    #[test]
    fn a_builder_also_understands_other_names_and_a_missing_operating_system() {
        for (written, meant) in [
            ("amd64", "linux/amd64"),
            ("Linux/X86_64", "linux/amd64"),
            ("linux/x86_64/v2", "linux/amd64/v2"),
            ("linux/aarch64/v8", "linux/arm64"),
            ("armhf", "linux/arm/v7"),
            ("linux/armel", "linux/arm/v6"),
        ] {
            let found = Platform::of_builder(written).map(|platform| platform.to_string());
            assert_eq!(found.ok().as_deref(), Some(meant), "{written}");
        }
    }
}
