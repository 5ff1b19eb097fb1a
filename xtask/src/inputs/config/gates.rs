//! The gates: the values that decide whether a commit may be released, and with which tools and parameters. A commit
//! that sets them itself could allow itself anything. So the values in a tagged commit count only if the forge's
//! default branch has the same ones.

use std::collections::BTreeSet;
use std::fmt::Display;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::{CiStatus, Config};

/// Which git tags may be released.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TagPolicy {
    /// Any tag, a lightweight one included.
    #[default]
    Any,
    /// Only an annotated tag, signed by somebody in `keys/allowed_signers` on the forge's default branch.
    Signed,
}

/// How many people must sign a release with git tags: the second one signs `approved/v1.2.3`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "i64")]
pub enum TagSigners {
    /// One person, if tags must be signed at all.
    #[default]
    One,
    /// Two people with a key each.
    Two,
}

impl TryFrom<i64> for TagSigners {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, String> {
        match number {
            1 => Ok(Self::One),
            2 => Ok(Self::Two),
            _ => Err(format!("`{number}` is not a number of signers: expected `1` or `2`")),
        }
    }
}

/// A gate with different values in two configurations. Both values are as they would be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The key.
    pub key: &'static str,
    /// The value in the tagged commit.
    pub tagged: String,
    /// The value on the default branch.
    pub default: String,
}

impl Config {
    /// A second signature without a first one is a mistake in the configuration.
    pub(super) fn check_signers(&self) -> Result<()> {
        ensure!(
            self.tag_signers == TagSigners::One || self.tags == TagPolicy::Signed,
            "`tag-signers` is `2`, and tags need not be signed; add `tags = \"signed\"`"
        );
        Ok(())
    }

    /// The gates of this configuration, which is a tagged commit's, that differ from those of the default branch's
    /// configuration, `default`. It does not matter which of the two is stricter: people must resolve the difference.
    ///
    /// # Errors
    /// When one of them has no valid image name.
    pub fn gates_differing_from(&self, default: &Self) -> Result<Vec<Difference>> {
        let theirs = default.gates().context("reading the default branch's `image`")?;
        let pairs = self.gates()?.into_iter().zip(theirs);
        let differing = pairs.filter(|((_, tagged), (_, default))| tagged != default);
        Ok(differing.map(|((key, tagged), (_, default))| Difference { key, tagged, default }).collect())
    }

    fn gates(&self) -> Result<[(&'static str, String); 10]> {
        let ci_status = match self.ci_status {
            CiStatus::Required => "required",
            CiStatus::Off => "off",
        };
        let tags = match self.tags {
            TagPolicy::Any => "any",
            TagPolicy::Signed => "signed",
        };
        let tag_signers = match self.tag_signers {
            TagSigners::One => "1",
            TagSigners::Two => "2",
        };
        Ok([
            ("branches", set(&self.branches)),
            ("tags", text(tags)),
            ("tag-signers", tag_signers.to_owned()),
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

/// A list whose order does not matter.
fn set(values: &[impl Display]) -> String {
    let values: BTreeSet<_> = values.iter().map(text).collect();
    format!("[{}]", values.into_iter().collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use crate::inputs::config::Config;
    use crate::inputs::config::tests::{example, example_with};

    /// The keys of the gates that differ.
    fn keys(tagged: &Config, default: &Config) -> Vec<&'static str> {
        tagged.gates_differing_from(default).unwrap().iter().map(|found| found.key).collect()
    }

    #[test]
    fn a_gate_that_only_one_of_the_two_configurations_sets_is_a_difference() {
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
    fn a_different_number_of_tag_signers_is_a_difference() {
        let (one, two) = ("tags = \"signed\"", "tags = \"signed\"\ntag-signers = 2");
        let found = example_with(one).gates_differing_from(&example_with(two)).unwrap();
        let [found] = &found[..] else { panic!("{found:?}") };
        assert_eq!((found.key, found.tagged.as_str(), found.default.as_str()), ("tag-signers", "1", "2"));
        assert_eq!(keys(&example_with(two), &example_with(one)), ["tag-signers"]);
        assert_eq!(keys(&example_with("tag-signers = 1"), &example()), [""; 0]);
    }

    #[test]
    fn different_branches_are_reported_with_both_values_in_sorted_order() {
        let with = |branches: &[&str]| Config {
            branches: branches.iter().map(|name| (*name).to_owned()).collect(),
            ..example()
        };
        let found = with(&["evil"]).gates_differing_from(&with(&["main", "1.x"])).unwrap();
        let [found] = &found[..] else { panic!("{found:?}") };
        assert_eq!((found.tagged.as_str(), found.default.as_str()), ("[\"evil\"]", "[\"1.x\", \"main\"]"));
        assert!(
            keys(&with(&["1.x", "main"]), &with(&["main", "1.x"])).is_empty(),
            "the order does not matter"
        );
        assert_eq!(keys(&with(&["main", "evil"]), &with(&["main"])), ["branches"]);
    }

    #[test]
    fn an_explicit_default_value_and_a_key_that_is_no_gate_are_no_difference() {
        let written = "ci-status = \"required\"\ntags = \"any\"\nimage = \"forge.example.org/acme/carol\"";
        assert!(keys(&example_with(written), &example()).is_empty());
        assert!(
            keys(&example_with("service = \"apps/web\""), &example()).is_empty(),
            "`service` is not a gate"
        );
    }
}
