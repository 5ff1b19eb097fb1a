//! JSON that can be read in one way, in several, or in none.

use super::{MAX_DEPTH, parse, parse_all, parse_as_spelled, parse_without, value};
use serde::Deserialize;
use serde_json::{Value, json};

#[test]
fn a_struct_is_read_only_from_an_object() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Outer {
        inner: Vec<Inner>,
        more: Option<u64>,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct Inner {
        text: String,
    }
    let right = Outer { inner: vec![Inner { text: "x".to_owned() }], more: Some(1) };
    assert_eq!(parse::<Outer>(br#"{"inner": [{"text": "x"}], "more": 1}"#).unwrap(), right);
    assert_eq!(parse::<Outer>(br#"{"inner": [{"text": "x"}], "more": null}"#).unwrap().more, None);
    for wrong in [r#"[[{"text": "x"}], 1]"#, r#"{"inner": [["x"]]}"#, r#"{"inner": {"text": "x"}}"#, "null"] {
        assert!(parse::<Outer>(wrong.as_bytes()).is_err(), "{wrong}");
        assert!(parse_all::<Outer>(wrong).is_err(), "{wrong}");
    }
    assert!(parse::<(u64, u64)>(b"[1, 2]").is_ok() && parse::<(u64, u64)>(b"[1, 2, 3]").is_err());
}

#[test]
fn a_member_is_returned_whole_and_must_exist() {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Rest {
        kind: String,
    }
    let (rest, member) = parse_without::<Rest>(br#"{"kind": "x", "body": {"a": [1]}}"#, "body").unwrap();
    assert_eq!((rest, member), (Rest { kind: "x".to_owned() }, json!({"a": [1]})));
    for wrong in [r#"{"kind": "x"}"#, r#"{"body": 1}"#, r#"{"kind": "x", "body": 1, "more": 1}"#, "[]"] {
        assert!(parse_without::<Rest>(wrong.as_bytes(), "body").is_err(), "{wrong}");
    }
    let twice = parse_without::<Rest>(br#"{"kind": "x", "body": {"a": 1, "A": 1}}"#, "body");
    assert!(twice.unwrap_err().to_string().contains("twice"));
}

#[test]
fn json_with_unique_keys_is_read_unchanged() {
    let text = json!({"a": [1, -2, 1.5, true, null, "x"], "b": {"a": {}, "ä": "\u{1F600}"}, "": []});
    assert_eq!(value(text.to_string().as_bytes()).unwrap(), text);
    let all: Vec<Value> = parse_all("\n[1]\n\n{\"a\": 2}").unwrap();
    assert_eq!(all, [json!([1]), json!({"a": 2})]);
}

#[test]
fn a_duplicate_key_is_rejected_in_every_spelling_and_at_every_depth() {
    for pair in [
        r#""key": 1, "key": 1"#,
        r#""key": 1, "KEY": 1"#,
        r#""key": 1, "Key": 2"#,
        r#""key": 1, "\u006bey": 2"#,
        r#""key": 1, "\u212aey": 2"#,
        r#""sig": 1, "\u017fig": 2"#,
        r#""ärger": 1, "ÄRGER": 2"#,
        r#""key": 1, "other": {}, "kEy": {}"#,
        r#""kEy": 1, "other": {}, "key": {}"#,
        r#""a": 1, "B": 2, "b": 3"#,
        r#""a": 1, "B": 2, "c": 3, "a": 4"#,
    ] {
        for text in
            [format!("{{{pair}}}"), format!("[1, {{{pair}}}]"), format!(r#"{{"x": [{{"y": {{{pair}}}}}]}}"#)]
        {
            let error = value(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("twice"), "{text}: {error}");
            assert!(parse_all::<Value>(&format!("{{}} {text}")).is_err(), "{text}");
        }
    }
}

#[test]
fn parse_as_spelled_accepts_keys_that_differ_in_case() {
    let text = r#"{"key": 1, "KEY": {"A": 1, "a": 2}}"#;
    assert_eq!(
        parse_as_spelled::<Value>(text.as_bytes()).unwrap(),
        json!({"key": 1, "KEY": {"A": 1, "a": 2}})
    );
    let deep = format!("{}{}", "[".repeat(MAX_DEPTH + 1), "]".repeat(MAX_DEPTH + 1));
    for wrong in [
        r#"{"Key": 1, "Key": 1}"#,
        r#"{"key": 1, "\u006bey": 2}"#,
        r#"[{"a": 1, "B": 2, "a": 3}]"#,
        "{} {}",
        &deep,
    ] {
        assert!(parse_as_spelled::<Value>(wrong.as_bytes()).is_err(), "{wrong}");
    }
}

#[test]
fn json_that_is_too_deep_too_long_or_has_trailing_text_is_rejected() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(value(nested(MAX_DEPTH).as_bytes()).is_ok());
    assert!(value(nested(MAX_DEPTH + 1).as_bytes()).is_err());
    assert!(value(nested(100_000).as_bytes()).is_err());
    let long = format!("\"{}\"", "x".repeat(33 << 20));
    assert!(value(long.as_bytes()).is_err() && parse_all::<Value>(&long).is_err());
    assert!(parse_as_spelled::<Value>(long.as_bytes()).is_err());
    for text in ["", "{} {}", "{}x", "{'a': 1}", "{\"a\": 1,}", "\u{feff}{}", "\"\\ud800\"", "1e999"] {
        assert!(value(text.as_bytes()).is_err(), "{text}");
    }
    assert!(value(b"\"\xff\"").is_err());
}
