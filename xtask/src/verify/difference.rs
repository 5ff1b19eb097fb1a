//! Where a rebuilt image first differs from the published one: platform, layer, file.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::Value;

use crate::index;
use crate::reference::Digest;
use crate::registry::WrongBytes;
use crate::release::Release;
use crate::scratch::Scratch;
use crate::tool::{Runner, tar};

/// The rebuilt image, unpacked.
struct Rebuilt {
    scratch: Scratch,
}

#[derive(Deserialize)]
struct Manifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: Digest,
}

/// Says where the image `published` and the one in the OCI layout `archive`, whose digest is `built`, first differ.
///
/// # Errors
/// When one of them cannot be read.
pub(super) fn describe(
    release: &Release<'_>,
    published: &Digest,
    built: &Digest,
    archive: &Path,
) -> Result<String> {
    let rebuilt = Rebuilt::unpack(release.session.runner, archive)?;
    let registry = &release.tools.registry;
    let of_registry = |digest: &Digest| -> Result<Vec<u8>> { Ok(registry.bytes_of(digest)?.bytes) };
    let theirs = index::platforms(&of_registry(published)?)?;
    let ours = index::platforms(&rebuilt.blob(built)?)?;
    for (platform, digest) in &theirs {
        let Some((_, own)) = ours.iter().find(|(name, _)| name == platform) else {
            return Ok(format!("a rebuild has no {platform}"));
        };
        if own != digest {
            let theirs = serde_json::from_slice(&of_registry(digest)?)?;
            let ours = serde_json::from_slice(&rebuilt.blob(own)?)?;
            let found = parts(release, &rebuilt, &theirs, &ours)?;
            return Ok(format!("{platform} differs first in {found}"));
        }
    }
    Ok("the platforms are the same: the index around them differs".to_owned())
}

fn parts(release: &Release<'_>, rebuilt: &Rebuilt, theirs: &Manifest, ours: &Manifest) -> Result<String> {
    let differs = |(number, (theirs, ours)): (usize, (&Descriptor, &Descriptor))| {
        (theirs.digest != ours.digest).then(|| (number, theirs.digest.clone(), ours.digest.clone()))
    };
    let layers = theirs.layers.iter().zip(&ours.layers);
    if let Some((number, theirs, ours)) = layers.enumerate().find_map(differs) {
        let found = layer(release, rebuilt, &theirs, &ours)?;
        return Ok(format!("layer {number} (`{theirs}`, rebuilt `{ours}`): {found}"));
    }
    if theirs.layers.len() != ours.layers.len() {
        return Ok(format!("the number of layers: {}, rebuilt {}", theirs.layers.len(), ours.layers.len()));
    }
    if theirs.config.digest == ours.config.digest {
        return Ok("the manifest's own words, such as annotations".to_owned());
    }
    let of_registry = release.tools.registry.blob(&theirs.config.digest)?.context("the config is gone")?;
    let theirs: Value = serde_json::from_slice(&of_registry)?;
    let ours: Value = serde_json::from_slice(&rebuilt.blob(&ours.config.digest)?)?;
    Ok(format!("the config, at `{}`", first_difference(&theirs, &ours, "")))
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
fn layer(release: &Release<'_>, rebuilt: &Rebuilt, theirs: &Digest, ours: &Digest) -> Result<String> {
    let runner = release.session.runner;
    let published = rebuilt.scratch.path().join("published.tar.gz");
    let bytes = release.tools.registry.blob(theirs)?.context("the layer is gone from the registry")?;
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
    Ok("its compression: the files are the same".to_owned())
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

impl Rebuilt {
    fn unpack(runner: &Runner, archive: &Path) -> Result<Self> {
        let scratch = Scratch::new()?;
        tar::unpack_layout(runner, archive, scratch.path())?;
        Ok(Self { scratch })
    }

    fn file(&self, digest: &Digest) -> PathBuf {
        self.scratch.path().join("blobs/sha256").join(digest.hex())
    }

    fn blob(&self, digest: &Digest) -> Result<Vec<u8>> {
        let file = self.file(digest);
        let bytes = fs::read(&file).with_context(|| format!("reading `{}`", file.display()))?;
        WrongBytes::check_bytes("the build", &bytes, digest)?;
        Ok(bytes)
    }
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
