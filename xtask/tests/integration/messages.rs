//! People read messages in a repository that uses the tool, which does not have the tool's own pages. So messages
//! link to the pages at the tool's own address.

use std::fs;

use crate::layers::{files, source};

/// The one page that every repository with this tool has.
const EVERYWHERE: &str = "verifying.md";

/// A source up to its module of tests. The attribute may also come earlier, above one function or above tests in
/// another file.
fn without_tests(source: &str) -> &str {
    const ATTRIBUTE: &str = "#[cfg(test)]\n";
    let is_above_module = |at: &usize| {
        let line = source[at + ATTRIBUTE.len()..].lines().next().unwrap_or_default();
        format!(" {line}").contains(" mod ") && line.ends_with('{')
    };
    let start = source.match_indices(ATTRIBUTE).map(|(at, _)| at).find(is_above_module);
    &source[..start.unwrap_or(source.len())]
}

/// The string literals in a source, without those of its tests. A comment may hold quotes, and so may a character
/// literal.
fn literals(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut chars = without_tests(source).chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '/' if chars.peek() == Some(&'/') => {
                chars.by_ref().find(|c| *c == '\n');
            }
            '\'' => {
                let quoted: String = chars.clone().take(3).collect();
                if quoted.starts_with("\"'") || quoted == "\\\"'" {
                    chars.by_ref().find(|c| *c == '\'');
                }
            }
            '"' => {
                let mut text = String::new();
                while let Some(c) = chars.next().filter(|c| *c != '"') {
                    text.push(c);
                    text.extend((c == '\\').then(|| chars.next()).flatten());
                }
                found.push(text);
            }
            _ => {}
        }
    }
    found
}

/// The pages that a text names without an address.
fn bare(text: &str) -> Vec<&str> {
    let named = text.match_indices("docs/").filter_map(|(at, _)| {
        let page = &text[at + "docs/".len()..];
        let end = page.find(".md")? + ".md".len();
        let page = &page[..end];
        let is_page = page.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        (is_page && !text[..at].ends_with('/') && page != EVERYWHERE).then_some(page)
    });
    named.collect()
}

#[test]
fn no_message_names_a_page_that_only_this_repository_has() {
    let source = source();
    let (mut wrong, mut read) = (Vec::new(), 0);
    for file in files(&source) {
        let name = file.strip_prefix(&source).unwrap().to_str().unwrap().to_owned();
        if name.contains("tests") || !name.ends_with(".rs") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        for literal in literals(&text) {
            read += 1;
            wrong.extend(bare(&literal).iter().map(|page| format!("{name}: docs/{page} in \"{literal}\"")));
        }
    }
    assert!(read > 3000, "only {read} literals were read");
    assert!(wrong.is_empty(), "write `document!(\"…\")` of `inputs::pin` instead:\n{}", wrong.join("\n"));
}

#[test]
fn a_page_without_an_address_is_detected() {
    let source = "// \"docs/a.md\"\nlet q = '\"'; f(\"see docs/keys.md, \\\"docs/b.md\\\"\", \"docs/verifying.md\");\n\
        #[cfg(test)]\nmod tests;\ng(\"https://x/docs/c.md ../docs/d.md docs/ and e.md docs/f.md\");\n\
        #[cfg(test)]\npub(super) mod tests {\n\"docs/g.md\" }\n";
    let found: Vec<_> = literals(source)
        .iter()
        .flat_map(|text| bare(text).into_iter().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    assert_eq!(found, ["keys.md", "b.md", "f.md"]);
}
