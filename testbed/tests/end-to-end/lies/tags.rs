//! Lies about the tags: the registry's version tag, and git's.

use super::Lie;
use super::honest::{OLDER, TAG};

pub(super) const LIES: &[Lie] = &[
    Lie {
        // Signed with the key, and with all that belongs to it, but for another version and commit.
        name: "version tag moved to the signed image of an older release",
        make: |honest| honest.move_tag(TAG, OLDER),
        wrong: &[
            "image.labels",
            "signature",
            "signature.platforms",
            "provenance.source",
            "provenance.inputs",
            "sbom.components",
            "smoke",
            "page.image",
            "page.commands",
            "latest",
        ],
        unchecked: &["attachments", "page.assets"],
    },
    Lie {
        // The forge turns the page into a draft, which a stranger cannot see.
        name: "git tag deleted on the forge",
        make: |honest| honest.forge.delete_tag(&honest.project),
        wrong: &["tag.git", "page.state"],
        unchecked: &["page.image", "page.commands", "page.assets"],
    },
];
