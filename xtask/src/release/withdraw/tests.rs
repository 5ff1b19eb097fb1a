//! What is removed from a refused candidate, and what is printed about it.

use super::{Behind, Removable, ended, is_refused, manifests, references, why_kept};
use crate::evidence::candidate::new_tag;
use crate::inputs::source::Source;
use crate::oci::media_type::MANIFEST;
use crate::oci::reference::{Digest, Tag};
use crate::oci::registry::Manifest;
use crate::process::failure::{Refusal, Transient};
use crate::process::interrupt::{self, Interrupted};
use crate::release::build::Candidate;
use crate::tool::git::Commit;
use crate::verify::proven::Disproved;
use anyhow::{Error, anyhow};

fn source() -> Source {
    let commit = Commit::parse(&"a".repeat(40)).unwrap();
    Source { tag: "v1.0.0".parse().unwrap(), commit, time: 0, is_tagged: true }
}

fn candidate() -> Candidate {
    let manifests = ["amd", "arm"].map(|name| (name.to_owned(), Digest::of(name.as_bytes()))).to_vec();
    Candidate { digest: Digest::of(b"image"), manifests, tag: new_tag(&source()).unwrap(), finished: 0 }
}

#[test]
fn only_a_refusal_withdraws_a_candidate_and_no_other_error() {
    let refused: [Error; 3] = [
        Refusal::new("the git tag was moved").into(),
        Disproved::new("`attachments` is false").into(),
        Error::from(Disproved::new("`sbom` is false")).context("verifying"),
    ];
    for error in refused {
        assert!(is_refused(&error), "{error:#}");
    }
    let others: [Error; 4] = [
        Transient::new("`GET` answered 503").into(),
        Interrupted::by(15).into(),
        anyhow!("cosign exited with 1"),
        Error::from(Transient::new("503")).context("verifying"),
    ];
    for error in others {
        assert!(!is_refused(&error), "{error:#}");
    }
}

#[test]
fn the_command_to_remove_by_hand_is_printed_whatever_stopped_the_removal() {
    let image = "forge.example.org/acme/carol".parse().unwrap();
    let ended = |removal| ended(&image, &candidate(), Refusal::new("moved").into(), removal);
    let (said, error) = ended(Ok(vec!["removed".to_owned()]));
    assert!(said == ["removed"] && error.is::<Refusal>());
    for (failure, words) in [
        (Error::from(Interrupted::by(2)).context("asking the registry"), "was stopped"),
        (anyhow!("answered 500"), "answered 500"),
    ] {
        let is_signal = interrupt::is_cause_of(&failure);
        let (said, error) = ended(Err(failure));
        let [line] = &said[..] else { panic!("{said:?}") };
        assert!(line.contains("crane delete forge.example.org/acme/carol$each"), "{line}");
        assert!(line.contains(words) && error.is::<Refusal>() != is_signal, "{line}: {error:#}");
    }
}

#[test]
fn signatures_that_are_public_or_that_another_run_may_need_are_kept() {
    let (source, candidate) = (source(), candidate());
    let kept = |public: Option<&Digest>, tags: &[&str]| {
        let tags: Vec<_> = tags.iter().map(|tag| (*tag).to_owned()).collect();
        why_kept(&source, &candidate, public, &tags).is_some()
    };
    let (own, other) = (candidate.tag.to_string(), Digest::of(b"other"));
    let beside = format!("candidate-v1.0.0-{}-0000", "a".repeat(12));
    assert!(!kept(None, &[&own, "v0.9.0"]));
    assert!(!kept(Some(&other), &[&own]), "another image is public");
    assert!(kept(Some(&candidate.digest), &[&own]));
    assert!(kept(None, &[&own, &beside]));
    for elsewhere in [format!("candidate-v1.0.0-{}-0000", "b".repeat(12)), beside.replace("v1.0.0", "v1.0.1")]
    {
        assert!(!kept(None, &[&own, &elsewhere]), "{elsewhere}");
    }
}

