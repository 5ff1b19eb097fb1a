//! The heredocs that an instruction opens, such as `<<EOF`, `<<-EOF` and `<<"EOF"`, as `BuildKit` finds them: only
//! whole words open one, and in an instruction with an unclosed quote there is none.

use super::words;

pub(super) struct Heredoc {
    end: String,
    /// Whether the last line may be indented with tabs.
    tabs: bool,
    /// Whether the builder replaces variables in it, because no part of its name is quoted.
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

/// The heredocs that an instruction opens. `text` is its joined lines.
pub(super) fn heredocs(text: &str) -> Vec<Heredoc> {
    if !may_open(text) {
        return Vec::new();
    }
    words::split(text).into_iter().filter_map(Heredoc::opened_by).collect()
}

fn may_open(text: &str) -> bool {
    let mut words = text.split_whitespace();
    let mut keyword = words.next().unwrap_or_default();
    if keyword.eq_ignore_ascii_case("ONBUILD") {
        keyword = words.next().unwrap_or_default();
    }
    ["RUN", "COPY", "ADD"].iter().any(|known| known.eq_ignore_ascii_case(keyword))
}

/// Whether versions of `BuildKit` find different heredocs in an instruction (docs/facts.md, "Heredocs"): it has a word
/// `<<`, which opens one in newer versions, or a `${…}` that another version may reject, and then it finds no heredoc.
pub(super) fn is_unclear(text: &str) -> bool {
    if !may_open(text) || !text.contains("<<") {
        return false;
    }
    let is_bare = |word: &str| word.trim_start_matches(|c: char| c.is_ascii_digit()) == "<<";
    words::split(text).into_iter().any(is_bare) || words::substitutions(text).any(|inside| !is_plain(inside))
}

/// Whether what is between `${` and `}` is a name, perhaps with a modifier and plain characters.
fn is_plain(inside: &str) -> bool {
    let rest = inside.trim_start_matches(words::is_of_name);
    let word =
        [":-", ":+", ":?", "-", "+", "?", "%", "#"].iter().find_map(|modifier| rest.strip_prefix(modifier));
    rest.len() < inside.len()
        && (rest.is_empty()
            || word
                .is_some_and(|word| !word.contains(|c: char| c.is_whitespace() || "'\"\\`$<{".contains(c))))
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
    fn only_a_whole_word_opens_a_heredoc() {
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

    #[test]
    fn a_heredoc_that_versions_of_the_builder_read_differently_is_unclear() {
        for (text, expected) in [
            ("RUN cat << EOF", true),
            ("COPY 3<< EOF /x", true),
            ("RUN echo $((1 << 2))", true),
            ("RUN cat <<EOF ${x^^}", true),
            ("RUN cat ${x/a/b} <<EOF", true),
            ("RUN cat ${x:?it's} <<EOF", true),
            ("RUN cat \"${x:-'}\" <<EOF", true),
            ("RUN cat ${x <<EOF", true),
            ("RUN cat ${} <<EOF", true),
            ("RUN cat ${x:-a} $y ${z} ${x%%.*} ${x:?no} <<EOF", false),
            ("RUN cat '${x^^}' \\${y^^} <<EOF", false),
            ("RUN echo ${x^^}", false),
            ("RUN node -e '1 << 2'", false),
            ("RUN cat << ", true),
            ("RUN cat<< EOF", false),
            ("RUN cat <<- EOF", false),
            ("ENV X=${x^^}<<EOF", false),
        ] {
            assert_eq!(instructions(&format!("{text}\n"))[0].is_unclear, expected, "{text}");
        }
    }

    #[test]
    fn a_heredoc_ends_only_at_a_line_that_is_exactly_its_name() {
        for (text, end, expected) in [
            ("COPY <<EOF /x", "EOF\r\r", false),
            ("COPY <<\"E \\\n   F\" /x", "E    F", false),
            ("COPY <<\"E \\\n   F\" /x", "E F", true),
            ("COPY <<E\\\nOF /x", "EOF", false),
        ] {
            let found = instructions(&format!("{text}\n{end}\nRUN make\n"));
            assert_eq!(!found[0].body.is_empty(), expected, "{text}");
        }
    }
}
