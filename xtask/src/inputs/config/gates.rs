//! The gates: the values that decide whether a commit may be released, and with what. A commit that could set them for itself
//! would pass whatever it liked, so those of a tagged commit count only where the forge's default branch has the same.

use std::collections::BTreeSet;
use std::fmt::Display;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::{CiStatus, Config};

/// What a released git tag has to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TagPolicy {
    /// Any tag, a lightweight one included.
    #[default]
    Any,
    /// An annotated tag, signed by somebody whom `keys/allowed_signers` of the forge's default branch lists.
    Signed,
}

/// A gate that two configurations do not agree on; both values as they would be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The key.
    pub key: &'static str,
    /// What the tagged commit has.
    pub tagged: String,
    /// What the default branch has.
    pub default: String,
}

impl Config {
    /// The gates in which this configuration of a tagged commit is another than `default`, the default branch's. Which of
    /// the two is stricter does not matter: a difference is for people to settle.
    ///
    /// # Errors
    /// When one of them has no valid image name.
    pub fn gates_differing_from(&self, default: &Self) -> Result<Vec<Difference>> {
        let theirs = default.gates().context("reading the default branch's `image`")?;
        let pairs = self.gates()?.into_iter().zip(theirs);
        let differing = pairs.filter(|((_, tagged), (_, default))| tagged != default);
        Ok(differing.map(|((key, tagged), (_, default))| Difference { key, tagged, default }).collect())
    }

    fn gates(&self) -> Result<[(&'static str, String); 9]> {
        let ci_status = match self.ci_status {
            CiStatus::Required => "required",
            CiStatus::Off => "off",
        };
        let tags = match self.tags {
            TagPolicy::Any => "any",
            TagPolicy::Signed => "signed",
        };
        Ok([
            ("branches", set(&self.branches)),
            ("tags", text(tags)),
            ("ci-status", text(ci_status)),
            ("ci-contexts", set(&self.ci_contexts)),
            ("image", text(self.image()?)),
            ("plain-http", set(&self.plain_http)),
            ("builder", text(&self.builder)),
            ("build-network", text(&self.build_network)),
            ("cosign-digests", set(&self.cosign_digests)),
        ])
    }
}

fn text(value: impl Display) -> String {
    format!("{:?}", value.to_string())
}

/// A list whose order means nothing.
fn set(values: &[impl Display]) -> String {
    let values: BTreeSet<_> = values.iter().map(text).collect();
    format!("[{}]", values.into_iter().collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use crate::inputs::config::Config;
    use crate::inputs::config::tests::{example, example_with};

    /// The keys that differ where the tagged commit has one line more than the default branch.
    fn keys(tagged: &Config, default: &Config) -> Vec<&'static str> {
        tagged.gates_differing_from(default).unwrap().iter().map(|found| found.key).collect()
    }

    #[test]
    fn every_gate_of_a_commit_is_the_default_branchs_in_both_directions() {
        let none = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
        let digests = format!("cosign-digests = [\"{none}\"]");
        for (line, expected) in [
            ("tags = \"signed\"", "tags"),
            ("ci-status = \"off\"", "ci-status"),
            ("ci-contexts = [\"ci / test (push)\"]", "ci-contexts"),
            ("image = \"forge.example.org/acme/other\"", "image"),
            ("plain-http = [\"forge.example.org\"]", "plain-http"),
            ("builder = \"mine\"", "builder"),
            ("build-network = \"host\"", "build-network"),
            (&digests, "cosign-digests"),
        ] {
            assert_eq!(keys(&example_with(line), &example()), [expected], "{line}");
            assert_eq!(keys(&example(), &example_with(line)), [expected], "{line}, on the default branch");
            assert!(keys(&example_with(line), &example_with(line)).is_empty(), "{line}, on both");
        }
    }

    #[test]
    fn a_branch_that_allows_itself_is_named_with_both_values() {
        let with = |branches: &[&str]| Config {
            branches: branches.iter().map(|name| (*name).to_owned()).collect(),
            ..example()
        };
        let found = with(&["evil"]).gates_differing_from(&with(&["main", "1.x"])).unwrap();
        let [found] = &found[..] else { panic!("{found:?}") };
        assert_eq!((found.tagged.as_str(), found.default.as_str()), ("[\"evil\"]", "[\"1.x\", \"main\"]"));
        assert!(keys(&with(&["1.x", "main"]), &with(&["main", "1.x"])).is_empty(), "order means nothing");
        assert_eq!(keys(&with(&["main", "evil"]), &with(&["main"])), ["branches"]);
    }

    #[test]
    fn what_is_written_out_and_what_is_the_default_are_the_same() {
        let written = "ci-status = \"required\"\ntags = \"any\"\nimage = \"forge.example.org/acme/carol\"";
        assert!(keys(&example_with(written), &example()).is_empty());
        assert!(keys(&example_with("service = \"apps/web\""), &example()).is_empty(), "no gate");
    }
}