#[test]
fn an_image_of_one_platform_has_only_its_own_manifest() {
    let (digest, other) = (Digest::of(b"public"), Digest::of(b"amd"));
    let image = format!(
        r#"{{"schemaVersion": 2, "config": {{"mediaType": "x", "digest": "{other}", "size": 1}}, "layers": []}}"#
    );
    assert_eq!(manifests(&digest, image.as_bytes()).unwrap(), std::slice::from_ref(&digest));
    let index = format!(
        r#"{{"schemaVersion": 2, "manifests": [{{"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "{other}", "size": 1}}]}}"#
    );
    assert_eq!(manifests(&digest, index.as_bytes()).unwrap(), [other]);
    assert!(manifests(&digest, b"{}").is_err());
}

#[test]
fn only_what_has_the_form_of_attachments_is_removed_by_its_digest() {
    let digest = Digest::of(b"x");
    let index = |entry: &str| {
        format!(
            r#"{{"schemaVersion": 2, "manifests": [{{"mediaType": "application/vnd.oci.image.manifest.v1+json",
               "digest": "{digest}", "size": 1, {entry}}}]}}"#
        )
    };
    let bundle = r#""artifactType": "application/vnd.dev.sigstore.bundle.v0.3+json""#;
    let platform = r#""platform": {"os": "linux", "architecture": "amd64"}"#;
    let behind = |text: &str| Behind::of(Some(&Manifest::new(MANIFEST, text.as_bytes().to_vec())));
    let attachment = |text: &str| Behind::Attachment(Digest::of(text.as_bytes()));
    assert_eq!(Behind::of(None), Behind::Nothing);
    assert_eq!(behind(&index(bundle)), attachment(&index(bundle)));
    for image in [index(platform), index(&format!("{bundle}, {platform}")), "{}".to_owned(), String::new()] {
        assert_eq!(behind(&image), Behind::Other, "{image}");
    }
    let manifest = |layer: &str, annotations: &str| {
        format!(
            r#"{{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
               "config": {{"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "{digest}", "size": 1}},
               "layers": [{{"mediaType": "{layer}", "digest": "{digest}", "size": 1{annotations}}}]}}"#
        )
    };
    let signature = r#", "annotations": {"dev.cosignproject.cosign/signature": "YQ=="}"#;
    let signed = manifest("application/vnd.dev.cosign.simplesigning.v1+json", signature);
    assert_eq!(behind(&signed), attachment(&signed));
    let image = manifest("application/vnd.oci.image.layer.v1.tar+gzip", "");
    assert_eq!(behind(&image), Behind::Other, "{image}");
}

#[test]
fn a_command_by_hand_leaves_out_what_the_public_image_may_share() {
    let image = "forge.example.org/acme/carol".parse().unwrap();
    let (said, _) = ended(&image, &candidate(), Refusal::new("moved").into(), Err(anyhow!("answered 500")));
    let of = |name: &str| Tag::of(&Digest::of(name.as_bytes()), ".sig").to_string();
    assert!(said[0].contains(&of("image")) && !said[0].contains(&of("amd")), "{said:?}");
}

#[test]
fn platform_signatures_are_removed_too_except_those_of_the_public_image() {
    let candidate = candidate();
    let tag = |name: &str, end: &str| Removable::Tag(Tag::of(&Digest::of(name.as_bytes()), end));
    let rest = [tag("image", ".att"), tag("image", "")];
    let all = [vec![tag("image", ".sig"), tag("amd", ".sig"), tag("arm", ".sig")], rest.to_vec()].concat();
    assert_eq!(references(&candidate, &[]), all);
    let own = [vec![tag("image", ".sig"), tag("arm", ".sig")], rest.to_vec()].concat();
    assert_eq!(references(&candidate, &[Digest::of(b"amd")]), own);
}
