//! The pages of this repository: every link leads somewhere, and every page says who it is for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use xshell::cmd;
use xtask::process::Runner;
use xtask::process::environment::Environment;

/// Pages whose text stays as it was published: the provenance of releases links to them. They say in their own way
/// what they are for.
const FIXED: [&str; 1] = ["docs/builder.md"];

/// Recordings and examples of other repositories. Their links lead elsewhere.
const FOREIGN: [&str; 3] = ["xtask/testdata/", "xtask/tests/", "testbed/services/"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is below the workspace").to_owned()
}

/// The files of this repository whose names end with one of `ends`, with their text.
fn files(ends: &[&str]) -> BTreeMap<String, String> {
    let runner = Runner::new(&Environment::from_process());
    let sh = runner.shell().expect("a shell");
    let listed = cmd!(sh, "git ls-files --cached --others --exclude-standard");
    let listed = runner.call(listed).dir(&root()).read().expect("git lists the files");
    let own = listed.lines().filter(|name| !FOREIGN.iter().any(|foreign| name.starts_with(foreign)));
    let wanted = own.filter(|name| ends.iter().any(|end| name.ends_with(end)));
    let existing = wanted.filter(|name| root().join(name).exists());
    let read = |name: &str| std::fs::read_to_string(root().join(name)).expect("the files are text");
    existing.map(|name| (name.to_owned(), read(name))).collect()
}

/// What a page has: the anchors of its headings, and where its links lead.
#[derive(Default)]
struct Page {
    anchors: BTreeSet<String>,
    links: Vec<String>,
}

impl Page {
    fn read(text: &str) -> Self {
        let (mut page, mut heading) = (Self::default(), None::<String>);
        for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    page.anchors.extend(heading.take().map(|words| anchor(&words)));
                }
                Event::Text(words) | Event::Code(words) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&words);
                    }
                }
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push(dest_url.to_string());
                }
                _ => {}
            }
        }
        page
    }
}

/// The anchor that a forge gives to a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    kept.chars()
        .filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

/// The path that `link` on the page at `from` names, without `.` and `..`.
fn target(from: &str, link: &str) -> String {
    let mut path = PathBuf::from(from);
    path.pop();
    for part in Path::new(link).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::CurDir => {}
            part => path.push(part),
        }
    }
    path.to_str().expect("the names of pages are UTF-8").to_owned()
}

/// What is wrong with a link to `path` and its `fragment`, if anything.
fn problem(pages: &BTreeMap<String, Page>, path: &str, fragment: Option<&str>) -> Option<&'static str> {
    if !root().join(path).exists() {
        return Some("there is no such file");
    }
    let page = pages.get(path)?;
    fragment.is_some_and(|it| !page.anchors.contains(it)).then_some("the page has no such heading")
}

fn split(link: &str) -> (&str, Option<&str>) {
    link.split_once('#').map_or((link, None), |(path, fragment)| (path, Some(fragment)))
}

/// The pages that a file names: `docs/page.md`, and `{}/page.md` in a message, into which the tool's own address is
/// inserted.
fn named(text: &str) -> Vec<(String, Option<&str>)> {
    let starts = ["docs/", "}/"].into_iter().flat_map(|start| text.match_indices(start));
    // Within a longer path, such a directory is a different one.
    let own = starts.filter(|(place, _)| !text[..*place].ends_with('/'));
    let names = own.filter_map(|(place, start)| {
        let rest = &text[place + start.len()..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"/-_.#".contains(c));
        let (page, fragment) = split(rest[..end.unwrap_or(rest.len())].trim_end_matches('.'));
        let is_of_tool = start == "docs/" || !page.contains('/') && page != "README.md";
        let is_page = is_of_tool && Path::new(page).extension().is_some_and(|end| end == "md");
        // A fragment that a message inserts later is not known here.
        is_page.then(|| (format!("docs/{page}"), fragment.filter(|it| !it.is_empty())))
    });
    names.collect()
}

