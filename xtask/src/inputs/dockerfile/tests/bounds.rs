//! A Dockerfile of a few hundred bytes whose variables double on each line, and others that grow.

use super::super::parse::instructions;
use super::super::words::{MAX_VALUE_LEN, Values, expand};
use super::super::{arguments, existing, runtime};
use super::{PIN, read};

fn doubled(keyword: &str) -> String {
    format!("{keyword} a=xxxxxxxxxx\n{}", format!("{keyword} a=$a$a\n").repeat(36))
}

#[test]
fn variables_are_replaced_up_to_the_longest_value() {
    let known = [("a", "x".repeat(MAX_VALUE_LEN / 4)), ("b", "y".to_owned())];
    let known = Values::from(known.map(|(name, value)| (name.to_owned(), Some(value))));
    let nothing = Values::from([("b".to_owned(), Some(String::new()))]);
    let long = "z".repeat(MAX_VALUE_LEN + 1);
    for (text, expected) in [
        ("$a$a$a$a".to_owned(), Ok(MAX_VALUE_LEN)),
        ("$a$a$a$a$b".to_owned(), Err("b")),
        ("$b$a$a$a$a".to_owned(), Err("a")),
        (format!("${{c:-{long}}}"), Err("c")),
        (long.clone(), Ok(long.len())),
        (format!("{long}$b"), Err("b")),
        ("$c".to_owned(), Err("c")),
    ] {
        let found = expand(&text, &[&known]);
        assert_eq!(found.as_ref().map(String::len).map_err(String::as_str), expected, "{text}");
    }
    assert_eq!(
        expand("${b}$a", &[&nothing, &known]).unwrap().len(),
        MAX_VALUE_LEN / 4,
        "the first value counts"
    );
}

#[test]
fn values_that_double_on_each_line_are_a_finding() {
    let text = format!("{}FROM $a\n", doubled("ARG"));
    assert!(text.len() < 600);
    let problem = read(&text).unwrap_err().to_string();
    assert!(
        problem.contains("`Dockerfile` line 38: `FROM $a`: `a` has no value, or one of more than 4096 bytes"),
        "{problem}"
    );
    let mut known = Values::new();
    for argument in &instructions(&text)[..37] {
        arguments::take_defaults(argument, &mut known);
        assert!(known.values().flatten().all(|value| value.len() <= MAX_VALUE_LEN));
    }
    assert_eq!(runtime::read(&text).base, None);
    assert_eq!(existing::read(&text).base.unwrap().value, "$a");
    let of_stage = format!("FROM {PIN}\n{}WORKDIR $a\n", doubled("ENV"));
    assert!(read(&of_stage).is_ok());
    assert_eq!(existing::read(&of_stage).workdir, None);
}

#[test]
fn an_unknown_value_replaces_a_known_one() {
    let problem = read(&format!("ARG a={PIN}\nARG a=node$x\nFROM $a\n")).unwrap_err().to_string();
    assert!(problem.contains("`a` has no value"), "{problem}");
}

#[test]
fn a_default_does_not_hide_a_value_that_is_not_known_here() {
    for (before, image, expected) in [
        ("ARG A=other\n", "${A-x:-PIN}", "`FROM other` names no digest"),
        ("ARG A=${N#x}\n", "${A:-PIN}", "`A` has no value"),
        ("ARG VERSION\n", "${VERSION:-PIN}", "`VERSION` has no value"),
        ("", "${TARGETARCH:-PIN}", "needs a stage `amd64` for `linux/amd64`"),
        ("", "${BUILDARCH:-PIN}", "`BUILDARCH` has no value"),
        (
            "ARG A=other\n",
            "${A:+PIN}",
            "`${A:+PIN}` cannot be read here; write `$NAME`, `${NAME}` or `${NAME:-default}`",
        ),
    ] {
        let text = format!("{before}FROM {image}\n").replace("PIN", PIN);
        let problem = read(&text).unwrap_err().to_string();
        assert!(problem.contains(&expected.replace("PIN", PIN)), "{text}: {problem}");
    }
    assert!(read(&format!("FROM ${{VERSION:-{PIN}}}\n")).is_ok(), "without `ARG`, `FROM` does not know it");
}

#[test]
fn a_working_directory_that_gets_too_long_is_left_as_written() {
    let value = "x".repeat(MAX_VALUE_LEN / 3);
    let found = existing::read(&format!("FROM {PIN}\nENV a={value}\n{}", "WORKDIR $a\n".repeat(3000)));
    assert!(found.workdir.unwrap().value.len() <= MAX_VALUE_LEN);
    assert!(found.others.iter().all(|other| other.value.len() <= MAX_VALUE_LEN + "WORKDIR ".len()));
    assert_eq!(found.others.iter().filter(|other| other.value == "WORKDIR $a").count(), 2998);
}

#[test]
fn variables_are_looked_up_quickly_in_a_long_chain_of_stages() {
    let chain: String =
        (0..500).map(|number| format!("FROM a{number} AS a{}\nENV x=$y\n", number + 1)).collect();
    let text = format!("FROM {PIN} AS a0\n{chain}ENV x={}\n", "$y".repeat(10_000));
    assert!(text.len() < 64 << 10);
    assert!(read(&text).is_ok());
}
