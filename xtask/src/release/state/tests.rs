//! What counts as right, wrong, absent or not asked for.

use super::{Image, candidate, latest};
use crate::evidence::attached::Kind;
use crate::evidence::claims;
use crate::inputs::source::Source;
use crate::oci::reference::Digest;
use crate::release::plan::Found::{self, Absent, NotAsked, Right, Wrong};
use crate::tool::git::Commit;
use crate::verify::claim::{Claim, Verdict};
use crate::verify::known::Known;

#[test]
fn latest_is_judged_only_if_this_release_may_have_to_move_it() {
    let (ours, other) = (Digest::of(b"ours"), Digest::of(b"other"));
    let (own, higher) = ("v1.2.3".parse().unwrap(), "v1.3.0".parse().unwrap());
    for (digest, highest, found, expected) in [
        (Some(&ours), Some(&own), None, Absent),
        (Some(&ours), Some(&own), Some(&ours), Right),
        (Some(&ours), Some(&own), Some(&other), Wrong),
        (None, Some(&own), None, Absent),
        (None, Some(&own), Some(&other), Wrong),
        (Some(&ours), Some(&higher), Some(&ours), Wrong),
        (Some(&ours), Some(&higher), Some(&other), NotAsked),
        (Some(&ours), Some(&higher), None, NotAsked),
        (None, Some(&higher), Some(&other), NotAsked),
        (Some(&ours), None, Some(&ours), NotAsked),
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
        (&[][..], Absent),
        (&["v1.2.3", "candidate-v1.2.4-bbbbbbbbbbbb-0123"], Absent),
        (&[ours], Right),
        (&[before], Wrong),
        (&[before, ours], Right),
        (&[ours, before], Right),
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
    assert_eq!(found(&except("", Verdict::False), &both), [Right; 4]);
    assert_eq!(found(&[], &both), [Wrong, NotAsked, NotAsked, NotAsked]);
    for (id, kinds, expected) in [
        (claims::IMAGE_PRESENT, &both[..], [Wrong, Right, Right, Right]),
        (claims::SIGNATURE, &both, [Right, Wrong, Right, Right]),
        (claims::SIGNATURE_PLATFORMS, &both, [Right, Wrong, Right, Right]),
        (claims::SIGNATURE, &both[1..], [Right, Absent, Right, Right]),
        (claims::PROVENANCE, &both, [Right, Right, Wrong, Right]),
        (claims::SMOKE, &both, [Right, Right, Wrong, Right]),
        (claims::PROVENANCE, &both[..1], [Right, Right, Absent, Right]),
        (claims::SBOM, &both, [Right, Right, Right, Wrong]),
        (claims::SBOM, &both[..1], [Right, Right, Right, Absent]),
    ] {
        assert_eq!(found(&except(id, Verdict::False), kinds), expected, "{id}");
    }
    for (id, expected) in [
        (claims::IMAGE_PRESENT, [Wrong, Right, Right, Right]),
        (claims::SIGNATURE, [Right, NotAsked, Right, Right]),
        (claims::SBOM, [Right, Right, Right, NotAsked]),
    ] {
        assert_eq!(found(&except(id, Verdict::Unchecked), &both), expected, "{id}");
    }
}
