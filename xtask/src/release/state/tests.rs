//! What counts as right, wrong, absent or not asked for.

use super::{Image, candidate, latest};
use crate::evidence::attached::Kind;
use crate::evidence::claims;
use crate::inputs::source::Source;
use crate::oci::reference::Digest;
use crate::release::plan::Found::{self, Differs, Matches, Missing, NotApplicable};
use crate::tool::git::Commit;
use crate::verify::claim::{Claim, Verdict};
use crate::verify::known::Known;

#[test]
fn latest_is_judged_only_if_this_release_may_have_to_move_it() {
    let (ours, other) = (Digest::of(b"ours"), Digest::of(b"other"));
    let (own, higher) = ("v1.2.3".parse().unwrap(), "v1.3.0".parse().unwrap());
    for (digest, highest, found, expected) in [
        (Some(&ours), Some(&own), None, Missing),
        (Some(&ours), Some(&own), Some(&ours), Matches),
        (Some(&ours), Some(&own), Some(&other), Differs),
        (None, Some(&own), None, Missing),
        (None, Some(&own), Some(&other), Differs),
        (Some(&ours), Some(&higher), Some(&ours), Differs),
        (Some(&ours), Some(&higher), Some(&other), NotApplicable),
        (Some(&ours), Some(&higher), None, NotApplicable),
        (None, Some(&higher), Some(&other), NotApplicable),
        (Some(&ours), None, Some(&ours), NotApplicable),
    ] {
        let fact = latest(&own, digest, highest, || Ok(found.cloned())).unwrap();
        assert_eq!(fact, expected, "{digest:?} {highest:?} {found:?}");
    }
}

#[test]
fn one_candidate_of_the_commit_is_enough_wherever_it_is_listed() {
    let commit = Commit::parse(&"b".repeat(40)).unwrap();
    let source = Source { tag: "v1.2.3".parse().unwrap(), commit, time: 0, is_tagged: true };
    let (ours, before) = ("candidate-v1.2.3-bbbbbbbbbbbb-0123", "candidate-v1.2.3-aaaaaaaaaaaa-0123");
    for (tags, expected) in [
        (&[][..], Missing),
        (&["v1.2.3", "candidate-v1.2.4-bbbbbbbbbbbb-0123"], Missing),
        (&[ours], Matches),
        (&[before], Differs),
        (&[before, ours], Matches),
        (&[ours, before], Matches),
    ] {
        let found: Vec<_> = tags.iter().map(|&tag| tag.to_owned()).collect();
        assert_eq!(candidate(&source, &found), expected, "{tags:?}");
    }
}

#[test]
fn a_false_claim_makes_a_fact_wrong_or_absent_depending_on_what_is_attached() {
    const HOLDS: [&str; 6] = [
        claims::IMAGE_PRESENT,
        claims::SIGNATURE,
        claims::SIGNATURE_PLATFORMS,
        claims::PROVENANCE,
        claims::SMOKE,
        claims::SBOM,
    ];
    let digest = Digest::of(b"image");
    let both = [Kind::Signatures, Kind::Attestations];
    let found = |verdicts: &[(&'static str, Verdict)], kinds: &[Kind]| -> [Found; 4] {
        let claim = |&(id, verdict)| Claim {
            id,
            verdict,
            evidence: String::new(),
            see: None,
            is_transient: false,
            by_hand: None,
        };
        let known = Known::of(kinds.iter().map(|kind| kind.tag(&digest).to_string()).collect());
        let claims: Vec<_> = verdicts.iter().map(claim).collect();
        let Image { version_tag, signature, provenance, sbom } = Image::of_claims(&claims, &known, &digest);
        [version_tag, signature, provenance, sbom]
    };
    let except = |id: &str, verdict| HOLDS.map(|one| (one, if one == id { verdict } else { Verdict::Holds }));
    assert_eq!(found(&except("", Verdict::False), &both), [Matches; 4]);
    assert_eq!(found(&[], &both), [Differs, NotApplicable, NotApplicable, NotApplicable]);
    for (id, kinds, expected) in [
        (claims::IMAGE_PRESENT, &both[..], [Differs, Matches, Matches, Matches]),
        (claims::SIGNATURE, &both, [Matches, Differs, Matches, Matches]),
        (claims::SIGNATURE_PLATFORMS, &both, [Matches, Differs, Matches, Matches]),
        (claims::SIGNATURE, &both[1..], [Matches, Missing, Matches, Matches]),
        (claims::PROVENANCE, &both, [Matches, Matches, Differs, Matches]),
        (claims::SMOKE, &both, [Matches, Matches, Differs, Matches]),
        (claims::PROVENANCE, &both[..1], [Matches, Matches, Missing, Matches]),
        (claims::SBOM, &both, [Matches, Matches, Matches, Differs]),
        (claims::SBOM, &both[..1], [Matches, Matches, Matches, Missing]),
    ] {
        assert_eq!(found(&except(id, Verdict::False), kinds), expected, "{id}");
    }
    for (id, expected) in [
        (claims::IMAGE_PRESENT, [Differs, Matches, Matches, Matches]),
        (claims::SIGNATURE, [Matches, NotApplicable, Matches, Matches]),
        (claims::SBOM, [Matches, Matches, Matches, NotApplicable]),
    ] {
        assert_eq!(found(&except(id, Verdict::Unchecked), &both), expected, "{id}");
    }
}
