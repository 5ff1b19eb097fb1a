//! Commands as text that a POSIX shell reads back as the same arguments.

use std::ffi::OsStr;

/// `program` and `arguments`, each quoted where a shell would otherwise interpret something in it.
pub fn quoted<'a>(program: &'a OsStr, arguments: impl IntoIterator<Item = &'a OsStr>) -> String {
    let words = std::iter::once(program).chain(arguments);
    words.map(|word| quote(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
}

/// One word, quoted unless all of its characters are harmless.
#[must_use]
pub fn quote(word: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(harmless) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn harmless_words_stay_and_others_are_quoted() {
        for (word, expected) in [
            ("--key=env://KEY", "--key=env://KEY"),
            ("", "''"),
            ("two words", "'two words'"),
            ("it's", r"'it'\''s'"),
            ("$HOME", "'$HOME'"),
            ("~", "'~'"),
        ] {
            assert_eq!(quote(word), expected);
        }
    }
}
