//! Command lines for a shell, as in `CMD node x.js` or npm's `scripts.start`. The image has no shell.

/// The characters that have a special meaning in a shell.
const SPECIAL: [char; 20] =
    ['\'', '"', '`', '\\', '$', '&', '|', ';', '<', '>', '(', ')', '{', '}', '[', ']', '*', '?', '~', '#'];

/// The words of `line`, if they mean the same without a shell.
#[must_use]
pub fn words(line: &str) -> Option<Vec<String>> {
    (!line.contains(SPECIAL)).then(|| line.split_whitespace().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn a_line_that_needs_a_shell_has_no_words() {
        assert_eq!(words(" node  --port=80 ./x.js ").unwrap(), ["node", "--port=80", "./x.js"]);
        for line in [
            "node x.js && echo done",
            "node 'x y.js'",
            "node x.js --port $PORT",
            "node x.js | pino",
            "node *.js",
        ] {
            assert_eq!(words(line), None, "{line}");
        }
    }
}