#[test]
fn every_link_of_a_page_leads_to_a_file_and_a_heading() {
    let pages: BTreeMap<_, _> =
        files(&[".md"]).into_iter().map(|(name, text)| (name, Page::read(&text))).collect();
    assert!(pages.len() > 20, "too few pages: {:?}", pages.keys());
    let mut broken = Vec::new();
    for (name, page) in &pages {
        for link in page.links.iter().filter(|link| !link.contains("://")) {
            let (path, fragment) = split(link);
            let path = if path.is_empty() { name.clone() } else { target(name, path) };
            broken.extend(problem(&pages, &path, fragment).map(|why| format!("{name}: `{link}`: {why}")));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_page_that_code_names_exists() {
    let pages: BTreeMap<_, _> =
        files(&[".md"]).into_iter().map(|(name, text)| (name, Page::read(&text))).collect();
    let mut broken = Vec::new();
    for (name, text) in files(&[".rs", ".yml", ".toml", ".cue"]) {
        for (path, fragment) in named(&text) {
            broken.extend(
                problem(&pages, &path, fragment).map(|why| format!("{name}: `{path}` {fragment:?}: {why}")),
            );
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_page_begins_with_a_line_that_says_who_it_is_for() {
    let is_page = |name: &str| Path::new(name).parent() == Some(Path::new("docs")) && !FIXED.contains(&name);
    for (name, text) in files(&[".md"]).into_iter().filter(|(name, _)| is_page(name)) {
        let first = text.lines().skip(1).find(|line| !line.is_empty()).unwrap_or_default();
        assert!(first.starts_with("For "), "{name} begins with `{first}`, and not with `For …`");
    }
}

/// The lines that somebody types in each of the numbered steps of a page's section `Steps`.
fn typed(page: &str) -> BTreeMap<usize, usize> {
    let steps = page.split("\n## Steps\n").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("steps");
    let (mut lines, mut step, mut is_code) = (BTreeMap::new(), 0, false);
    for line in steps.lines() {
        if let Some(number) = line.split_once(". ").and_then(|(number, _)| number.parse().ok()) {
            step = number;
        }
        match line.trim() {
            "```sh" => is_code = true,
            "```" => is_code = false,
            _ if is_code => *lines.entry(step).or_default() += 1,
            _ => {}
        }
    }
    lines
}

#[test]
fn adopting_the_tool_takes_as_many_typed_lines_as_the_page_says() {
    let pages = files(&["docs/adopting.md"]);
    let page = &pages["docs/adopting.md"];
    let typed = typed(page);
    let of = |steps: &[usize]| steps.iter().filter_map(|step| typed.get(step)).sum::<usize>();
    let (needed, others) = (of(&[1, 2, 3, 4, 9]), of(&[5, 7, 8]));
    assert_eq!((needed, others, typed.values().sum()), (5, 4, needed + others), "{typed:?}");
    for words in ["steps 1 to 4 and 9, between them 6 and 7 | five,", "of steps 5, 7 and 8 | four |"] {
        assert!(page.contains(words), "docs/adopting.md does not say `{words}`");
    }
}

#[test]
fn commands_marked_as_sh_use_no_bash_syntax() {
    for (name, text) in files(&[".md"]) {
        for block in text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default()) {
            let odd = ["read -rs", "<(", "[[ ", "=("].into_iter().find(|words| block.contains(words));
            assert!(odd.is_none(), "{name}: `{}` in:\n{block}", odd.unwrap_or_default());
        }
    }
}

/// The example output of the check without cosign names the attestations of a current release, in the order of its
/// manifest.
#[test]
fn the_attestations_in_the_documentation_are_those_of_a_release() {
    let page = std::fs::read_to_string(root().join("docs/verifying.md")).expect("the page is there");
    let shown: Vec<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("[\"")?.split('"').next())
        .filter(|shown| shown.starts_with("https://"))
        .collect();
    let released = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/released");
    let newest = (1..).take_while(|number| released.join(number.to_string()).exists()).last();
    let blobs = released.join(newest.expect("a recording").to_string()).join("blobs");
    let attached = std::fs::read_dir(blobs).expect("the recording has blobs").find_map(|blob| {
        let bytes = std::fs::read(blob.expect("a blob").path()).expect("a readable blob");
        let manifest: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
        let layers = manifest["layers"].as_array()?;
        let types: Vec<_> =
            layers.iter().map(|layer| layer["annotations"]["predicateType"].as_str()).collect();
        let types: Option<Vec<_>> = types.into_iter().map(|it| it.map(str::to_owned)).collect();
        types.filter(|types| types.len() > 1)
    });
    assert_eq!(shown, attached.expect("a manifest with attestations"));
}

#[test]
fn anchors_and_link_targets_are_computed_as_on_the_forge() {
    for (heading, expected) in [
        ("Once: secrets", "once-secrets"),
        ("latest, pre-releases, backports", "latest-pre-releases-backports"),
        ("Workspaces and file: packages", "workspaces-and-file-packages"),
        ("cosign's own files", "cosigns-own-files"),
    ] {
        assert_eq!(anchor(heading), expected);
    }
    assert_eq!(target("docs/decisions/0001.md", "../verifying.md"), "docs/verifying.md");
    assert_eq!(target("README.md", "docs/images/a.png"), "docs/images/a.png");
}
