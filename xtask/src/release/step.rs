//! The steps of a release, with the names under which they are printed, planned, reported as events and looked up after
//! a failure.

/// One of the steps, in their order. Some run in parallel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Checks whether the version tag exists.
    Look,
    /// Finds every problem that can be known before anything is made.
    Preflight,
    /// Exports the commit as files.
    Export,
    /// Builds and pushes the candidate.
    Build,
    /// Runs and queries each platform's image.
    Smoke,
    /// Reads what is in the layers.
    Contents,
    /// Signs the image.
    Sign,
    /// Signs the attestations.
    Attest,
    /// Stores the attestations.
    Store,
    /// Runs the gates.
    Verify,
    /// Puts the version tag.
    Tag,
    /// Writes the release page.
    Page,
    /// Moves the registry's `latest`. When this step runs, it also moves the forge's own mark.
    Latest,
    /// Moves the forge's own mark; appears only in plans.
    Mark,
    /// Removes the candidates, and checks everything public once more.
    Close,
    /// Builds the commit again if the version tag names an image that does not verify.
    Compare,
}

impl Step {
    const ALL: [Self; 16] = [
        Self::Look,
        Self::Preflight,
        Self::Export,
        Self::Build,
        Self::Smoke,
        Self::Contents,
        Self::Sign,
        Self::Attest,
        Self::Store,
        Self::Verify,
        Self::Tag,
        Self::Page,
        Self::Latest,
        Self::Mark,
        Self::Close,
        Self::Compare,
    ];

    /// The name that is printed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Preflight => "preflight",
            Self::Export => "export",
            Self::Build => "build",
            Self::Smoke => "smoke",
            Self::Contents => "contents",
            Self::Sign => "sign",
            Self::Attest => "attest",
            Self::Store => "store",
            Self::Verify => "verify",
            Self::Tag => "tag",
            Self::Page => "page",
            Self::Latest => "latest",
            Self::Mark => "mark",
            Self::Close => "close",
            Self::Compare => "compare",
        }
    }

    /// The step with the printed name `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }
}
