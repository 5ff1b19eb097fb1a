//! Version tags in a format that releases do not use, such as `1.2.3` or `carol-v1.2.3`. A project may have used them
//! before; no release is compared with them.

use semver::Version;

use crate::inputs::version::ReleaseTag;

/// What may separate a prefix from the version.
const BEFORE: [&str; 5] = ["@", "/", "-v", "-", "_"];

/// The tag with the highest version below that of `tag`, else the one with the highest version, and the release tag
/// of that version. Only names that need no quotes in a shell count.
pub(super) fn before<'a>(names: &'a [String], tag: &ReleaseTag) -> Option<(&'a str, ReleaseTag)> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._/@+-".contains(c);
    let read = |name: &'a String| {
        let is_other = name.parse::<ReleaseTag>().is_err() && name.chars().all(is_plain);
        Some((name.as_str(), release(name)?)).filter(|_| is_other)
    };
    let found = || names.iter().filter_map(read).filter(|(_, other)| other != tag);
    let below = found().filter(|(_, other)| other < tag).max_by(|(_, one), (_, other)| one.cmp(other));
    below.or_else(|| found().max_by(|(_, one), (_, other)| one.cmp(other)))
}

fn release(name: &str) -> Option<ReleaseTag> {
    let parts = BEFORE.iter().filter_map(|mark| Some(name.rsplit_once(mark)?.1));
    let version = [name].into_iter().chain(parts).find_map(|part| {
        let part = part.strip_prefix(['v', 'V']).unwrap_or(part);
        Version::parse(part).ok()
    })?;
    format!("v{version}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::before;

    #[test]
    fn a_tag_in_another_format_is_found_by_its_version() {
        for (names, tag, expected) in [
            (&["1.0.0", "1.1.0", "2.0.0"][..], "v1.2.0", Some(("1.1.0", "v1.1.0"))),
            (&["1.1.0"], "v0.1.0", Some(("1.1.0", "v1.1.0"))),
            (&["carol-v1.1.0", "web-v0.3.0"], "v1.2.0", Some(("carol-v1.1.0", "v1.1.0"))),
            (&["carol@1.1.0"], "v1.2.0", Some(("carol@1.1.0", "v1.1.0"))),
            (&["release/1.1.0", "V1.0.0"], "v1.2.0", Some(("release/1.1.0", "v1.1.0"))),
            (&["1.1.0-rc.1"], "v1.2.0", Some(("1.1.0-rc.1", "v1.1.0-rc.1"))),
            (&["1.2.0"], "v1.2.0", None),
            (&["v1.1.0", "nightly", "1.1", "2026-11-29", "1.1.0;x", "x-$(y)-1.1.0"], "v1.2.0", None),
            (&[], "v1.2.0", None),
        ] {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            let found = before(&names, &tag.parse().unwrap());
            let found = found.as_ref().map(|(name, tag)| (*name, tag.to_string()));
            assert_eq!(found, expected.map(|(name, tag)| (name, tag.to_owned())), "{names:?}");
        }
    }
}
