//! The claim that the commit gives the published image, and where a rebuilt one first differs from it: layer and file, or
//! the place in the config.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::Value;

use crate::build::ImageBuild;
use crate::build::rebuilt::Rebuilt;
use crate::evidence::claims;
use crate::oci::index;
use crate::oci::reference::Digest;
use crate::process::scratch::Scratch;
use crate::tool::tar;

use super::Verifier;
use super::claim::{Claim, Unseen};

#[derive(Deserialize)]
struct Manifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: Digest,
}

/// One platform's image, by its manifest and its config.
struct Part {
    manifest: Manifest,
    config: Value,
}

impl Part {
    fn read(
        index: &[u8],
        platform: &str,
        manifest: impl Fn(&Digest) -> Result<Vec<u8>>,
        blob: impl Fn(&Digest) -> Result<Vec<u8>>,
    ) -> Result<Option<Self>> {
        let platforms = index::platforms(index)?;
        let Some((_, digest)) = platforms.iter().find(|(name, _)| name == platform) else {
            return Ok(None);
        };
        let manifest: Manifest = serde_json::from_slice(&manifest(digest)?)?;
        let config = serde_json::from_slice(&blob(&manifest.config.digest)?)?;
        Ok(Some(Self { manifest, config }))
    }

    /// The digests of the uncompressed layers.
    fn layers(&self) -> Vec<&str> {
        let layers = self.config.pointer("/rootfs/diff_ids").and_then(Value::as_array);
        layers.into_iter().flatten().filter_map(Value::as_str).collect()
    }
}

/// Whether the commit gives the same content here; if not, where it differs first. A difference stays a difference where
/// it cannot be explained.
pub fn rebuilt(verifier: &Verifier<'_>, build: &ImageBuild<'_>, digest: &Digest) -> Claim {
    let rebuild = || {
        let built = Rebuilt::of(build, verifier.runner)?;
        let published = verifier.registry.content_of(digest)?;
        let difference = published.difference(&built.content).map(|platform| {
            let found = describe(verifier, digest, &built, platform);
            let found = found.unwrap_or_else(|error| format!("could not tell where: {error:#}"));
            format!("{platform} differs: {found}")
        });
        Ok((built.digest, difference))
    };
    let built = rebuild().map_err(|error: anyhow::Error| Unseen::Unknown(format!("{error:#}")));
    Claim::judge(claims::REBUILD, &built, |(built, difference)| match difference {
        Some(difference) => bail!("the commit gives `{built}` here: {difference}"),
        None if built == digest => Ok("the commit gives the same digest here".to_owned()),
        None => Ok(format!(
            "the commit gives the same content here, compressed in another way: the digest is `{built}`"
        )),
    })
}

/// Says where the image for `platform` of `published` and of `rebuilt` first differ.
///
/// # Errors
/// When one of them cannot be read.
fn describe(
    verifier: &Verifier<'_>,
    published: &Digest,
    rebuilt: &Rebuilt,
    platform: &str,
) -> Result<String> {
    let registry = verifier.registry;
    let manifest = |digest: &Digest| Ok(registry.bytes_of(digest)?.bytes);
    let blob = |digest: &Digest| {
        registry.blob(digest)?.with_context(|| format!("`{digest}` is gone from the registry"))
    };
    let theirs = Part::read(&manifest(published)?, platform, manifest, blob)?;
    let of_build = |digest: &Digest| rebuilt.blob(digest);
    let ours = Part::read(&of_build(&rebuilt.digest)?, platform, of_build, of_build)?;
    let (theirs, ours) = match (theirs, ours) {
        (Some(theirs), Some(ours)) => (theirs, ours),
        (None, _) => return Ok("the published image does not have it".to_owned()),
        (_, None) => return Ok("a rebuild does not have it".to_owned()),
    };
    let (layers, own_layers) = (theirs.layers(), ours.layers());
    let number = layers.iter().zip(&own_layers).position(|(theirs, ours)| theirs != ours);
    if let Some(number) = number {
        let layer = |part: &Part| part.manifest.layers.get(number).map(|layer| layer.digest.clone());
        let pair = layer(&theirs).zip(layer(&ours)).context("a manifest has fewer layers than its config")?;
        let found = compare_layers(verifier, rebuilt, &pair.0, &pair.1)?;
        return Ok(format!("layer {number}, {found}"));
    }
    if layers.len() != own_layers.len() {
        return Ok(format!("it has {} layers, a rebuild has {}", layers.len(), own_layers.len()));
    }
    Ok(format!("the config, at `{}`", first_difference(&theirs.config, &ours.config, "")))
}

