//! On which platforms an image was started and tested before it was signed. The provenance records it, and the page
//! reports it.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context as _, Result, bail, ensure};

use crate::process::shown::named;

/// How one platform's image was tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// Run by an engine of that platform.
    Native,
    /// Run by an engine of another platform, by emulation.
    Emulated,
    /// Built and checked, but not run, because the engine cannot run it.
    NotRun,
}

/// How each platform's image was tested.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Smoked(BTreeMap<String, Tried>);

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Emulated => "emulated",
            Self::NotRun => "not run",
        })
    }
}

impl Tried {
    fn parse(word: &str) -> Result<Self> {
        match word {
            "native" => Ok(Self::Native),
            "emulated" => Ok(Self::Emulated),
            "not run" => Ok(Self::NotRun),
            _ => bail!("`{word}`: expected `native`, `emulated` or `not run`"),
        }
    }
}

impl FromIterator<(String, Tried)> for Smoked {
    fn from_iter<T: IntoIterator<Item = (String, Tried)>>(tried: T) -> Self {
        Self(tried.into_iter().collect())
    }
}

impl Smoked {
    /// The form in the provenance: one word per platform.
    #[must_use]
    pub fn words(&self) -> BTreeMap<String, String> {
        self.0.iter().map(|(platform, tried)| (platform.clone(), tried.to_string())).collect()
    }

    /// Parses the form in a provenance, which must cover exactly these `platforms`.
    ///
    /// # Errors
    /// When it covers other platforms, or has an unknown word.
    pub fn of_words(words: &BTreeMap<String, String>, platforms: &[String]) -> Result<Self> {
        let mut expected = platforms.to_vec();
        expected.sort();
        ensure!(
            words.keys().eq(expected.iter()),
            "the platforms of the smoke test are {}: expected {}",
            named(words.keys()),
            named(&expected)
        );
        let tried = words.iter().map(|(platform, word)| Ok((platform.clone(), Tried::parse(word)?)));
        tried.collect::<Result<_>>().context("reading how the image was tested")
    }

    /// Sentences for the reader of a page; empty if nothing is known.
    #[must_use]
    pub fn sentences(&self) -> String {
        let (left_out, run): (Vec<_>, Vec<_>) =
            self.0.iter().partition(|(_, tried)| **tried == Tried::NotRun);
        let name = |(platform, tried): &(&String, &Tried)| match tried {
            Tried::Emulated => format!("{platform} (emulated)"),
            Tried::Native | Tried::NotRun => (*platform).clone(),
        };
        let list = |names: &[(&String, &Tried)]| match names.iter().map(name).collect::<Vec<_>>() {
            names if names.len() < 2 => names.concat(),
            mut names => {
                let last = names.pop().unwrap_or_default();
                format!("{} and {last}", names.join(", "))
            }
        };
        let started = (!run.is_empty()).then(|| format!("Started and asked on {}.", list(&run)));
        let not = (!left_out.is_empty()).then(|| format!("{}: built and checked, not run.", list(&left_out)));
        started.into_iter().chain(not).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::{Smoked, Tried};
    use std::collections::BTreeMap;

    fn smoked(tried: &[(&str, Tried)]) -> Smoked {
        tried.iter().map(|(platform, tried)| ((*platform).to_owned(), *tried)).collect()
    }

    #[test]
    fn a_page_says_which_platforms_were_run_and_which_were_not() {
        let (amd, arm, riscv) = ("linux/amd64", "linux/arm64", "linux/riscv64");
        for (tried, expected) in [
            (vec![], ""),
            (vec![(amd, Tried::Native)], "Started and asked on linux/amd64."),
            (
                vec![(amd, Tried::Native), (arm, Tried::Emulated)],
                "Started and asked on linux/amd64 and linux/arm64 (emulated).",
            ),
            (
                vec![(amd, Tried::Native), (arm, Tried::NotRun)],
                "Started and asked on linux/amd64. linux/arm64: built and checked, not run.",
            ),
            (
                vec![(amd, Tried::Emulated), (arm, Tried::Native), (riscv, Tried::Emulated)],
                "Started and asked on linux/amd64 (emulated), linux/arm64 and linux/riscv64 (emulated).",
            ),
            (
                vec![(amd, Tried::NotRun), (arm, Tried::NotRun)],
                "linux/amd64 and linux/arm64: built and checked, not run.",
            ),
        ] {
            assert_eq!(smoked(&tried).sentences(), expected);
        }
    }

    #[test]
    fn only_what_is_written_for_these_platforms_is_read_back() {
        let platforms = ["linux/arm64".to_owned(), "linux/amd64".to_owned()];
        let smoked = smoked(&[("linux/amd64", Tried::Native), ("linux/arm64", Tried::NotRun)]);
        assert_eq!(Smoked::of_words(&smoked.words(), &platforms).unwrap(), smoked);
        let words = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<BTreeMap<_, _>>()
        };
        for wrong in [
            words(&[]),
            words(&[("linux/amd64", "native")]),
            words(&[("linux/amd64", "native"), ("linux/386", "native")]),
            words(&[("linux/amd64", "native"), ("linux/arm64", "well")]),
            words(&[("linux/amd64", "native"), ("linux/arm64", "emulated"), ("linux/386", "not run")]),
        ] {
            assert!(Smoked::of_words(&wrong, &platforms).is_err(), "{wrong:?}");
        }
    }
}
