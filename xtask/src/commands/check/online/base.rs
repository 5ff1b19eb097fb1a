//! A base image in its registry: whether it is still there, whether it has every platform, and how much older it is
//! than the image that its tag names now. No registry says whether a digest has ever had the tag.

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::Asker;
use crate::contents::base::PinnedBase;
use crate::http::Curl;
use crate::inputs::DOCKERFILE;
use crate::inputs::config::Login;
use crate::inputs::dockerfile::BaseImage;
use crate::inputs::exceptions::DAY;
use crate::inputs::finding::{Finding, Rule};
use crate::inputs::stand_in;
use crate::oci::index::platforms;
use crate::oci::manifest::ImageManifest;
use crate::oci::platform::is_same;
use crate::oci::reference::{self, Digest};
use crate::oci::registry::{Client, Credentials};
use crate::process::time::parse_rfc3339;

/// The registry's answers about a pinned image.
#[derive(Debug, PartialEq, Eq)]
struct Answers {
    pinned: Pinned,
    tag: Tag,
}

#[derive(Debug, PartialEq, Eq)]
enum Pinned {
    Gone,
    /// The manifest of a single platform, or something else.
    NoIndex,
    /// An index for these platforms.
    Index(Vec<String>),
}

#[derive(Debug, PartialEq, Eq)]
enum Tag {
    Gone,
    Same,
    /// The tag has another digest. The number is how many seconds older the pinned image is, negative if it is newer.
    /// `None` if the pinned image is gone and cannot be compared.
    Other(Digest, Option<i64>),
}

impl Asker<'_> {
    /// The findings about one image that the Dockerfile pins.
    pub(super) fn base_image(&self, image: &BaseImage) -> Result<Vec<Finding>> {
        let mut found = Vec::new();
        let stand_in = stand_in::of(&self.stand_ins, image);
        if let Some(stand_in) = stand_in {
            let text = format!("`{stand_in}` stands in for `{}`, and was asked about", image.reference);
            found.push(Finding::note(Rule::BaseStandIn, DOCKERFILE, text));
        }
        let place = PinnedBase::of(image, stand_in);
        let tag = stand_in.and_then(|stand_in| stand_in.tag.as_ref());
        let tag = tag.map_or(&*image.tag, reference::Tag::as_str);
        let curl = Curl::new(self.runner, self.config.timeouts.http());
        let client = Client::new(curl, place.image()?, self.credentials(&place)?);
        let answers = query(&client, &place.digest, tag)?;
        let is_on_target = self.inputs.base.is_on_target(image);
        let wanted: Vec<_> = self.config.platforms.iter().map(ToString::to_string).collect();
        let line = self.line_of(image.digest.as_str())?;
        let more = judge(image, &answers, if is_on_target { &wanted } else { &[] });
        found.extend(more);
        Ok(found.into_iter().map(|finding| Finding { line, ..finding }).collect())
    }

    /// The login that the configuration names for the image's registry, if the environment has it.
    fn credentials(&self, place: &PinnedBase) -> Result<Option<Credentials>> {
        let host = place.name.split('/').next();
        let registry = self.config.registries.iter().find(|registry| Some(registry.host.as_str()) == host);
        Ok(match registry.map(|registry| registry.login(self.environment)).transpose()? {
            Some(Login::With(credentials)) => Some(credentials),
            Some(Login::Without(_)) | None => None,
        })
    }

    /// The first line of the Dockerfile that contains the digest.
    fn line_of(&self, digest: &str) -> Result<Option<usize>> {
        let bytes = super::file(self.root, DOCKERFILE)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        Ok(text.lines().position(|line| line.contains(digest)).map(|line| line + 1))
    }
}

