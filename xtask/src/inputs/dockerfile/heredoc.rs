//! The heredocs that an instruction opens, such as `<<EOF`, `<<-EOF` and `<<"EOF"`, as `BuildKit` finds them: only whole
//! words open one, and a quote that is not closed means that there is none.

use super::parse::Instruction;
use super::words;

pub(super) struct Heredoc {
    end: String,
    /// Whether the last line may be indented with tabs.
    tabs: bool,
    /// Whether the builder replaces variables in it: nothing of its name is quoted.
    pub(super) is_expanded: bool,
}

impl Heredoc {
    pub(super) fn is_ended_by(&self, line: &str) -> bool {
        self.end == if self.tabs { line.trim_start_matches('\t') } else { line }
    }

    fn opened_by(word: &str) -> Option<Self> {
        let rest = word.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix("<<")?;
        let (tabs, name) = rest.strip_prefix('-').map_or((false, rest), |name| (true, name));
        let end = words::unquoted(name)?;
        let is_one = !end.is_empty() && !name.contains('<');
        is_one.then(|| Self { is_expanded: end == name, end, tabs })
    }
}

pub(super) fn heredocs(instruction: &Instruction) -> Vec<Heredoc> {
    let mut words = instruction.text.split_whitespace();
    let mut keyword = words.next().unwrap_or_default();
    if keyword.eq_ignore_ascii_case("ONBUILD") {
        keyword = words.next().unwrap_or_default();
    }
    if !["RUN", "COPY", "ADD"].iter().any(|known| known.eq_ignore_ascii_case(keyword)) {
        return Vec::new();
    }
    words::split(&instruction.text).into_iter().filter_map(Heredoc::opened_by).collect()
}

#[cfg(test)]
mod tests {
    use super::super::parse::instructions;

    /// Whether the line after the instruction is in a heredoc that ends with `end`, and whether it is expanded.
    fn opens(text: &str, end: &str) -> (bool, bool) {
        let found = instructions(&format!("{text}\nFROM x\n{end}\n"));
        (!found[0].body.is_empty(), !found[0].expanded.is_empty())
    }

    #[test]
    fn only_a_word_of_its_own_opens_a_heredoc() {
        for (text, end, expected) in [
            ("RUN <<EOF", "EOF", (true, true)),
            ("RUN cat 3<<-EOF", "\tEOF", (true, true)),
            ("COPY <<\"E F\" /x", "E F", (true, false)),
            ("ADD <<'EOF' /x", "EOF", (true, false)),
            ("RUN <<E\\OF", "EOF", (true, false)),
            ("RUN <<E\"O\"F", "EOF", (true, false)),
            ("ONBUILD RUN <<EOF", "EOF", (true, true)),
            ("RUN echo '<<\\' \\\" <<EOF", "EOF", (true, true)),
            ("RUN node -e 'console.log(1 <<2)'", "2)'", (false, false)),
            ("RUN node -e \"console.log(\\\"1 <<2\\\")\"", "2", (false, false)),
            ("RUN cat<<EOF", "EOF", (false, false)),
            ("RUN cat <<<EOF", "EOF", (false, false)),
            ("RUN cat << EOF", "EOF", (false, false)),
            ("RUN echo it's <<EOF", "EOF", (false, false)),
            ("RUN <<EOF>/x", "EOF>/x", (true, true)),
            ("ENV X <<EOF", "EOF", (false, false)),
        ] {
            assert_eq!(opens(text, end), expected, "{text}");
        }
    }
}
