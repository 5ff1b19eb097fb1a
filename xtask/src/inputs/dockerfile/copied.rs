//! What a Dockerfile copies from the build context, as far as its lines are unambiguous. The builder decides; this is
//! for a message before any build.

use super::parse::{Instruction, instructions};

/// What a `COPY` or an `ADD` takes from the build context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The line of the instruction, from 1.
    pub line: usize,
    /// The instruction, as written.
    pub instruction: String,
    /// The paths of files and folders from the top of the context, without `.` and empty parts.
    pub paths: Vec<String>,
}

/// Every path of the context that is named without a variable, a pattern, a quote or `..`. Empty for a file that is too
/// long.
#[must_use]
pub fn copied(text: &str) -> Vec<Copied> {
    if text.len() > super::MAX_SIZE {
        return Vec::new();
    }
    let all = instructions(text);
    let of_context = |instruction: &&Instruction| {
        (instruction.is("COPY") || instruction.is("ADD")) && instruction.flag("from").is_none()
    };
    let copied = |instruction: &Instruction| {
        let paths = sources(instruction).iter().filter_map(|word| path(word)).collect();
        Copied { line: instruction.line, instruction: instruction.text.clone(), paths }
    };
    all.iter().filter(of_context).map(copied).collect()
}

/// The words before the last one, which is the place in the image.
fn sources(instruction: &Instruction) -> Vec<String> {
    let list = serde_json::from_str(instruction.script());
    let mut words: Vec<String> =
        list.unwrap_or_else(|_plain| instruction.arguments().map(str::to_owned).collect());
    words.pop();
    words
}

/// The path that a word names; `None` if it may be something else, or the whole context.
fn path(word: &str) -> Option<String> {
    // Quotes, escapes, variables, patterns, and heredocs.
    let may_be_more = |c: char| "$*?[]{}\\'\"`<>".contains(c) || c.is_control();
    // The builder fetches these.
    let is_remote = word.contains("://") || word.starts_with("git@") || word.starts_with("github.com/");
    let parts: Vec<_> = word.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let is_plain = !word.contains(may_be_more) && !is_remote && !parts.contains(&"..");
    (is_plain && !parts.is_empty()).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::copied;

    #[test]
    fn only_paths_that_are_named_unambiguously_are_found() {
        for (line, expected) in [
            ("COPY a b ./", &["a", "b"][..]),
            ("copy --link --chown=1:1 ./a//b/. /x", &["a/b"]),
            ("COPY /a /x", &["a"]),
            ("ADD a.tar /x", &["a.tar"]),
            ("COPY [\"a b\", \"c\", \"/x\"]", &["a b", "c"]),
            ("COPY --chmod=1 [\"a\", \"/x\"]", &["a"]),
            ("COPY a \\\n  b /x", &["a", "b"]),
            ("COPY --from=build /out/ /", &[]),
            ("COPY . /x", &[]),
            ("COPY ./ /x", &[]),
            ("COPY $A ${B}/c d* e? f[12] /x", &[]),
            ("COPY \"a\" 'b' c\\d /x", &[]),
            ("COPY ../a b/../c /x", &[]),
            ("COPY <<EOF a /x\ntext\nEOF\n", &["a"]),
            ("ADD --checksum=sha256:0 https://example.org/x git@example.org:x.git /x", &[]),
            ("RUN --mount=type=bind,source=a,target=/a make a b", &[]),
            ("COPY a", &[]),
            ("COPY", &[]),
        ] {
            let found = copied(&format!("FROM x\n{line}\nRUN y\n"));
            assert!(found.iter().all(|copied| copied.line == 2), "{line}");
            let found: Vec<_> = found.into_iter().flat_map(|copied| copied.paths).collect();
            assert_eq!(found, expected, "{line}");
        }
        assert!(copied(&"COPY a /x\n".repeat(10_000)).is_empty());
    }
}
