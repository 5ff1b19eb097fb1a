//! Reads a page as the forge renders it, element by element. It understands the HTML that Go's serializer writes,
//! and nothing else. An element that release notes do not need is an error.

use anyhow::{Context as _, Result, bail, ensure};

/// What a reader finds on a page.
#[derive(Default)]
pub(super) struct Rendered {
    /// The text of each entry of a list, which is code, and the target of the entry's link.
    pub(super) entries: Vec<(String, String)>,
    /// The lines of blocks of code.
    pub(super) commands: Vec<String>,
    /// The targets of all links.
    pub(super) links: Vec<String>,
}

/// The start of the part of a web page that is rendered from Markdown.
const MARKUP: &str = "<div class=\"render-content markup\">";

/// Elements that may occur and need no special treatment.
const PLAIN: [&str; 17] = [
    "h2", "h3", "p", "strong", "ul", "li", "code", "pre", "div", "details", "summary", "table", "thead",
    "tbody", "tr", "th", "td",
];

/// One piece of HTML.
enum Token<'a> {
    Text(String),
    Start(&'a str, &'a str),
    End(&'a str),
}

impl Rendered {
    /// Reads a whole web page, or only its Markdown part.
    pub(super) fn read(html: &str) -> Result<Self> {
        let mut rest = html.split_once(MARKUP).map_or(html, |(_, part)| part);
        let (mut found, mut open) = (Self::default(), Vec::new());
        while let Some(token) = next(&mut rest)? {
            match token {
                Token::Text(text) => found.text(&open, &text),
                Token::Start(name, attributes) => {
                    found.start(name, attributes, &open)?;
                    open.push(name);
                }
                // The end of the element that contains the part.
                Token::End("div") if open.is_empty() => break,
                Token::End(name) => ensure!(open.pop() == Some(name), "`</{name}>` ends another element"),
            }
        }
        ensure!(open.is_empty(), "{open:?} are not closed");
        found.commands = found.commands.concat().lines().map(str::to_owned).collect();
        Ok(found)
    }

    fn start(&mut self, name: &str, attributes: &str, open: &[&str]) -> Result<()> {
        let is_in = |outer: &str| open.contains(&outer);
        match name {
            "a" => {
                ensure!(!is_in("code"), "a link within code: `{attributes}`");
                let link = attribute(attributes, "href")?;
                if let Some((_, target)) = self.entries.last_mut().filter(|_| is_in("li")) {
                    ensure!(target.is_empty(), "an entry with two links: `{attributes}`");
                    target.clone_from(&link);
                }
                self.links.push(link);
            }
            "li" => self.entries.push(Default::default()),
            // The syntax highlighting of commands, and the colour sample beside a CSS colour.
            "span" if is_in("pre") || attributes.starts_with("class=\"color-preview\"") => {}
            _ => ensure!(PLAIN.contains(&name), "`<{name} {attributes}>` on a page, in {open:?}"),
        }
        Ok(())
    }

    fn text(&mut self, open: &[&str], text: &str) {
        if open.contains(&"pre") {
            self.commands.push(text.to_owned());
        } else if let [.., "li", "code"] = open
            && let Some((words, _)) = self.entries.last_mut()
        {
            *words += text;
        }
    }
}

/// Takes the first token of `rest`.
fn next<'a>(rest: &mut &'a str) -> Result<Option<Token<'a>>> {
    let html = *rest;
    let Some(tag) = html.strip_prefix('<') else {
        let (text, after) = html.split_at(html.find('<').unwrap_or(html.len()));
        *rest = after;
        return Ok((!text.is_empty()).then(|| decoded(text)).transpose()?.map(Token::Text));
    };
    // The serializer only writes a plain `>` at the end of a tag.
    let (tag, after) = tag.split_once('>').context("a tag that does not end")?;
    *rest = after;
    Ok(Some(match tag.strip_prefix('/') {
        Some(name) => Token::End(name),
        None => {
            let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
            Token::Start(name, attributes)
        }
    }))
}

fn attribute(attributes: &str, name: &str) -> Result<String> {
    let (_, rest) = attributes.split_once(&format!("{name}=\"")).with_context(|| attributes.to_owned())?;
    decoded(rest.split('"').next().unwrap_or_default())
}

/// Decodes the five character references that the serializer writes.
fn decoded(text: &str) -> Result<String> {
    let mut parts = text.split('&');
    let mut decoded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once(';').with_context(|| format!("`&{part}`"))?;
        decoded.push(match name {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "#34" => '"',
            "#39" => '\'',
            _ => bail!("`&{name};` is none of the serializer's references"),
        });
        decoded += rest;
    }
    Ok(decoded)
}
