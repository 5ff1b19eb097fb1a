//! What a release has to do, as a pure function of what was found. It has every rule for resuming a release that
//! stopped half-way. `state` finds the facts, `release::run` does what the plan says, `release --plan` prints it.

#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::release::step::Step;

/// What was found about one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// Not applicable: what it would belong to is missing, or it belongs to another release.
    NotApplicable,
    /// It is missing.
    Missing,
    /// It exists and is this release's.
    Matches,
    /// It exists but says something else.
    Differs,
}

/// Everything that a plan depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// Whether the version is stable, not a pre-release.
    pub stable: bool,
    /// A candidate tag for this release tag; wrong if it belongs to another commit.
    pub candidate: Found,
    /// The version tag in the registry; right if its image is the commit's and the git tag is on the forge.
    pub version_tag: Found,
    /// The signature of that image; looked up only if the version tag exists.
    pub signature: Found,
    /// The same for the provenance.
    pub provenance: Found,
    /// The same for the SBOM.
    pub sbom: Found,
    /// The release page.
    pub page: Found,
    /// The registry's `latest`; looked up only if it belongs to this release.
    pub latest: Found,
    /// The forge's own mark of the latest page; right if it is on the highest stable version.
    pub mark: Found,
}

/// What to do about a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing is left to do.
    Done,
    /// Do the step.
    Do,
    /// Nothing, until a person has decided.
    Conflict(&'static str),
}

/// What to do, in the order of the steps. A plan with a conflict does nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Each step once.
    pub steps: [(Step, Action); 8],
}

/// Why a step waits although its own facts would allow it.
const WAITS: &str = "nothing is changed while another step is in conflict";

impl Facts {
    /// For a release without a version tag; everything else is looked up only if there is one.
    #[must_use]
    pub fn nothing_public(stable: bool) -> Self {
        let none = Found::NotApplicable;
        Self {
            stable,
            candidate: none,
            version_tag: Found::Missing,
            signature: none,
            provenance: none,
            sbom: none,
            page: none,
            latest: if stable { Found::Missing } else { none },
            mark: none,
        }
    }
}

impl Plan {
    /// The plan that the rules give for `facts`.
    #[must_use]
    pub fn of(facts: &Facts) -> Self {
        let image = match facts.version_tag {
            Found::Missing => [Action::Do; 4],
            // A version tag is never moved and never written twice: the image that it names is proven, or there is a
            // conflict.
            Found::Matches | Found::Differs | Found::NotApplicable => [
                Action::Done,
                proven(
                    facts.signature,
                    "it is public without a signature",
                    "the signature is not this release's",
                ),
                both_proven(facts.provenance, facts.sbom),
                proven(
                    facts.version_tag,
                    "it was not looked at",
                    "the version tag or the git tag names something else",
                ),
            ],
        };
        let page = unless_right(facts.page);
        let latest = match facts.latest {
            Found::Missing | Found::Differs if facts.stable => Action::Do,
            _ => Action::Done,
        };
        // A forge marks a new page as its latest, unless it is the page of a pre-release.
        let moves = page == Action::Do && facts.stable;
        let mark = if moves || matches!(facts.mark, Found::Missing | Found::Differs) {
            Action::Do
        } else {
            Action::Done
        };
        // A build leaves a candidate to remove; otherwise there is something to remove only if a candidate was found.
        let builds = image[0] == Action::Do;
        let is_left = matches!(facts.candidate, Found::Matches | Found::Differs);
        let close = if builds || is_left { Action::Do } else { Action::Done };
        let [build, sign, attest, tag] = image;
        Self {
            steps: [
                (Step::Build, build),
                (Step::Sign, sign),
                (Step::Attest, attest),
                (Step::Tag, tag),
                (Step::Page, page),
                (Step::Latest, latest),
                (Step::Mark, mark),
                (Step::Close, close),
            ],
        }
        .held()
    }

    /// With a conflict, every step that is still to do waits.
    fn held(mut self) -> Self {
        if self.is_conflict() {
            for (_, action) in self.steps.iter_mut().filter(|(_, action)| *action == Action::Do) {
                *action = Action::Conflict(WAITS);
            }
        }
        self
    }

    /// Whether a person has to decide first.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.steps.iter().any(|(_, action)| matches!(action, Action::Conflict(_)))
    }

    /// Whether `step` is to be done.
    #[must_use]
    pub fn does(&self, step: Step) -> bool {
        self.steps.contains(&(step, Action::Do))
    }
}

/// What belongs to a public image is right or a conflict: nothing is added to it later.
fn proven(found: Found, absent: &'static str, wrong: &'static str) -> Action {
    match found {
        Found::Matches => Action::Done,
        Found::Missing => Action::Conflict(absent),
        Found::Differs => Action::Conflict(wrong),
        Found::NotApplicable => Action::Conflict("it could not be looked at, as something else is wrong"),
    }
}

fn both_proven(provenance: Found, sbom: Found) -> Action {
    match proven(
        provenance,
        "it is public without a provenance",
        "the provenance or the test result is not this release's",
    ) {
        Action::Done => proven(sbom, "it is public without an SBOM", "the SBOM is not this release's"),
        other => other,
    }
}

fn unless_right(found: Found) -> Action {
    if found == Found::Matches { Action::Done } else { Action::Do }
}
