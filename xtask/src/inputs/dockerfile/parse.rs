//! Parses a Dockerfile into instructions with line numbers. It reads what the rules need, so that problems are reported
//! early and with advice. The builder decides what a Dockerfile means.

use super::heredoc::{self, heredocs};

/// One instruction: its logical line, without the contents of its heredocs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Instruction {
    /// The line on which it begins, from 1.
    pub(super) line: usize,
    /// The text with continuation lines joined and comments removed. The white space at the beginning of a continuation
    /// line becomes one space.
    pub(super) text: String,
    /// Whether versions of `BuildKit` disagree about which of the following lines belong to it.
    pub(super) is_unclear: bool,
    /// The lines of its heredocs.
    pub(super) body: String,
    /// The lines of those heredocs in which the builder replaces variables.
    pub(super) expanded: String,
}

impl Instruction {
    fn begin(line: usize) -> Self {
        let (text, body, expanded) = <(String, String, String)>::default();
        Self { line, text, is_unclear: false, body, expanded }
    }

    /// Adds a line.
    fn join(&mut self, part: &str) {
        let words = part.trim_start();
        if words.len() < part.len() && !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(words);
    }

    pub(super) fn is(&self, keyword: &str) -> bool {
        self.keyword().eq_ignore_ascii_case(keyword)
    }

    pub(super) fn keyword(&self) -> &str {
        self.text.split_whitespace().next().unwrap_or_default()
    }

    /// The words after the keyword.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        self.text.split_whitespace().skip(1)
    }

    /// Everything after the keyword.
    pub(super) fn rest(&self) -> &str {
        self.text.split_once(char::is_whitespace).map_or("", |(_, rest)| rest).trim()
    }

    /// What comes after the keyword and the flags.
    pub(super) fn script(&self) -> &str {
        let mut rest = self.rest();
        while rest.starts_with("--") {
            rest = rest.split_once(char::is_whitespace).map_or("", |(_, rest)| rest).trim_start();
        }
        rest
    }

    /// The arguments: a JSON list, or else words.
    pub(super) fn list(&self) -> Vec<String> {
        let list = serde_json::from_str(self.rest());
        list.unwrap_or_else(|_plain| self.words().map(str::to_owned).collect())
    }

    /// The name of the stage that `FROM image AS name` begins, in lower case for look-ups.
    pub(super) fn stage_name(&self) -> Option<String> {
        match self.arguments().collect::<Vec<_>>()[..] {
            [_, keyword, name] if keyword.eq_ignore_ascii_case("as") => Some(name.to_ascii_lowercase()),
            _ => None,
        }
    }

    /// The value of `--name=value` among the flags at the beginning.
    pub(super) fn flag<'a>(&'a self, name: &str) -> Option<&'a str> {
        self.flags().find_map(|flag| flag.strip_prefix(name)?.strip_prefix('='))
    }

    /// The flags at the beginning, without their `--`.
    pub(super) fn flags(&self) -> impl Iterator<Item = &str> {
        self.words().map_while(|word| word.strip_prefix("--"))
    }

    /// The words after the flags.
    pub(super) fn arguments(&self) -> impl Iterator<Item = &str> {
        self.words().skip_while(|word| word.starts_with("--"))
    }
}

/// The line and value of the `syntax` directive, as `BuildKit` finds it: in upper or lower case, after `#` or `//`,
/// before everything else.
pub(super) fn syntax(text: &str) -> Option<(usize, &str)> {
    let lines = without_mark(text).lines().zip(1..);
    let comments = lines.map_while(|(line, number)| {
        let comment = line.trim();
        let inside = comment.strip_prefix('#').or_else(|| comment.strip_prefix("//"));
        (inside.is_some() || comment.is_empty()).then_some((inside.unwrap_or_default(), number))
    });
    comments.filter_map(|(comment, number)| directive(comment, "syntax").map(|value| (number, value))).next()
}

fn directive<'a>(comment: &'a str, name: &str) -> Option<&'a str> {
    let (key, value) = comment.split_once('=')?;
    key.trim().eq_ignore_ascii_case(name).then_some(value.trim())
}

/// The escape character that joins lines, from the `escape` directive. As in `BuildKit`, the directive counts only
/// among the directives before everything else.
pub(super) fn escape(text: &str) -> char {
    if backtick(text).is_some() { '`' } else { '\\' }
}

/// The line of a directive that makes the backtick the escape character, at least in some version of `BuildKit`: 0.13
/// ignores one that is indented or below another directive.
pub(super) fn backtick(text: &str) -> Option<usize> {
    const DIRECTIVES: [&str; 3] = ["syntax", "escape", "check"];
    let is_directive = |comment: &str| DIRECTIVES.iter().any(|name| directive(comment, name).is_some());
    let comments = without_mark(text).lines().map_while(|line| line.trim_start().strip_prefix('#'));
    let mut directives = comments.zip(1..).take_while(|(comment, _)| is_directive(comment));
    directives.find(|(comment, _)| directive(comment, "escape") == Some("`")).map(|(_, line)| line)
}

/// A line without its continuation mark: an escape character at the end that is not itself escaped. `None` if the line
/// does not continue.
pub(super) fn continued(line: &str, escape: char) -> Option<&str> {
    let part = line.trim_end_matches('\r').trim_end_matches([' ', '\t']).strip_suffix(escape)?;
    (!part.ends_with(escape)).then_some(part)
}

/// The text without the byte order mark that some editors put at the beginning.
pub(super) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Lines are joined as `BuildKit` joins them (`parser.Parse`): nothing is put between them, so a word may continue on
/// the next line.
pub(super) fn instructions(text: &str) -> Vec<Instruction> {
    let escape = escape(text);
    let mut instructions = Vec::new();
    let mut lines = without_mark(text).split('\n').map(|line| line.trim_end_matches('\r')).zip(1..);
    let mut current: Option<(Instruction, String)> = None;
    while let Some((line, number)) = lines.next() {
        let words = line.trim_start();
        if words.is_empty() || words.starts_with('#') {
            continue;
        }
        let is_first = current.is_none();
        let (mut instruction, mut exact) =
            current.take().unwrap_or_else(|| (Instruction::begin(number), String::new()));
        let part = if is_first { words } else { line };
        let continued = continued(part, escape);
        instruction.join(continued.unwrap_or(part));
        exact.push_str(continued.unwrap_or(part));
        if continued.is_some() {
            current = Some((instruction, exact));
            continue;
        }
        instruction.text.truncate(instruction.text.trim_end().len());
        instruction.is_unclear = heredoc::is_unclear(&exact);
        for heredoc in heredocs(&exact) {
            for (line, _) in lines.by_ref() {
                if heredoc.is_ended_by(line) {
                    break;
                }
                instruction.body.extend([line, "\n"]);
                if heredoc.is_expanded {
                    instruction.expanded.extend([line, "\n"]);
                }
            }
        }
        instructions.push(instruction);
    }
    instructions.extend(current.map(|(instruction, _)| instruction));
    instructions
}
