//! The words of an instruction, and the values of variables in them.

use super::super::parse::instructions;
use super::{Values, assigned, expand, split};

/// Each row was built with `BuildKit`, which recorded these values.
#[test]
fn words_mean_what_buildkit_records() {
    let known = Values::from([("abc".to_owned(), Some("b y".to_owned()))]);
    for (line, expected) in [
        ("ENV A one two  three ", &[("A", "one two  three")][..]),
        ("ENV A \"quoted words\" after", &[("A", "quoted words after")]),
        ("ENV A 'single'", &[("A", "single")]),
        ("ENV A a=b c=d", &[("A", "a=b c=d")]),
        ("ENV A $abc 'lit $abc' \"dq $abc\" \\$abc", &[("A", "b y lit $abc dq b y $abc")]),
        ("ENV A=x=y B=w", &[("A", "x=y"), ("B", "w")]),
        ("ENV A=a B=\"b c\" C=d\\ e D='f g'", &[("A", "a"), ("B", "b c"), ("C", "d e"), ("D", "f g")]),
        ("ENV A=pre\"in ner\"post B=\"in\"ner'quotes'", &[("A", "prein nerpost"), ("B", "innerquotes")]),
        (
            "ENV A='$abc' B=\"$abc\" C=\\$abc D=\"\\$abc\"",
            &[("A", "$abc"), ("B", "b y"), ("C", "$abc"), ("D", "$abc")],
        ),
        ("ENV A=\"a\\b\" B=a\\b", &[("A", "a\\b"), ("B", "ab")]),
        ("ENV A=${none:-'x y'}", &[("A", "x y")]),
        ("ENV A=\"${none:-x y}\"", &[("A", "x y")]),
        ("ARG A=${abc}x B=\"q q\" C=${none:-$abc}", &[("A", "b yx"), ("B", "q q"), ("C", "b y")]),
        ("ARG A B=1", &[("B", "1")]),
    ] {
        let found = instructions(line).remove(0);
        let found: Vec<_> = assigned(&found)
            .into_iter()
            .filter_map(|(name, value)| Some((name, expand(value?, &[&known]).unwrap())))
            .collect();
        let found: Vec<_> = found.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(found, expected, "{line}");
    }
}

#[test]
fn a_variable_means_what_buildkit_makes_of_it_or_is_not_read() {
    let values = [("A", Some("a")), ("E", Some("")), ("B", Some("b")), ("U", None)];
    let known = Values::from(values.map(|(name, value)| (name.to_owned(), value.map(str::to_owned))));
    for (word, expected) in [
        ("${A-x:-y}", Some("a")),
        ("${N-x:-y}", Some("x:-y")),
        ("${E:-x}|${E-x}", Some("x|")),
        ("${N:-${B}}", Some("b")),
        ("${N:-${M:-${B}c}d}e", Some("bcde")),
        ("${A:-${B}}", Some("a")),
        ("${A:-$N}", Some("a")),
        ("${N:-'}'}", Some("}")),
        ("${N:-\\}}", Some("}")),
        ("\"${N:-\"x y\"}\"", Some("x y")),
        ("${N:-$M}", None),
        ("${U:-x}", None),
        ("${U-x}", None),
        ("${A:+x}", None),
        ("${A+x}", None),
        ("${A?x}", None),
        ("${A:?x}", None),
        ("${A#x}", None),
        ("${A%x}", None),
        ("${A/a/x}", None),
        ("${A:-${B/}/x}}", None),
        ("${A x}", None),
        ("${}", None),
        ("${:-x}", None),
        ("${-x}", None),
        ("${1:-x}", None),
        ("$1", None),
        ("$", None),
        ("$A\u{e9}", None),
        ("${N:-x", None),
    ] {
        assert_eq!(expand(word, &[&known]).ok().as_deref(), expected, "{word}");
    }
    assert!(expand(&format!("{}x{}", "${N:-".repeat(100_000), "}".repeat(100_000)), &[]).is_err());
}

#[test]
fn a_word_with_an_unclosed_quote_or_brace_is_not_read() {
    for word in ["it's", "\"a", "${a", "'a\"", "\"\\\""] {
        assert!(expand(word, &[]).is_err(), "{word}");
    }
    assert!(split("ENV A it's").is_empty());
}
