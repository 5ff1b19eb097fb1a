//! Whatever the commits say, a Markdown parser with every extension must find exactly the page's own structure, and
//! each commit once, as it was written.

use std::collections::BTreeSet;
use std::sync::Arc;

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag};

use super::super::{Section, section};
use crate::evidence::page::CHANGES_HEADING;
use crate::inputs::config::Groups;
use crate::inputs::history::History;
use crate::inputs::people::People;
use crate::inputs::pulls::Pulls;
use crate::inputs::words::{block, imitation};
use crate::process::leaks::masked;
use crate::process::shown::is_hidden;
use crate::tool::git::{Commit, LogEntry, Message, Names};

const REPOSITORY: &str = "https://forge.example.org/a/b";

/// The number of pages in a test, each with up to [`MAX_COMMITS`] commits.
const PAGES: u64 = 400;
const MAX_COMMITS: u64 = 12;

/// Parts of subjects: what Markdown and forges give a special meaning, and invisible characters.
const FRAGMENTS: [&str; 67] = [
    "# ",
    "## Image\n",
    "- ",
    "1. ",
    "> ",
    "    ",
    "\t",
    "```",
    "``",
    "`",
    "~~~",
    "***",
    "**",
    "_",
    "~~",
    "<b>",
    "</details>",
    "<!--",
    "-->",
    "<script>",
    "&lt;",
    "&#96;",
    "\\`",
    "\\",
    "[a](http://localhost)",
    "![a](x)",
    "[^1]",
    "[^1]: x",
    "[x]: y",
    "<http://localhost>",
    "http://localhost/x",
    "@everyone",
    "#1",
    " (#7)",
    "a/b!2",
    "4993ff5a4993ff5a",
    "x@sha256:4993ff5a",
    ":tada:",
    "$x$",
    "$$",
    "| a | b |",
    "|---|",
    "[ ] ",
    "- [x] ",
    "===",
    "---",
    "\u{202e}",
    "\u{200b}",
    "\u{e0041}",
    "\u{fe0f}",
    "\r",
    "\n",
    "\u{0}",
    "\u{2028}",
    "\u{fffd}",
    " ",
    "word",
    "ghp_a1B2c3D4e5F6g7H8a1B2c3D4e5F6g7H8a1B2",
    "feat: ",
    "fix!: ",
    "\n\nBREAKING CHANGE: ",
    "Revert \"",
    "Reapply \"",
    "revert: ",
    "\"",
    "\" (#8)",
    "\n\nThis reverts commit 0123456789.\n",
];

/// xorshift64*, so that a number identifies a page.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % end
    }

    fn message(&mut self) -> String {
        let length = self.below(9);
        (0..length).map(|_| FRAGMENTS[usize::try_from(self.below(67)).unwrap()]).collect()
    }
}

fn history(random: &mut Random) -> History {
    let entry = |number: u64, author: String, message: String| LogEntry {
        commit: Commit::parse(&format!("{number:040x}")).unwrap(),
        parents: 1,
        author: Some(&*author).filter(|author| seen(author) != "(no subject)").map(Arc::from),
        authors: Some(&*author)
            .into_iter()
            .filter(|author| seen(author) != "(no subject)")
            .map(Arc::from)
            .collect(),
        pull: None,
        message: Message::of(&message),
    };
    let mut commits: Vec<_> = (0..random.below(MAX_COMMITS))
        .map(|number| entry(number, random.message(), random.message()))
        .collect();
    // Some of them came with pull requests.
    for entry in &mut commits {
        entry.pull = Some(u32::try_from(random.below(4)).unwrap()).filter(|pull| *pull > 0);
        if entry.pull.is_some() && random.below(2) == 0 {
            let title = random.message();
            let title = (!title.is_empty()).then(|| title.into());
            (entry.parents, entry.message) = (2, Message::of("Merge pull request #7 from ann/x"));
            entry.message.title = title;
        }
    }
    let authors: BTreeSet<_> = commits.iter().filter_map(|entry| entry.author.clone()).collect();
    let people = People::of(&Names { all: authors.clone(), authors }, Some(&BTreeSet::new()));
    History {
        previous: Some("v1.2.3".parse().unwrap()),
        commits,
        people,
        words: None,
        shapes: None,
        pulls: Pulls::default(),
    }
}

