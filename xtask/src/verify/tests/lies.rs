//! The lies: each is one change that somebody could make to a public release, in what the registry and the forge
//! have. Each lie makes false exactly the claims that it is about. Claims that can no longer be looked at because of
//! it are unchecked, and everything else still holds. docs/verification-tests.md has the table, written by
//! `table.rs`. Some lies are also told on a real registry and forge (`testbed/tests/end-to-end/lies`).

/// The claims that have nothing to look at if no image is found, and `more`.
macro_rules! of_an_image {
    ($($more:literal),*) => {
        &[
            "image.*",
            "signature",
            "signature.platforms",
            "attachments",
            "provenance",
            "provenance.*",
            "sbom",
            "sbom.components",
            "smoke",
            // Nobody knows which image the page is about.
            "page.image",
            "page.commands",
            "page.assets",
            $($more),*
        ]
    };
}

mod assets;
mod attested;
mod build_type;
mod bundles;
mod envelope;
mod exact;
mod form;
mod image;
mod keys;
mod page;
pub(super) mod predicate;
mod registry;
pub(super) mod run;
mod sbom;

mod signatures;
mod smoke;
mod tags;

use crate::evidence::claims;
use crate::process::parallel::both;
use crate::verify::claim::{Claim, Verdict};

use super::recording::{Recording, all};
use super::world::World;

/// One change to the honest release.
pub(super) struct Lie {
    /// What was done, in the table's words.
    pub(super) name: &'static str,
    /// Makes the change.
    pub(super) tell: fn(&mut World),
    /// The claims that must be false; `provenance.*` is every claim that begins with `provenance.`.
    pub(super) wrong: &'static [&'static str],
    /// The claims that must be unchecked, in the same notation.
    pub(super) unchecked: &'static [&'static str],
}

impl Lie {
    /// The claims that must be unchecked. If one of the attestations does not hold, that includes the claim about the
    /// page's files.
    pub(super) fn unchecked(&self) -> Vec<&'static str> {
        let mut all = self.unchecked.to_vec();
        let has_lost = |id| has(self.wrong, id) || has(self.unchecked, id);
        if [claims::PROVENANCE, claims::SBOM, claims::SMOKE].into_iter().any(has_lost)
            && !has(self.wrong, claims::PAGE_ASSETS)
            && !has(self.unchecked, claims::PAGE_ASSETS)
        {
            all.push(claims::PAGE_ASSETS);
        }
        all
    }
}

/// All lies, by subject.
pub(super) const TOPICS: [&[Lie]; 17] = [
    tags::LIES,
    keys::LIES,
    signatures::LIES,
    bundles::LIES,
    attested::LIES,
    envelope::LIES,
    exact::LIES,
    form::LIES,
    predicate::LIES,
    build_type::LIES,
    sbom::LIES,
    smoke::LIES,
    run::LIES,
    image::LIES,
    page::LIES,
    assets::LIES,
    registry::LIES,
];

/// The verdicts that differ from what the lie must cause, one per line.
fn deviations(claims: &[Claim], lie: &Lie) -> Vec<String> {
    let mut deviations = Vec::new();
    let unchecked = lie.unchecked();
    for Claim { id, verdict, evidence, .. } in claims {
        let expected = match *id {
            id if has(lie.wrong, id) => Verdict::False,
            id if has(&unchecked, id) => Verdict::Unchecked,
            _ => Verdict::Holds,
        };
        if *verdict != expected {
            let evidence = evidence.lines().next().unwrap_or_default();
            deviations.push(format!("`{id}` {verdict}, expected that it {expected}: {evidence}"));
        }
    }
    // If every server answered, a claim is unchecked only because of another claim that does not hold, and it names
    // that claim.
    let is_named = |see: &str| claims.iter().any(|claim| claim.id == see && claim.verdict != Verdict::Holds);
    let is_newer = |claim: &Claim| claim.evidence.contains("newer xtask");
    let follows =
        |claim: &&Claim| claim.verdict == Verdict::Unchecked && !lie.wrong.is_empty() && !is_newer(claim);
    let lost = claims.iter().filter(follows).filter(|claim| !claim.see.is_some_and(is_named));
    deviations.extend(lost.map(|claim| format!("`{}` does not say what to see: {:?}", claim.id, claim.see)));
    // Whatever is wrong, a person can compare the key.
    let is_nameless = |claim: &&Claim| claim.id == claims::KEY_HISTORY && !claim.evidence.contains("sha256:");
    let nameless = claims.iter().filter(is_nameless);
    deviations.extend(nameless.map(|claim| format!("no fingerprint of the key: {}", claim.evidence)));
    let is_missing = |pattern: &&&str| !claims.iter().any(|claim| is(pattern, claim.id));
    let missing = lie.wrong.iter().chain(&unchecked).filter(is_missing);
    deviations.extend(missing.map(|pattern| format!("there is no claim `{pattern}`")));
    deviations
}

fn has(patterns: &[&str], id: &str) -> bool {
    patterns.iter().any(|pattern| is(pattern, id))
}

/// Whether `pattern` is the claim's id, or ends in `*` and the id begins with what is before it.
fn is(pattern: &str, id: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == id, |start| id.starts_with(start))
}

#[test]
fn every_lie_makes_exactly_its_claims_false() {
    let (_, dir) = all().unwrap().pop().unwrap();
    let recording = Recording::load(&dir).unwrap().with_a_small_base();
    let honest = recording.judge_with_the_stand_in(&recording.world);
    assert!(honest.iter().all(|claim| claim.verdict == Verdict::Holds), "before the first lie: {honest:#?}");
    let tell = |lie: &Lie| {
        let mut world = recording.world.clone();
        (lie.tell)(&mut world);
        let told = deviations(&recording.judge_with_the_stand_in(&world), lie);
        told.into_iter().map(|deviation| format!("{}: {deviation}", lie.name)).collect::<Vec<_>>()
    };
    let lies: Vec<_> = TOPICS.into_iter().flatten().collect();
    let (some, others) = lies.split_at(lies.len() / 2);
    let tell_all = |lies: &[&Lie]| Ok(lies.iter().flat_map(|lie| tell(lie)).collect::<Vec<_>>());
    let (found, more) = both(|| tell_all(some), || tell_all(others)).unwrap();
    let found = [found, more].concat();
    assert!(found.is_empty(), "{} deviations:\n{}", found.len(), found.join("\n"));
}
