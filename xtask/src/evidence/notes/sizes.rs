//! How the size of an image changed on each platform.

use std::collections::BTreeMap;

use super::text::as_written;

/// The smallest difference that is worth a line, in bytes: a tenth of a MiB.
const LEAST: u64 = MIB / 10;

const MIB: u64 = 1 << 20;

/// The download size of each platform in bytes, for the compared release and for this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// The compared release, by platform.
    pub before: BTreeMap<String, u64>,
    /// This release, by platform.
    pub after: BTreeMap<String, u64>,
}

impl Sizes {
    /// A Markdown entry for each platform that both releases have and whose size changed.
    pub(super) fn lines(&self) -> Vec<String> {
        let both = self
            .after
            .iter()
            .filter_map(|(platform, after)| Some((platform, *self.before.get(platform)?, *after)));
        both.filter(|(_, before, after)| before.abs_diff(*after) >= LEAST)
            .map(|(platform, before, after)| {
                let sign = if after > before { '+' } else { '-' };
                let (difference, platform) = (mib(before.abs_diff(after)), as_written(platform));
                let (before, after) = (mib(before), mib(after));
                format!("Image for {platform}: {before} → {after} MiB ({sign}{difference}), compressed")
            })
            .collect()
    }
}

/// The number of MiB, with one decimal place.
fn mib(bytes: u64) -> String {
    let tenths = u128::from(bytes) * 10 / u128::from(MIB);
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::{MIB, Sizes};

    #[test]
    fn a_platform_of_both_releases_is_listed_if_its_size_changed() {
        let of = |sizes: &[(&str, u64)]| {
            sizes.iter().map(|(platform, size)| ((*platform).to_owned(), *size)).collect()
        };
        let sizes = Sizes {
            before: of(&[("linux/amd64", 60 * MIB), ("linux/arm64", 50 * MIB), ("a", MIB), ("c`", u64::MAX)]),
            after: of(&[
                ("linux/amd64", 123 * MIB / 2),
                ("linux/arm64", 50 * MIB + 9),
                ("b", MIB),
                ("c`", 0),
            ]),
        };
        let expected = [
            "Image for `` c` ``: 17592186044415.9 → 0.0 MiB (-17592186044415.9), compressed",
            "Image for `linux/amd64`: 60.0 → 61.5 MiB (+1.5), compressed",
        ];
        assert_eq!(sizes.lines(), expected);
    }
}
