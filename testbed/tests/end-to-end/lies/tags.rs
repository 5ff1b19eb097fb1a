//! Lies about the tags: the registry's version tag, and git's.

use anyhow::Result;

use super::Lie;
use super::honest::{OLDER, TAG};
use super::judge::check;
use crate::harness::test;

pub(super) const LIES: &[Lie] = &[
    Lie {
        name: "version tag moved to an image that nobody signed",
        make: |honest| honest.push_changed(|parts| honest.add_a_layer(parts)).map(|_| ()),
        wrong: &[
            "signature",
            "signature.platforms",
            "provenance",
            "sbom",
            "page.image",
            "page.commands",
            // It still names the honest image, which has no version tag any more.
            "latest",
        ],
        unchecked: &["attachments", "provenance.*", "sbom.components"],
    },
    Lie {
        // By the key, and with all that belongs to it: but for another version and commit.
        name: "version tag moved to the signed image of an older release",
        make: |honest| honest.move_tag(TAG, OLDER),
        wrong: &[
            "image.labels",
            "signature",
            "signature.platforms",
            "provenance.source",
            "sbom.components",
            "page.image",
            "page.commands",
            "latest",
        ],
        unchecked: &["attachments"],
    },
    Lie {
        // Then the highest version is another one, and `latest` is not on it.
        name: "version tag deleted",
        make: |honest| honest.registry.delete(TAG),
        wrong: &["tag.image", "latest"],
        unchecked: of_an_image!(),
    },
    Lie {
        name: "git tag moved on the forge",
        make: |honest| honest.forge.push_tag(&honest.project, &honest.commit_of(OLDER)?),
        wrong: &["tag.git"],
        unchecked: &[],
    },
    Lie {
        // The forge makes a draft of the page, which a stranger does not see.
        name: "git tag deleted on the forge",
        make: |honest| honest.forge.delete_tag(&honest.project),
        wrong: &["tag.git", "page.state"],
        unchecked: &["page.image", "page.commands"],
    },
];

#[test]
fn lies_about_tags() -> Result<()> {
    test(|| check(LIES))
}