/// The first path at which two JSON values differ.
fn first_difference(theirs: &Value, ours: &Value, path: &str) -> String {
    if let (Value::Object(theirs), Value::Object(ours)) = (theirs, ours) {
        let keys = theirs.keys().chain(ours.keys().filter(|key| !theirs.contains_key(*key)));
        for key in keys {
            let pair = (theirs.get(key), ours.get(key));
            if pair.0 != pair.1 {
                let path = format!("{path}/{key}");
                return match pair {
                    (Some(theirs), Some(ours)) => first_difference(theirs, ours, &path),
                    _ => path,
                };
            }
        }
    }
    path.to_owned()
}

/// The first entry by its mode, owner, size, time and name; where those are the same, by its bytes.
fn compare_layers(
    verifier: &Verifier<'_>,
    rebuilt: &Rebuilt,
    theirs: &Digest,
    ours: &Digest,
) -> Result<String> {
    let runner = verifier.runner;
    let scratch = Scratch::new()?;
    let published = scratch.path().join("published.tar.gz");
    let bytes = verifier.registry.blob(theirs)?.context("the layer is gone from the registry")?;
    fs::write(&published, bytes).with_context(|| format!("writing `{}`", published.display()))?;
    let ours = rebuilt.file(ours);
    let (theirs_list, ours_list) = (tar::list_layer(runner, &published)?, tar::list_layer(runner, &ours)?);
    if let Some((theirs, ours)) = first_line(&theirs_list, &ours_list) {
        return Ok(format!("the entry `{theirs}` is `{ours}` in the rebuild"));
    }
    for name in theirs_list.lines().filter(|line| line.starts_with('-')).filter_map(file_name) {
        let bytes = |layer: &Path| tar::read_from_layer(runner, layer, name);
        if bytes(&published)? != bytes(&ours)? {
            return Ok(format!("the content of `{name}`"));
        }
    }
    Ok("its padding: the files are the same".to_owned())
}

fn first_line<'a>(theirs: &'a str, ours: &'a str) -> Option<(&'a str, &'a str)> {
    let (mut theirs, mut ours) = (theirs.lines(), ours.lines());
    loop {
        match (theirs.next(), ours.next()) {
            (None, None) => return None,
            (theirs, ours) if theirs == ours => {}
            (theirs, ours) => return Some((theirs.unwrap_or("missing"), ours.unwrap_or("missing"))),
        }
    }
}

/// The name at the end of a line of `tar --list --verbose`: mode, owner, size, date and time come before it.
fn file_name(line: &str) -> Option<&str> {
    let mut rest = line;
    for _ in 0..5 {
        rest = rest.trim_start().split_once(' ')?.1;
    }
    Some(rest.trim_start())
}

#[cfg(test)]
mod tests {
    use super::{file_name, first_difference, first_line};
    use serde_json::json;

    #[test]
    fn the_first_difference_is_named_by_its_path() {
        let theirs = json!({"config": {"Labels": {"a": "1", "b": "2"}}, "os": "linux"});
        let ours = json!({"config": {"Labels": {"a": "1", "b": "3"}}, "os": "linux"});
        assert_eq!(first_difference(&theirs, &ours, ""), "/config/Labels/b");
        assert_eq!(first_difference(&theirs, &json!({"config": {}, "os": "linux"}), ""), "/config/Labels");
    }

    #[test]
    fn lists_are_compared_line_by_line_to_the_end_of_both() {
        assert_eq!(first_line("a\nb\n", "a\nb\n"), None);
        assert_eq!(first_line("a\nb\n", "a\nc\n"), Some(("b", "c")));
        assert_eq!(first_line("a\n", "a\nextra\n"), Some(("missing", "extra")));
    }

    #[test]
    fn a_name_may_hold_spaces() {
        let line = "-rw-r--r-- 0/0             120 2026-11-23 10:00:00 service/a b.js";
        assert_eq!(file_name(line), Some("service/a b.js"));
    }
}
