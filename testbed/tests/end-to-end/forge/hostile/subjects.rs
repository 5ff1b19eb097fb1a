//! Subjects that Markdown, HTML or a forge would turn into something other than text: each kind in each place of a
//! subject.

use xtask::process::shown::is_hidden;

/// Things that exist on the forge, and that it could link or notify.
pub(super) struct Names<'a> {
    pub(super) user: &'a str,
    /// `organisation/team`
    pub(super) team: &'a str,
    /// `owner/name`
    pub(super) repository: &'a str,
    /// The web address of the repository.
    pub(super) address: &'a str,
    pub(super) issue: u64,
    pub(super) commit: &'a str,
}

/// The places of a kind, at `{}`. None of them begins with a type of Conventional Commits, so a page shows these
/// subjects whole.
const PLACES: [&str; 6] = ["{}", "words {} words", "{}{}", "`{}", "parser: {}", "[{}](<{}>)"];

/// Kinds that are the same on every forge.
const KINDS: [&str; 40] = [
    "# heading",
    "## Image",
    "- item",
    "1. item",
    "> quote",
    "> [!NOTE]\n> an alert",
    "```sh",
    "~~~",
    "heading\n===",
    "---\ntitle: front matter\n---",
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "- [x] done",
    "[^1] and [^1]: a note",
    "[reference]: http://example.org/x",
    "**bold** _em_ ~~gone~~ ==mark== H~2~O",
    "`code` ``more``",
    "<b>bold</b><script>alert(1)</script>",
    "</code></details>",
    "<details><summary>folded</summary>",
    "<!-- comment",
    "<img src=x onerror=alert(1)>",
    "&lt;b&gt; &#96; &amp;",
    "\\` \\* \\",
    "[text](http://example.org/x)",
    "![picture](http://example.org/x.png)",
    "<http://example.org/x>",
    "http://example.org/x",
    "www.example.org",
    "someone@example.org mailto:someone@example.org",
    "[[page]] [[http://example.org/x|page]]",
    "[TOC] [[_TOC_]]",
    ":tada: :+1:",
    "👍🏽 é 你好",
    "$x$ $`x`$ $$y$$",
    "\\(x\\) \\[y\\]",
    "\u{202e}thgir\u{202c} \u{2067}left\u{2069}",
    "a\u{200b}b\u{2060}c\u{feff}d\u{ad}e",
    "\u{e0041}\u{e007f}\u{fff9}tags",
    "\u{1b}[2K\u{8}\u{7}controls\tand\tblanks",
    "مرحبا #5 שלום",
];

/// Every kind in every place.
pub(super) fn all(names: &Names<'_>) -> Vec<String> {
    let Names { user, team, repository, address, issue, commit } = names;
    let real = [
        format!("@{user}"),
        format!("@{team}"),
        format!("fixes #{issue}"),
        format!("{repository}#{issue} !{issue}"),
        format!("{address}/issues/{issue}"),
        (*commit).to_owned(),
        format!("{repository}@{}", &commit[..10]),
        format!("{address}/commit/{commit}"),
        format!("{address}/src/commit/{commit}/README.md#L1-L3"),
        format!("{address}/compare/{}...{}", &commit[..10], &commit[..12]),
    ];
    let kinds = KINDS.into_iter().map(str::to_owned).chain(real);
    kinds.flat_map(|kind| PLACES.map(|place| place.replace("{}", &kind))).collect()
}

/// A page shows this many characters of a subject.
const MAX_LEN: usize = 200;

/// How a page shows a subject: in one line, with a blank for each separator and without invisible characters.
pub(super) fn shown(subject: &str) -> String {
    let line = subject.replace('\n', " ");
    let blank = |c: char| if c.is_whitespace() && c.is_control() { ' ' } else { c };
    let visible: String = line.chars().map(blank).filter(|c| !is_hidden(*c)).collect();
    let visible = visible.trim();
    match visible.char_indices().nth(MAX_LEN) {
        Some((end, _)) => format!("{}…", &visible[..end]),
        None => visible.to_owned(),
    }
}

/// The input of `git fast-import`: a commit on top of `parent` for each subject, without any changes to files.
pub(super) fn stream(parent: &str, subjects: &[String]) -> String {
    let mut stream = String::new();
    for (number, subject) in subjects.iter().enumerate() {
        let who = format!("Ann <ann@example.org> {} +0000", 1_700_000_000 + number);
        let from = if number == 0 { format!("from {parent}\n") } else { String::new() };
        stream += &format!(
            "commit refs/heads/imported\nauthor {who}\ncommitter {who}\ndata {}\n{subject}\n{from}\n",
            subject.len()
        );
    }
    stream
}