fn query(client: &Client, digest: &Digest, tag: &str) -> Result<Answers> {
    let index = client.manifest(digest)?;
    let listed = index.as_ref().map(|index| platforms(&index.bytes));
    let pinned = match &listed {
        None => Pinned::Gone,
        Some(Err(_)) => Pinned::NoIndex,
        Some(Ok(listed)) => Pinned::Index(listed.iter().map(|(platform, _)| platform.clone()).collect()),
    };
    let tag = match client.manifest(&reference::Tag::foreign(tag)?)? {
        None => Tag::Gone,
        Some(current) if current.digest == *digest => Tag::Same,
        Some(current) => {
            let age = match &index {
                Some(index) => {
                    let [pinned, current] =
                        [created(client, &index.bytes)?, created(client, &current.bytes)?];
                    Some(i64::try_from(current)? - i64::try_from(pinned)?)
                }
                None => None,
            };
            Tag::Other(current.digest, age)
        }
    };
    Ok(Answers { pinned, tag })
}

/// When the image of the first platform was created, in seconds since 1970 (image specification v1.1, "Image
/// Configuration").
fn created(client: &Client, manifest: &[u8]) -> Result<u64> {
    let first = platforms(manifest).ok().and_then(|listed| listed.into_iter().next());
    let manifest = match first {
        Some((_, digest)) => ImageManifest::parse(&client.known_manifest(&digest)?.bytes)?,
        None => ImageManifest::parse(manifest)?,
    };
    let config = manifest.config.digest;
    let bytes = client.blob(&config)?.with_context(|| format!("the config `{config}` is not there"))?;
    date(&bytes).with_context(|| format!("reading the config `{config}`"))
}

/// The field `created` of a config, which may have a fraction of a second.
pub(in crate::commands::check) fn date(config: &[u8]) -> Result<u64> {
    #[derive(Deserialize)]
    struct Config {
        created: String,
    }
    let Config { created } = serde_json::from_slice(config)?;
    match created.split_once('.') {
        Some((whole, fraction)) if fraction.ends_with('Z') => parse_rfc3339(&format!("{whole}Z")),
        _ => parse_rfc3339(&created),
    }
}