/// The words that a person sees in a code span. None is so long that it is cut.
fn seen(words: &str) -> String {
    let words = words.replace(['\r', '\n', '\t'], " ");
    let shown: String = words.chars().filter(|c| !is_hidden(*c)).collect();
    let shown = masked(shown.trim()).into_owned();
    if shown.is_empty() { "(no subject)".to_owned() } else { shown }
}

/// The words that a page shows as written, and the commits to which it links.
fn read(page: &str) -> (Vec<String>, Vec<String>) {
    let (mut words, mut commits) = (Vec::new(), Vec::new());
    for event in Parser::new_ext(page, Options::all()) {
        match event {
            Event::Code(text) => words.push(text.into_string()),
            Event::Text(text) if &*text == "(no subject)" || text.starts_with("(no subject) (") => {
                words.push("(no subject)".to_owned());
            }
            Event::Html(text) => {
                let own = [
                    "<details><summary>More changes (",
                    "<details><summary>Dependencies (",
                    "<details><summary>Dependencies with security fixes (",
                    "<details><summary>Maintenance (",
                    "<details><summary>Commits of pull requests (",
                ];
                let is_own = own.iter().any(|own| text.starts_with(own)) || text.trim_end() == "</details>";
                assert!(is_own, "HTML {text:?} in\n{page}");
            }
            Event::Start(Tag::Heading { level, .. }) => {
                assert!(matches!(level, HeadingLevel::H2 | HeadingLevel::H3), "{level} in\n{page}");
            }
            Event::Start(Tag::Link { dest_url, .. }) => {
                let rest =
                    dest_url.strip_prefix(REPOSITORY).unwrap_or_else(|| panic!("{dest_url} in\n{page}"));
                let pull = rest.strip_prefix("/pulls/").map(|number| number.parse::<u32>().is_ok());
                assert!(pull.unwrap_or(true), "{dest_url} in\n{page}");
                commits.extend(rest.strip_prefix("/commit/").map(str::to_owned));
            }
            Event::Start(Tag::Paragraph | Tag::List(None) | Tag::Item | Tag::Strong | Tag::HtmlBlock)
            | Event::End(_)
            | Event::Text(_)
            | Event::SoftBreak => {}
            other => panic!("{other:?} in\n{page}"),
        }
    }
    (words, commits)
}

#[test]
fn every_commit_is_listed_once_and_none_of_its_text_becomes_markup() {
    for number in 1..=PAGES {
        let history = history(&mut Random(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        let page = section(Some(REPOSITORY), &Groups::default(), &"v1.3.0".parse().unwrap(), &history, None);
        assert_eq!((block(&page), imitation(&page, CHANGES_HEADING)), (None, None), "page {number}:\n{page}");
        let (mut words, commits) = read(&page);
        let groups = Groups::default();
        let changes = Section::of(&history, &groups).changes;
        let is_told = |entry: &&LogEntry| !entry.is_bare_merge();
        let own: BTreeSet<_> =
            history.commits.iter().filter(is_told).map(|entry| entry.commit.as_str()).collect();
        assert!(own.is_subset(&commits.iter().map(String::as_str).collect()), "page {number}:\n{page}");
        let mut expected: Vec<_> = changes
            .iter()
            .flat_map(|change| {
                let footers = change.breaking.iter().copied().flatten().map(String::as_str);
                let footers = footers.filter(|footer| !footer.is_empty());
                let text = if change.breaking.is_some() { change.text_elsewhere() } else { change.text() };
                let text = seen(change.pull_request(&text).map_or(&*text, |(text, _number)| text));
                [text].into_iter().chain(footers.map(seen))
            })
            .collect();
        // Each name is in the list of all people, and in the list of first contributors.
        let people: Vec<_> = history.people.people.iter().map(|person| seen(&person.name)).collect();
        expected.extend(people.iter().chain(&people).cloned());
        words.sort();
        expected.sort();
        assert_eq!(words, expected, "page {number}:\n{page}");
        let unique: BTreeSet<_> = commits.iter().collect();
        assert_eq!((commits.len(), unique.len()), (changes.len(), changes.len()), "page {number}:\n{page}");
    }
}
