//! Layers above the base image that the Dockerfile does not make. The builder runs what the base image prescribes
//! (`ONBUILD`) in the stage that is based on it, and no rule has checked those instructions.

use anyhow::Result;

use super::base::Base;
use super::read::Part;
use crate::inputs::Inputs;
use crate::inputs::dockerfile::{BaseImage, Own};
use crate::process::shown::named;

/// How many instructions a message names, and how much of each.
const MAX: usize = 3;
const MAX_LEN: usize = 200;

/// Describes the first platform's image on `base` that has layers which the Dockerfile in `inputs` does not make;
/// `None` if there is no such image.
///
/// # Errors
/// When one of the images is not based on `base`.
pub fn layers(parts: &[Part], base: &Base, inputs: &Inputs) -> Result<Option<String>> {
    first(parts, base, inputs.own, &inputs.base.last)
}

fn first(parts: &[Part], base: &Base, own: Own, pinned: &BaseImage) -> Result<Option<String>> {
    for part in parts {
        if let Some(words) = found(part, base.count(part)?, own, pinned) {
            return Ok(Some(words));
        }
    }
    Ok(None)
}

fn found(part: &Part, of_base: usize, own: Own, base: &BaseImage) -> Option<String> {
    let above = part.layers.len().saturating_sub(of_base);
    let made_by = part.made_by.get(of_base..).unwrap_or_default();
    let runs: Vec<_> = made_by.iter().filter(|words| words.starts_with("RUN ")).collect();
    if above <= own.layers && runs.is_empty() {
        return None;
    }
    // Triggers come before the instructions of the stage.
    let more: Vec<_> = made_by.iter().take(above.saturating_sub(own.layers)).collect();
    let shown = if more.is_empty() { runs } else { more }.into_iter().take(MAX);
    let shown: Vec<_> = shown.map(|words| words.chars().take(MAX_LEN).collect::<String>()).collect();
    Some(format!(
        "the image for {} has {above} layers above its base image, and the instructions of the Dockerfile make {}: the base \
         image `{}` of line {} brings the others ({}), as an `ONBUILD` does; take another base image",
        part.platform,
        own.layers,
        base.reference,
        own.from,
        named(shown)
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{first, found};
    use crate::contents::base::Base;
    use crate::contents::read::Part;
    use crate::inputs::dockerfile::{Own, read};
    use crate::oci::manifest::tests::descriptor;
    use crate::oci::reference::Digest;

    #[test]
    fn layers_that_the_dockerfile_does_not_make_are_reported() {
        let base = read(&format!("FROM node:22@{}\n", Digest::of(b"x")), &[]).unwrap().base.last;
        let (add, copy, run) =
            ("ADD root.tar / # buildkit", "COPY /out/ / # buildkit", "RUN /bin/sh -c make # buildkit");
        for (made, layers, of_base, own, expected) in [
            (&[run, add, copy][..], 3, 2, 1, None),
            (&[add, copy, "WORKDIR /app"], 3, 1, 2, None),
            (
                &[add, run, copy],
                3,
                1,
                1,
                Some("has 2 layers above its base image, and the instructions of the Dockerfile make 1"),
            ),
            (&[add, run, copy], 3, 1, 1, Some("(`RUN /bin/sh -c make # buildkit`)")),
            (
                &[add, "COPY package.json / # buildkit", copy],
                3,
                1,
                1,
                Some("(`COPY package.json / # buildkit`)"),
            ),
            (&[add, run, copy], 3, 1, 2, Some("(`RUN /bin/sh -c make # buildkit`)")),
            // A base image without a history.
            (&[copy], 3, 2, 1, None),
            (&[copy], 4, 2, 1, Some("brings the others (none)")),
        ] {
            let history: Vec<_> = made.iter().map(|words| json!({ "created_by": words })).collect();
            let all: Vec<_> = (0..layers).map(|number: u8| descriptor(&number.to_string(), 1)).collect();
            let digests: Vec<_> = (0..layers).map(|number| Digest::of(&[number])).collect();
            let config = json!({ "rootfs": { "diff_ids": digests }, "history": history }).to_string();
            let manifest = json!({ "config": descriptor("config", 1), "layers": all }).to_string();
            let part = Part::of("linux/amd64", manifest.as_bytes(), config.as_bytes()).unwrap();
            let own = Own { from: 1, layers: own, sets_node_version: false, omits_optional: false };
            let words = found(&part, of_base, own, &base);
            let holds = words
                .as_deref()
                .is_some_and(|words| expected.is_some_and(|expected| words.contains(expected)));
            assert!(holds || (words.is_none() && expected.is_none()), "{made:?}: {words:?}");
        }
    }

    #[test]
    fn every_platform_is_checked() {
        let pinned = read(&format!("FROM node:22@{}\n", Digest::of(b"x")), &[]).unwrap().base.last;
        let part = |platform: &str, names: &[&str]| {
            let layers: Vec<_> = names.iter().map(|name| descriptor(name, 1)).collect();
            let digests: Vec<_> = names.iter().map(|name| Digest::of(name.as_bytes())).collect();
            let config = json!({ "rootfs": { "diff_ids": digests } }).to_string();
            let manifest = json!({ "config": descriptor("config", 1), "layers": layers }).to_string();
            Part::of(platform, manifest.as_bytes(), config.as_bytes()).unwrap()
        };
        let (amd64, arm64) = (part("linux/amd64", &["base", "own"]), part("linux/arm64", &["base", "own"]));
        let of_base = [amd64.layers[0].digest.clone()];
        let base = Base::from_layers([("linux/amd64", &of_base[..]), ("linux/arm64", &of_base[..])]);
        let own = Own { from: 1, layers: 1, sets_node_version: false, omits_optional: false };
        let of = |parts: &[Part]| first(parts, &base, own, &pinned).map_err(|error| error.to_string());
        assert_eq!(of(&[amd64.clone(), arm64]), Ok(None));
        let more = part("linux/arm64", &["base", "trigger", "own"]);
        let words = of(&[amd64.clone(), more]).unwrap().unwrap();
        assert!(words.starts_with("the image for linux/arm64 has 2 layers above its base image"), "{words}");
        let other = of(&[amd64, part("linux/arm64", &["other", "own"])]).unwrap_err();
        assert!(other.contains("linux/arm64 are not those of the base image"), "{other}");
    }
}