/// `wanted` are the platforms that the image must have.
fn judge(image: &BaseImage, answers: &Answers, wanted: &[String]) -> Vec<Finding> {
    let BaseImage { reference, name, tag, digest } = image;
    let error = |rule, text: String| Finding::error(rule, DOCKERFILE, text);
    let inspect = format!("`docker buildx imagetools inspect {name}:{tag}`");
    let mut found = Vec::new();
    match &answers.pinned {
        Pinned::Gone => {
            let text =
                format!("`{digest}` is not in the registry any more; write the digest that {inspect} prints");
            found.push(error(Rule::BaseUnavailable, text));
        }
        // For a stage that runs on the building machine, an image for that machine's platform is enough.
        Pinned::NoIndex if wanted.is_empty() => {}
        Pinned::NoIndex => {
            let text =
                format!("`{reference}` is the image of one platform; write the digest that {inspect} prints");
            found.push(error(Rule::BaseIndex, text));
        }
        Pinned::Index(listed) => {
            let is_there = |platform: &&String| listed.iter().any(|there| is_same(there, platform));
            let missing: Vec<_> = wanted.iter().filter(|platform| !is_there(platform)).cloned().collect();
            if !missing.is_empty() {
                let text = format!(
                    "`{reference}` is not for {}; take another base image, or the platform out of `platforms`",
                    missing.join(", ")
                );
                found.push(error(Rule::BaseIndex, text));
            }
        }
    }
    match &answers.tag {
        Tag::Same => {}
        Tag::Gone => {
            let text = format!("there is no tag `{tag}` of `{name}`; write an existing one, with its digest");
            found.push(error(Rule::BaseTag, text));
        }
        Tag::Other(current, age) => {
            let days = |seconds: i64| seconds.unsigned_abs() / DAY;
            let compared = match age {
                Some(age) if *age >= 0 => format!("{} days older than what the tag names now", days(*age)),
                Some(age) => {
                    format!(
                        "{} days newer than what the tag names now (was it ever this tag's image?)",
                        days(*age)
                    )
                }
                None => "not to be compared by age with what the tag names now".to_owned(),
            };
            let text = format!("`{digest}` is {compared}, `{name}:{tag}@{current}`");
            found.push(Finding::note(Rule::BaseBehind, DOCKERFILE, text));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Answers, BaseImage, DAY, Digest, Pinned, Tag, date, judge};
    use crate::inputs::finding::{Finding, Rule};

    fn image() -> BaseImage {
        let digest = Digest::of(b"pinned");
        BaseImage {
            reference: format!("node:22-slim@{digest}"),
            name: "node".to_owned(),
            tag: "22-slim".to_owned(),
            digest,
        }
    }

    fn judged(pinned: Pinned, tag: Tag) -> Vec<Finding> {
        judge(&image(), &Answers { pinned, tag }, &["linux/amd64".to_owned(), "linux/arm64".to_owned()])
    }

    fn index() -> Pinned {
        Pinned::Index(vec!["linux/amd64".to_owned(), "linux/arm64/v8".to_owned()])
    }

    #[test]
    fn an_image_that_its_tag_still_names_gives_no_finding() {
        assert_eq!(judged(index(), Tag::Same), []);
    }

    #[test]
    fn a_pinned_image_that_cannot_be_used_is_an_error_and_an_outdated_one_a_note() {
        let other = |age| Tag::Other(Digest::of(b"now"), age);
        let day = i64::try_from(DAY).unwrap();
        for (pinned, tag, rule, is_error, words) in [
            (Pinned::Gone, Tag::Same, Rule::BaseUnavailable, true, "not in the registry any more"),
            (Pinned::NoIndex, Tag::Same, Rule::BaseIndex, true, "one platform"),
            (
                Pinned::Index(vec!["linux/amd64".to_owned()]),
                Tag::Same,
                Rule::BaseIndex,
                true,
                "not for linux/arm64",
            ),
            (
                Pinned::Index(vec!["linux/amd64/v3".to_owned(), "linux/arm64".to_owned()]),
                Tag::Same,
                Rule::BaseIndex,
                true,
                "not for linux/amd64",
            ),
            (index(), Tag::Gone, Rule::BaseTag, true, "no tag `22-slim`"),
            (
                index(),
                other(Some(12 * day + 5)),
                Rule::BaseBehind,
                false,
                "is 12 days older than what the tag names now",
            ),
            (index(), other(Some(-3 * day)), Rule::BaseBehind, false, "is 3 days newer"),
            (index(), other(None), Rule::BaseBehind, false, "not to be compared"),
        ] {
            let found = judged(pinned, tag);
            let [finding] = &found[..] else { panic!("{found:?}") };
            assert_eq!((finding.rule, finding.is_error()), (rule, is_error));
            assert!(finding.text.contains(words), "{}", finding.text);
        }
        assert_eq!(judged(Pinned::Gone, other(None)).len(), 2);
    }

    #[test]
    fn an_image_for_a_build_stage_may_be_for_one_platform() {
        let image = image();
        for pinned in [Pinned::NoIndex, Pinned::Index(vec!["linux/amd64".to_owned()])] {
            assert_eq!(judge(&image, &Answers { pinned, tag: Tag::Same }, &[]), []);
        }
        assert_eq!(judge(&image, &Answers { pinned: Pinned::Gone, tag: Tag::Same }, &[]).len(), 1);
    }

    #[test]
    fn the_date_of_an_image_may_have_a_fraction_of_a_second() {
        let of = |created: &str| date(format!("{{\"created\": \"{created}\"}}").as_bytes());
        assert_eq!(of("1970-01-02T00:00:00Z").unwrap(), DAY);
        assert_eq!(of("1970-01-02T00:00:00.123456789Z").unwrap(), DAY);
        for bad in ["", "1970-01-02", "1970-01-02T00:00:00+01:00", "1970-01-02T00:00:00.5"] {
            assert!(of(bad).is_err(), "{bad}");
        }
        assert!(date(b"{}").is_err());
    }
}
