//! The steps of a release by the names that are printed, planned, put into events and looked up when one fails.

/// One of them, in their order; some run side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Is the version tag there?
    Look,
    /// Every problem that can be known before anything is made.
    Preflight,
    /// The commit as files.
    Export,
    /// The candidate, pushed.
    Build,
    /// Each platform's image, run and asked.
    Smoke,
    /// What is in the layers.
    Contents,
    /// The signature.
    Sign,
    /// The attestations, signed.
    Attest,
    /// The attestations, stored.
    Store,
    /// The gates.
    Verify,
    /// The version tag.
    Tag,
    /// The release page.
    Page,
    /// The registry's `latest`, and with it, where it is run, the forge's own mark.
    Latest,
    /// The forge's own mark, in plans alone.
    Mark,
    /// The candidates' end, and the last look.
    Close,
    /// The commit built again, where the version tag names an image that does not verify.
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

    /// As it is printed.
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

    /// The step that is printed as `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }
}
