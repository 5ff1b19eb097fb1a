//! The commands of a `RUN`, as far as the rules need them. Quotes are ignored, so that the script of a `sh -c "…"` is
//! read too.

use super::parse::Instruction;

/// Each command, split into words.
pub(super) fn commands(instruction: &Instruction) -> Vec<Vec<String>> {
    let list = serde_json::from_str::<Vec<String>>(instruction.script());
    let script = list.map_or_else(|_plain| instruction.script().to_owned(), |list| list.join(" "));
    let text = separated(&format!("{script}\n{}", joined(&instruction.body)));
    let word = |word: &str| word.trim_matches(['"', '\'']).to_owned();
    text.lines().map(|line| line.split_whitespace().map(word).collect()).collect()
}

/// The program that a command runs, without its folder, and the words after it.
pub(super) fn program(command: &[String]) -> Option<(&str, &[String])> {
    const BEFORE: [&str; 11] =
        ["if", "then", "elif", "else", "while", "until", "do", "!", "exec", "env", "time"];
    let is_before = |word: &String| BEFORE.contains(&word.as_str()) || word.contains('=');
    let at = command.iter().position(|word| !is_before(word))?;
    Some((file_name(&command[at]), &command[at + 1..]))
}

pub(super) fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// The lines of a script: continuation lines are joined, and comments left out.
fn joined(script: &str) -> String {
    let mut text = String::new();
    for line in script.lines() {
        // A comment ends the command before it, and is not continued itself.
        let is_comment = line.trim_start().starts_with('#');
        let continued = line.strip_suffix('\\').filter(|part| !part.ends_with('\\'));
        match continued {
            _ if is_comment => text.push('\n'),
            Some(part) => text.push_str(part),
            None => text.extend([line, "\n"]),
        }
    }
    text
}

/// A part of a script whose end has not been read yet.
#[derive(Default)]
struct Part {
    text: String,
    /// The character that ends it.
    end: Option<char>,
    /// Whether it is a `$(…)`, `${…}` or a pair of backticks, and not a group of commands.
    is_substitution: bool,
    /// Where its last word begins.
    word: usize,
    /// How many `case` have no `esac` yet: their patterns end with a parenthesis that closes nothing.
    cases: usize,
}

impl Part {
    fn push(&mut self, c: char) {
        if c.is_whitespace() {
            self.end_word();
        }
        self.text.push(c);
        if c.is_whitespace() {
            self.word = self.text.len();
        }
    }

    fn end_word(&mut self) {
        match &self.text[self.word..] {
            "case" => self.cases += 1,
            "esac" => self.cases = self.cases.saturating_sub(1),
            _ => {}
        }
    }

    fn is_ended_by(&mut self, c: char) -> bool {
        self.end_word();
        self.end == Some(c) && (c != ')' || self.cases == 0)
    }
}

/// The script with one command on each line. A substitution becomes a `$` in its command, and the commands in it get
/// lines of their own.
fn separated(script: &str) -> String {
    let (mut lines, mut outer, mut part) = (String::new(), Vec::new(), Part::default());
    let mut chars = script.chars().peekable();
    while let Some(c) = chars.next() {
        let begins = match (c, chars.peek()) {
            ('$', Some('(')) => Some((')', true)),
            ('$', Some('{')) => Some(('}', true)),
            ('`', _) => Some(('`', true)),
            ('(', _) => Some((')', false)),
            _ => None,
        };
        if matches!(c, ')' | '}' | '`') && part.is_ended_by(c) {
            let ended = std::mem::replace(&mut part, outer.pop().unwrap_or_default());
            if ended.is_substitution {
                lines.extend([&ended.text, "\n"]);
                part.push('$');
            } else {
                part.text.extend(["\n", &ended.text]);
                part.push('\n');
            }
        } else if let Some((end, is_substitution)) = begins {
            if c == '$' {
                chars.next();
            }
            let inner = Part { end: Some(end), is_substitution, ..Part::default() };
            outer.push(std::mem::replace(&mut part, inner));
        } else if c == '&' && chars.peek() == Some(&'&') {
            chars.next();
            part.push('\n');
        } else {
            part.push(if matches!(c, ';' | '|' | ')' | '{' | '}') { '\n' } else { c });
        }
    }
    for part in outer.iter().chain([&part]) {
        lines.extend([&part.text, "\n"]);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{joined, separated};

    #[test]
    fn a_substitution_is_one_word_and_its_commands_are_read() {
        for (script, expected) in [
            ("npm ci --cpu=${CPU} --libc=x", &["CPU", "npm ci --cpu=$ --libc=x"][..]),
            ("a --cpu=\"$(b | c)\" d", &["b", "c", "a --cpu=\"$\" d"]),
            ("a `b c` d && e", &["b c", "a $ d", "e"]),
            ("a ${b:-$(c d)} e", &["c d", "b:-$", "a $ e"]),
            ("a $(case x in y) b ;; (z) c ;; esac) d", &["case x in y", "b", "z", "c", "esac", "a $ d"]),
            ("case x in y) b ;; esac; c", &["case x in y", "b", "esac", "c"]),
            ("a $((1 + (2))) b", &["1 +", "2", "a $ b"]),
            ("(a; { b; }) || c", &["a", "b", "c"]),
            ("a 2>&1 b", &["a 2>&1 b"]),
            ("a ${b && c", &["a", "b", "c"]),
            ("a ) b } c ` d $( e", &["a", "b", "c", "d", "e"]),
        ] {
            let found = separated(script);
            let found: Vec<_> = found.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            assert_eq!(found, expected, "{script}");
        }
    }

    #[test]
    fn lines_of_a_script_are_joined_as_a_shell_joins_them() {
        for (script, expected) in [
            ("a \\\n  b\nc\n", "a   b\nc\n"),
            ("a \\\n# b\nc\n", "a \nc\n"),
            ("  # a \\\nb\n", "\nb\n"),
            ("a \\\\\nb\n", "a \\\\\nb\n"),
            ("a \\ \nb\n", "a \\ \nb\n"),
        ] {
            assert_eq!(joined(script), expected, "{script}");
        }
    }

    #[test]
    fn many_unclosed_openings_are_read_quickly() {
        for opening in ["$(case ", "(", "${", "`", "case ) "] {
            assert!(!separated(&opening.repeat(10_000)).is_empty());
        }
    }
}
